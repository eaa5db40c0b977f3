"""What an apply computes: unknown values become the values that an API would return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.sandbox.provider.rules import ResourceRule
from orchestrator.sandbox.provider.schema import SchemaBlock
from orchestrator.sandbox.provider.templates import Context, expand
from orchestrator.sandbox.provider.values import Type, Unknown, Value, default_of, from_json


class ComputedValues:
    """The computed values of one resource. They may be made of others; a circle ends in empty text."""

    def __init__(
        self, block: SchemaBlock, rule: ResourceRule, planned: Mapping[str, Value], context: Context
    ) -> None:
        self._block = block
        self._rule = rule
        self._planned = planned
        self._seed = context.seed
        self._done: dict[str, Value] = {}
        self._busy: set[str] = set()
        self.context = replace(context, attribute=self._attribute)

    def object_id(self) -> str:
        """The id that the attributes give."""
        if "id" not in self._done:
            self._done["id"] = str(expand(self._rule.id, self.context)) + self._condition_title()
        return str(self._done["id"])

    def _condition_title(self) -> str:
        """Access under a condition is something else than access without: its title is part of the id."""
        conditions = self._planned.get("condition") if self._rule.iam in ("member", "binding") else None
        return f"/{conditions[0]['title']}" if conditions else ""

    def state(self, object_id: str, *, changing: bool = False) -> dict[str, Value]:
        """The whole state, known everywhere; `changing` also renews what changes with each update."""
        self._done["id"] = object_id
        state = {name: self._attribute(name) for name in self._block.attributes}
        for name, nested in self._block.blocks.items():
            state[name] = self._inside(nested.block, nested.nesting, self._planned.get(name), name)
        if "id" in state:
            state["id"] = object_id
        if changing:
            old = replace(self.context, attribute=self._planned.get)
            for name, template in self._rule.updated.items():
                if isinstance(self._planned.get(name), Unknown):
                    continue
                state[name] = from_json(expand(template, old), self._block.attributes[name].type)
        return state

    def _attribute(self, name: str) -> Value:
        """The value of a top-level attribute, worked out when it is first requested."""
        if name in self._done:
            return self._done[name]
        if name in self._busy:
            return ""
        self._busy.add(name)
        value = self._planned.get(name)
        attribute = self._block.attributes.get(name)
        if name == "id":
            value = self.object_id()
        elif isinstance(value, Unknown) and attribute is not None:
            value = self._invented(name, attribute.type)
        elif attribute is not None and attribute.nested is not None:
            value = self._inside(attribute.nested, str(attribute.nesting), value, name)
        self._busy.discard(name)
        self._done[name] = value
        return value

    def _invented(self, path: str, type_: Type) -> Value:
        template = self._rule.computed.get(path, self._rule.planned.get(path))
        if template is None:
            return default_of(type_)
        context = replace(self.context, seed=f"{self._seed}:{path}")
        return from_json(expand(template, context), type_)

    def _inside(self, block: SchemaBlock, nesting: str, value: Value, path: str) -> Value:
        """A nested block or attribute with its unknown values computed."""
        if isinstance(value, list):
            return [self._object(block, item, path) for item in value]
        if isinstance(value, dict) and nesting == "map":
            return {key: self._object(block, item, path) for key, item in value.items()}
        return self._object(block, value, path)

    def _object(self, block: SchemaBlock, value: Value, path: str) -> Value:
        if not isinstance(value, dict):
            return value
        known: dict[str, Value] = {}
        for name, attribute in block.attributes.items():
            item = value.get(name)
            if isinstance(item, Unknown):
                item = self._invented(f"{path}.{name}", attribute.type)
            elif attribute.nested is not None:
                item = self._inside(attribute.nested, str(attribute.nesting), item, f"{path}.{name}")
            known[name] = item
        for name, nested in block.blocks.items():
            known[name] = self._inside(nested.block, nested.nesting, value.get(name), f"{path}.{name}")
        return known


def assign_computed(
    block: SchemaBlock, state: dict[str, Any], names: list[str], value: Any, *, only_null: bool = False
) -> None:
    """Set the attribute at a dotted path, in each block on the way; `only_null`: where nothing is set."""
    name, rest = names[0], names[1:]
    if rest:
        nested = block.blocks.get(name)
        inner = state.get(name)
        for item in inner if isinstance(inner, list) else [inner]:
            if nested is not None and isinstance(item, dict):
                assign_computed(nested.block, item, rest, value, only_null=only_null)
        return
    attribute = block.attributes.get(name)
    if attribute is None:
        return
    current = state.get(name)
    if not only_null or current is None or (isinstance(current, Unknown) and attribute.computed):
        state[name] = from_json(value, attribute.type)
