"""One resource type in one world: plan, create, read, update, delete and import."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.provider.labels import plan_labels
from orchestrator.sandbox.provider.planning import Path, complete, replaced_by
from orchestrator.sandbox.provider.rules import Rule
from orchestrator.sandbox.provider.schema import Block
from orchestrator.sandbox.provider.session import ProviderError, Session
from orchestrator.sandbox.provider.settling import Settling, assign
from orchestrator.sandbox.provider.templates import Context, expand, names_in
from orchestrator.sandbox.provider.values import (
    Unknown,
    Value,
    ValueTypeError,
    canonical,
    from_json,
    is_known,
    to_json,
)
from orchestrator.sandbox.world.world import AlreadyExistsError, World

State = dict[str, Value]
_PLACES = ("project", "location", "region", "zone")
_sequence = itertools.count()


@dataclass(frozen=True)
class ResourceType:
    """A resource type of a provider, with what is known of its behaviour, in a world."""

    provider: str
    name: str
    block: Block
    rule: Rule
    world: World

    def plan(
        self, prior: State | None, config: State, proposed: State, session: Session
    ) -> tuple[State, list[Path]]:
        """The planned state, and the paths that force a replacement."""
        self._strike("plan", str((prior or {}).get("id") or ""), "planning")
        planned = complete(self.block, proposed, prior, self.rule.kept)
        for path, value in self.rule.defaults.items():
            assign(self.block, planned, path.split("."), value, only_null=True)
        self._plan_places(planned, config, prior, session)
        plan_labels(self.block, planned, prior, session)
        if prior is None:
            self._plan_computed(planned, session)
            return planned, []
        if canonical(planned, self.block.type) == canonical(prior, self.block.type):
            return prior, []
        return planned, replaced_by(self.block, prior, planned, self.rule.replace)

    def create(self, planned: State, session: Session) -> State:
        """Make it, under the id that its attributes give it."""
        now = self.world.clock()
        settling = Settling(
            self.block, self.rule, planned, self._context(planned, f"{now}:{next(_sequence)}")
        )
        object_id = settling.object_id()
        self._strike("create", object_id, "creating")
        self._require_places(planned)
        state = settling.state(object_id)
        attributes = self._to_world(state)
        try:
            item = self.world.create(self.provider, self.name, object_id, attributes)
        except AlreadyExistsError:
            if not self.rule.adopt:
                text = expand(self.rule.exists, settling.context)
                raise self._refused("creating", f"googleapi: Error 409: {text}") from None
            item = self.world.update(self.name, object_id, attributes)
        self._wait("create", session)
        return self._from_world(item.attributes, planned)

    def read(self, state: State) -> State | None:
        """What the world holds now, or None when it is gone."""
        object_id = str(state.get("id") or "")
        self._strike("read", object_id, "reading")
        item = self.world.find(self.name, object_id)
        return None if item is None else self._from_world(item.attributes, state)

    def update(self, prior: State, planned: State, session: Session) -> State:
        """Change it in place."""
        object_id = str(prior.get("id") or "")
        self._strike("update", object_id, "updating")
        settling = Settling(
            self.block, self.rule, planned, self._context(planned, f"{object_id}:{self.world.clock()}")
        )
        state = settling.state(object_id, changing=True)
        try:
            item = self.world.update(self.name, object_id, self._to_world(state))
        except LookupError:
            raise self._refused(
                "updating", f"googleapi: Error 404: Resource '{object_id}' was not found, notFound"
            ) from None
        self._wait("update", session)
        return self._from_world(item.attributes, planned)

    def delete(self, prior: State, session: Session) -> None:
        """Take it away. What is gone already is no error, as with the real provider."""
        object_id = str(prior.get("id") or "")
        if prior.get("deletion_protection") is True:
            raise ProviderError(
                f"cannot destroy {self.rule.kind.lower()} without setting deletion_protection=false and running "
                "`terraform apply`"
            )
        if prior.get("deletion_policy") == "PREVENT":
            raise ProviderError(
                f"cannot destroy {self.rule.kind.lower()} {object_id} while its deletion_policy is PREVENT"
            )
        if prior.get("deletion_policy") == "ABANDON":
            return
        self._strike("delete", object_id, "deleting")
        try:
            self.world.remove(self.name, object_id, self._to_world(prior))
        except LookupError:
            return
        self._wait("delete", session)

    def import_(self, import_id: str, session: Session) -> State:
        """The little that an import id tells; Terraform reads the rest."""
        self._strike("import", import_id, "importing")
        values = self._match_import(import_id)
        for name in _PLACES:
            if name in self.block.attributes and name not in values:
                place = session.place(name, values.get(self.rule.parent))
                if place is not None:
                    values[name] = place
        named = {name: value for name, value in values.items() if name in self.block.attributes}
        state: State = {name: None for name in self.block.type[1]}
        state.update(
            {name: [] for name, each in self.block.blocks.items() if each.nesting in ("list", "set")}
        )
        state.update(named)
        own = self.rule.id if all(name in values for name in self.rule.identity) else self.rule.imports[0]
        state["id"] = expand(own, Context(lambda name: values.get(name), import_id, self.world.clock()))
        return state

    def _match_import(self, import_id: str) -> dict[str, str]:
        patterns = [import_pattern(each) for each in self.rule.imports]
        resource, extra = import_id, {}
        if self.rule.iam in ("member", "binding"):
            resource, extra = self._iam_parts(import_id)
        for pattern in patterns:
            match = re.fullmatch(pattern, resource)
            if match:
                return {**match.groupdict(), **extra}
        raise ProviderError(
            f'Import id "{resource}" doesn\'t match any of the accepted formats: [{" ".join(patterns)}]'
        )

    def _iam_parts(self, import_id: str) -> tuple[str, dict[str, str]]:
        """`RESOURCE ROLE [MEMBER]` of an IAM import."""
        parts = import_id.split()
        if self.rule.iam == "member":
            if len(parts) < 3:
                raise ProviderError(
                    f"Wrong number of parts to Member id [{' '.join(parts)}]; expected 'resource_name role member "
                    "[condition_title]'"
                )
            return parts[0], {"role": parts[1], "member": parts[2]}
        if len(parts) < 2:
            raise ProviderError(
                f"Wrong number of parts to Binding id [{' '.join(parts)}]; expected 'resource_name role "
                "[condition_title]'"
            )
        return parts[0], {"role": parts[1]}

    def _plan_places(self, planned: State, config: State, prior: State | None, session: Session) -> None:
        """Project, region and the like come from the provider's configuration when the resource names none."""
        for name in _PLACES:
            attribute = self.block.attributes.get(name)
            if (
                attribute is None
                or not (attribute.optional and attribute.computed)
                or config.get(name) is not None
            ):
                continue
            parent = config.get(self.rule.parent) if self.rule.parent else None
            if isinstance(parent, Unknown):
                continue
            place = session.place(name, parent)
            if place is not None and (prior is None or name == "project"):
                planned[name] = place

    def _plan_computed(self, planned: State, session: Session) -> None:
        """Computed values that the provider can tell before the apply."""
        for name, template in self.rule.planned.items():
            needed = names_in(str(template))
            if isinstance(planned.get(name), Unknown) and all(is_known(planned.get(each)) for each in needed):
                planned[name] = expand(template, self._context(planned, ""))

    def _context(self, state: State, seed: str) -> Context:
        def highest(name: str) -> int:
            siblings = [
                item.id for item in self.world.list(self.name) if item.attributes.get(name) == state.get(name)
            ]
            numbers = [id_.rsplit("/", 1)[-1] for id_ in siblings]
            return max((int(number) for number in numbers if number.isdigit()), default=0)

        return Context(state.get, f"{self.name}:{seed}", self.world.clock(), highest)

    def _require_places(self, planned: State) -> None:
        for name in ("project", "region"):
            if name in self.rule.identity and isinstance(planned.get(name), Unknown):
                if name == "project":
                    raise ProviderError(
                        "Failed to retrieve project, pid: , err: project: required field is not set"
                    )
                raise ProviderError(
                    f"Cannot determine {name}: set in this resource, or set provider-level '{name}'"
                )

    def _to_world(self, state: Mapping[str, Value]) -> dict[str, Any]:
        data: dict[str, Any] = to_json(dict(state), self.block.type)
        data.pop("timeouts", None)
        return data

    def _from_world(self, attributes: Mapping[str, Any], known: State) -> State:
        """A state of what the world holds; `timeouts` are Terraform's own, never the world's."""
        try:
            state: State = from_json(dict(attributes), self.block.type)
        except ValueTypeError as error:
            raise ProviderError(
                f"The sandbox's world holds a value of the wrong type: {self.name}: {error}",
                "Somebody edited its file by hand. Mend it, or delete the file.",
            ) from error
        for name, nested in self.block.blocks.items():
            if state.get(name) is None and nested.nesting in ("list", "set"):
                state[name] = []
        if "timeouts" in state:
            state["timeouts"] = known.get("timeouts")
        if self.rule.volatile:
            context = self._context(state, str(self.world.clock()))
            for path, template in self.rule.volatile.items():
                assign(self.block, state, path.split("."), expand(template, context))
        return state

    def _strike(self, operation: str, object_id: str, doing: str) -> None:
        fault = self.world.faults.strike(self.name, object_id, operation)
        if fault is not None:
            raise self._refused(doing, fault.message)

    def _refused(self, doing: str, text: str) -> ProviderError:
        return ProviderError(f"Error {doing} {self.rule.kind}: {text}")

    def _wait(self, operation: str, session: Session) -> None:
        seconds = self.rule.delays.get(operation, 0.0)
        if seconds:
            session.stopped.wait(seconds * self.world.delay_scale)


def import_pattern(template: str) -> str:
    """The regular expression of an import format, as Google's provider prints it."""
    out, position = "", 0
    for match in re.finditer(r"\{(?:\w+:)?(\w+)\}", template):
        out += re.escape(template[position : match.start()]).replace("\\-", "-")
        out += f"(?P<{match.group(1)}>{'.+' if match.group(1) == 'id' else '[^/]+'})"
        position = match.end()
    return f"^{out}{re.escape(template[position:])}$"
