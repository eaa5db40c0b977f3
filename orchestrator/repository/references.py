"""What names the definitions of a folder's code use. Nothing is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.repository.hcl import Block, Expression, References

if TYPE_CHECKING:
    from orchestrator.repository.source import Source

# What is no argument of a resource but tells Terraform how to handle it.
META = frozenset({"depends_on", "provider", "providers", "lifecycle", "provisioner", "connection"})
REPEATS = frozenset({"for_each", "count"})


@dataclass(frozen=True)
class Body:
    """A block's arguments and the blocks inside; `repeats` is its `for_each`, `count` its `count`."""

    attributes: Mapping[str, Expression] = field(default_factory=dict)
    blocks: tuple[tuple[str, Body], ...] = ()
    repeats: Expression | None = None
    count: Expression | None = None

    def named(self, name: str) -> tuple[Body, ...]:
        """The blocks of a name directly inside, dynamic ones included."""
        return tuple(body for kind, body in self.blocks if kind == name)

    def references(self) -> References:
        """All that is used anywhere in it."""
        own = (*self.attributes.values(), self.repeats, self.count)
        below = (body.references() for _, body in self.blocks)
        return frozenset().union(*(part.references for part in own if part is not None), *below)


@dataclass(frozen=True)
class Definitions:
    """The definitions of a folder by name; resources and data sources by type and name."""

    locals: Mapping[str, Expression]
    outputs: Mapping[str, Expression]
    modules: Mapping[str, Body]
    resources: Mapping[tuple[str, str], Body]
    data: Mapping[tuple[str, str], Body]


def definitions(source: Source, folder: str) -> Definitions:
    """The definitions in a folder as Terraform merges them. What does not parse is left out."""
    module = source.module(folder)
    outputs = {name: block.expression("value") for name, block in module.outputs.items()}
    by_kind: dict[str, dict[tuple[str, str], Body]] = {"resource": {}, "data": {}}
    for (kind, type_name, name), block in module.resources.items():
        if kind in by_kind:
            by_kind[kind][type_name, name] = body_of(block)
    return Definitions(
        {name: attribute.expression for name, attribute in module.locals.items()},
        {name: value for name, value in outputs.items() if value is not None},
        {name: body_of(block) for name, block in module.calls.items()},
        by_kind["resource"],
        by_kind["data"],
    )


def body_of(block: Block) -> Body:
    """A block's arguments and nested blocks, without what is for Terraform alone."""
    attributes = {name: attribute.expression for name, attribute in block.attributes.items()}
    blocks: list[tuple[str, Body]] = []
    for nested in block.blocks:
        if nested.kind == "dynamic" and nested.labels:
            blocks.append((nested.labels[0], _dynamic(nested)))
        elif nested.kind not in META and not (nested.is_json and _is_object(attributes.get(nested.kind))):
            blocks.append((nested.kind, body_of(nested)))
    made = {kind for kind, _ in blocks}
    kept = {
        name: expression
        for name, expression in attributes.items()
        if name not in META and name not in REPEATS and name not in made and name != "dynamic"
    }
    return Body(kept, tuple(blocks), attributes.get("for_each"), attributes.get("count"))


def _dynamic(block: Block) -> Body:
    content = next(iter(block.of("content")), None)
    return replace(body_of(content) if content is not None else Body(), repeats=block.expression("for_each"))


def _is_object(expression: Expression | None) -> bool:
    """Whether a member of JSON is one object: a value, where a list of objects is a list of blocks."""
    return expression is not None and expression.elements is not None
