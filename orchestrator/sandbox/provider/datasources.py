"""Data sources: they look into the world, and a few well-known ones have answers of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.provider.computed import assign_computed
from orchestrator.sandbox.provider.resources import ResourceType
from orchestrator.sandbox.provider.rules import data_sources
from orchestrator.sandbox.provider.schema import SchemaBlock
from orchestrator.sandbox.provider.session import ProviderError, ProviderInstance
from orchestrator.sandbox.provider.templates import Context, expand
from orchestrator.sandbox.provider.values import Value, default_of, from_json
from orchestrator.sandbox.world.world import World

State = dict[str, Value]
_LOCATIONS = ("project", "location", "region", "zone")


@dataclass(frozen=True)
class DataSource:
    """A data source of a provider; `resource` is the resource type of the same name, if there is one."""

    name: str
    block: SchemaBlock
    world: World
    resource: ResourceType | None

    def read(self, config: State, session: ProviderInstance) -> State:
        """The data source's answer to its arguments."""
        arguments = dict(config)
        for location in _LOCATIONS:
            attribute = self.block.attributes.get(location)
            if attribute is not None and attribute.optional and arguments.get(location) is None:
                arguments[location] = session.location(location)
        if self.name == "google_iam_policy":
            arguments["policy_data"] = policy_data(arguments)
        if self.name in data_sources():
            return self._answer(arguments, data_sources()[self.name], session)
        if self.resource is not None:
            return self._look_up(arguments, self.resource)
        return self._answer(arguments, {}, session)

    def _look_up(self, arguments: State, resource: ResourceType) -> State:
        """The object of the world that the arguments identify, as this data source shows it."""
        rule, seed = resource.rule, json.dumps(str(arguments))
        filled = self._guess_identity(arguments, resource)
        context = Context(lambda name: filled.get(name), seed, self.world.clock())
        object_id = str(expand(rule.id, context))
        item = self.world.find(resource.name, object_id)
        if item is None:
            raise ProviderError(
                f"Error when reading or editing {rule.kind} {object_id}: googleapi: Error 404: Resource "
                f"'{object_id}' was not found, notFound"
            )
        state: State = dict(arguments)
        for name, attribute in self.block.attributes.items():
            if state.get(name) is None:
                value = item.attributes.get(name)
                state[name] = (
                    default_of(attribute.type) if value is None else from_json(value, attribute.type)
                )
        for name, nested in self.block.blocks.items():
            if not state.get(name) and name in item.attributes:
                state[name] = from_json(item.attributes[name], nested.type)
        return state

    def _guess_identity(self, arguments: State, resource: ResourceType) -> State:
        """The arguments, and what the resource type computes from them at plan time (an account's e-mail)."""
        filled = dict(arguments)
        parent = filled.get(resource.rule.parent)
        for location in _LOCATIONS:
            if isinstance(parent, str) and location in resource.block.attributes:
                filled[location] = ProviderInstance().location(location, parent) or filled.get(location)
        for name, template in resource.rule.planned.items():
            if filled.get(name) is None:
                filled[name] = expand(
                    template, Context(lambda each: filled.get(each), "", self.world.clock())
                )
        return filled

    def _answer(self, arguments: State, templates: Mapping[str, Any], session: ProviderInstance) -> State:
        """An answer made of the arguments, of templates, and of empty values for the rest."""
        state: State = {name: arguments.get(name) for name in self.block.type[1]}
        seed = json.dumps([self.name, str(arguments)])

        def known(name: str) -> Value:
            value = state.get(name)
            return session.location(name) if value is None and name in _LOCATIONS else value

        context = Context(known, seed, self.world.clock())
        for path, template in templates.items():
            assign_computed(self.block, state, path.split("."), expand(template, context), only_null=True)
        for name, attribute in self.block.attributes.items():
            if attribute.computed and state.get(name) is None:
                made_up = expand("{hash:16}", context) if name == "id" else None
                state[name] = made_up or default_of(attribute.type)
        return state


def policy_data(arguments: Mapping[str, Value]) -> Value:
    """The JSON of an IAM policy made of `binding` and `audit_config` blocks, in a fixed order."""
    document: dict[str, Any] = {}
    bindings = []
    for binding in arguments.get("binding") or []:
        entry: dict[str, Any] = {"members": sorted(binding["members"] or []), "role": binding["role"]}
        for condition in binding.get("condition") or []:
            entry["condition"] = {name: text for name, text in sorted(condition.items()) if text}
        bindings.append(entry)
    if bindings:
        document["bindings"] = sorted(
            bindings, key=lambda each: (each["role"], json.dumps(each, sort_keys=True))
        )
    audits = [
        {
            "auditLogConfigs": [
                {"exemptedMembers": sorted(log["exempted_members"] or []), "logType": log["log_type"]}
                if log.get("exempted_members")
                else {"logType": log["log_type"]}
                for log in audit["audit_log_configs"]
            ],
            "service": audit["service"],
        }
        for audit in arguments.get("audit_config") or []
    ]
    if audits:
        document["auditConfigs"] = sorted(audits, key=lambda each: str(each["service"]))
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
