"""One resource type in one world: plan, create, read, update, delete and import."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.sandbox.provider.computed import ComputedValues, assign_computed
from orchestrator.sandbox.provider.importing import canonical_template, match_import
from orchestrator.sandbox.provider.labels import plan_labels
from orchestrator.sandbox.provider.planning import Path, complete, replacement_paths
from orchestrator.sandbox.provider.rules import ResourceRule
from orchestrator.sandbox.provider.schema import SchemaBlock
from orchestrator.sandbox.provider.session import ProviderError, ProviderInstance
from orchestrator.sandbox.provider.shaping import from_world, to_world
from orchestrator.sandbox.provider.templates import Context, expand, names_in
from orchestrator.sandbox.provider.values import UNKNOWN, Unknown, Value, canonical, is_known
from orchestrator.sandbox.world.objects import WorldObject
from orchestrator.sandbox.world.stored import AlreadyExistsError, RefusedError
from orchestrator.sandbox.world.world import World

State = dict[str, Value]
_LOCATIONS = ("project", "location", "region", "zone")
_BUCKET_OBJECT = "google_storage_bucket_object"
# Attributes of a bucket object that depend on its content.
_CONTENT_ATTRIBUTES = ("crc32c", "md5hash", "md5hexhash", "generation", "media_link")
_sequence = itertools.count()


@dataclass(frozen=True)
class ResourceType:
    """A resource type of a provider, with what is known of its behaviour, in a world."""

    provider: str
    name: str
    block: SchemaBlock
    rule: ResourceRule
    world: World

    def plan(
        self, prior: State | None, config: State, proposed: State, session: ProviderInstance
    ) -> tuple[State, list[Path]]:
        """The planned state, and the paths that force a replacement."""
        self._strike("plan", str((prior or {}).get("id") or ""), "planning")
        planned = complete(self.block, proposed, prior, self.rule.computed_blocks)
        for path, value in self.rule.defaults.items():
            assign_computed(self.block, planned, path.split("."), value, only_null=True)
        self._plan_locations(planned, config, prior, session)
        plan_labels(self.block, planned, prior, session)
        if prior is None:
            self._plan_computed(planned)
            return planned, []
        if self.name == _BUCKET_OBJECT:
            _plan_upload(planned, prior)
        if canonical(planned, self.block.type) == canonical(prior, self.block.type):
            return prior, []
        return planned, replacement_paths(self.block, prior, planned, self.rule.replace)

    def create(self, planned: State, session: ProviderInstance) -> State:
        """Make it, under the id that its attributes give it."""
        context = self._context(planned, f"{self.world.clock()}:{next(_sequence)}")
        computed = ComputedValues(self.block, self.rule, planned, context)
        self._require_locations(planned)
        object_id = computed.object_id()
        self._strike("create", object_id, "creating")
        state = computed.state(object_id)
        attributes = to_world(self.block, state)
        try:
            item = self.world.create(self.provider, self.name, object_id, attributes)
        except AlreadyExistsError:
            if not self.rule.adopt:
                text = expand(self.rule.exists, computed.context)
                raise self._refused("creating", f"googleapi: Error 409: {text}") from None
            item = self.world.update(self.name, object_id, attributes)
        except RefusedError as error:
            raise self._refused("creating", str(error)) from error
        self._wait("create", session)
        return self._state(item, state)

    def read(self, state: State) -> State | None:
        """What the world holds now, or None when it is gone."""
        object_id = str(state.get("id") or "")
        self._strike("read", object_id, "reading")
        item = self.world.find(self.name, object_id)
        return None if item is None else self._state(item, state)

    def update(self, prior: State, planned: State, session: ProviderInstance) -> State:
        """Update it in place."""
        object_id = str(prior.get("id") or "")
        self._strike("update", object_id, "updating")
        context = self._context(planned, f"{object_id}:{self.world.clock()}")
        state = ComputedValues(self.block, self.rule, planned, context).state(object_id, changing=True)
        try:
            item = self.world.update(self.name, object_id, to_world(self.block, state))
        except LookupError:
            missing = f"googleapi: Error 404: Resource '{object_id}' was not found, notFound"
            raise self._refused("updating", missing) from None
        except RefusedError as error:
            raise self._refused("updating", str(error)) from error
        self._wait("update", session)
        return self._state(item, state)

    def delete(self, prior: State, session: ProviderInstance) -> None:
        """Take it away. What is gone already is no error, as with the real provider."""
        object_id = str(prior.get("id") or "")
        noun = self.rule.kind.lower()
        if prior.get("deletion_protection") is True:
            raise ProviderError(
                f"cannot destroy {noun} without setting deletion_protection=false and running "
                "`terraform apply`"
            )
        if prior.get("deletion_policy") == "PREVENT":
            raise ProviderError(f"cannot destroy {noun} {object_id} while its deletion_policy is PREVENT")
        if prior.get("deletion_policy") == "ABANDON":
            return
        self._strike("delete", object_id, "deleting")
        try:
            self.world.remove(self.name, object_id, to_world(self.block, prior))
        except LookupError:
            return
        except RefusedError as error:
            raise self._refused("deleting", str(error)) from error
        self._wait("delete", session)

    def import_(self, import_id: str, session: ProviderInstance) -> State:
        """The little that an import id tells; Terraform reads the rest."""
        self._strike("import", import_id, "importing")
        values = match_import(self.rule, import_id)
        for name in _LOCATIONS:
            if name in self.block.attributes and name not in values:
                location = session.location(name, values.get(self.rule.parent))
                if location is not None:
                    values[name] = location
        state: State = dict.fromkeys(self.block.type[1])
        for name, nested in self.block.blocks.items():
            state[name] = [] if nested.nesting in ("list", "set") else None
        state.update((name, value) for name, value in values.items() if name in self.block.attributes)
        own = all(name in values for name in self.rule.identity)
        template = self.rule.id if own else canonical_template(self.rule)
        title = f"/{values['condition_title']}" if "condition_title" in values else ""
        state["id"] = str(expand(template, Context(values.get, import_id, self.world.clock()))) + title
        return state

    def _plan_locations(
        self, planned: State, config: State, prior: State | None, session: ProviderInstance
    ) -> None:
        """Project, region and the like come from the provider's block if the resource names none."""
        parent = config.get(self.rule.parent) if self.rule.parent else None
        for name in _LOCATIONS:
            attribute = self.block.attributes.get(name)
            if attribute is None or not (attribute.optional and attribute.computed):
                continue
            if config.get(name) is not None or isinstance(parent, Unknown):
                continue
            location = session.location(name, parent)
            if location is not None and (prior is None or name == "project"):
                planned[name] = location

    def _plan_computed(self, planned: State) -> None:
        """Computed values that the provider can tell before the apply."""
        for name, template in self.rule.planned.items():
            needed = names_in(str(template))
            if isinstance(planned.get(name), Unknown) and all(is_known(planned.get(each)) for each in needed):
                planned[name] = expand(template, self._context(planned, ""))

    def _state(self, item: WorldObject, known_state: State) -> State:
        """The state that an object is, with what changes by itself and what an import could not tell."""
        state = from_world(self.block, item, known_state)
        context = self._context(state, str(self.world.clock()))
        if item.partial:
            for path, value in self.rule.defaults.items():
                assign_computed(self.block, state, path.split("."), value, only_null=True)
            for path, template in {**self.rule.planned, **self.rule.computed}.items():
                assign_computed(self.block, state, path.split("."), expand(template, context), only_null=True)
        for path, template in self.rule.volatile.items():
            assign_computed(self.block, state, path.split("."), expand(template, context))
        return state

    def _context(self, state: State, seed: str) -> Context:
        def highest(name: str) -> int:
            siblings = [
                item for item in self.world.list(self.name) if item.attributes.get(name) == state.get(name)
            ]
            numbers = [item.id.rsplit("/", 1)[-1] for item in siblings]
            return max((int(number) for number in numbers if number.isdigit()), default=0)

        return Context(state.get, f"{self.name}:{seed}", self.world.clock(), highest)

    def _require_locations(self, planned: State) -> None:
        """What neither the resource nor the provider names cannot be made up."""
        if "project" in self.rule.identity and isinstance(planned.get("project"), Unknown):
            raise ProviderError("Failed to retrieve project, pid: , err: project: required field is not set")
        if "region" in self.rule.identity and isinstance(planned.get("region"), Unknown):
            raise ProviderError(
                "Cannot determine region: set in this resource, or set provider-level 'region'"
            )

    def _strike(self, operation: str, object_id: str, doing: str) -> None:
        fault = self.world.faults.strike(self.name, object_id, operation)
        if fault is not None:
            raise self._refused(doing, fault.message)

    def _refused(self, doing: str, text: str) -> ProviderError:
        return ProviderError(text if text.startswith("Error ") else f"Error {doing} {self.rule.kind}: {text}")

    def _wait(self, operation: str, session: ProviderInstance) -> None:
        seconds = self.rule.delays.get(operation, 0.0)
        if seconds:
            session.stopped.wait(seconds * self.world.delay_scale)


def _plan_upload(planned: dict[str, Value], prior: Mapping[str, Value]) -> None:
    """Plan the computed attributes of an object whose content differs from that in the bucket."""
    content = planned.get("content")
    if isinstance(content, str) and planned.get("source") is None:
        digest = base64.b64encode(hashlib.md5(content.encode(), usedforsecurity=False).digest()).decode()
        if digest == prior.get("md5hash"):
            return
    elif planned.get("source") == prior.get("source") and content == prior.get("content"):
        return
    planned.update(dict.fromkeys(_CONTENT_ATTRIBUTES, UNKNOWN))
