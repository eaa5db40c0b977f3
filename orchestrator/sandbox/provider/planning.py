"""What of a plan follows from the schema alone: what becomes known after apply, what is replaced.

Terraform hands over the proposed new state, in which computed values of the prior state are already kept.
What is left: on a create each computed value that is not set becomes unknown; on an update only those in
nested objects that have no counterpart in the prior state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.sandbox.provider.schema import NestedBlock, SchemaAttribute, SchemaBlock
from orchestrator.sandbox.provider.values import UNKNOWN, Type, Unknown, Value, is_empty, same

Step = str | int  # an attribute's name, an index or a map's key
Path = tuple[Step, ...]

# These belong to Terraform's side of the provider, and a change of them never replaces anything.
_NEVER_REPLACED = frozenset({"timeouts", "deletion_policy", "deletion_protection", "force_destroy"})


@dataclass(frozen=True)
class _Nest:
    """A nested block or nested attribute."""

    nesting: str
    block: SchemaBlock


def complete(
    block: SchemaBlock,
    proposed: Mapping[str, Value],
    prior: Mapping[str, Value] | None,
    computed_blocks: frozenset[str],
    at: str = "",
) -> dict[str, Value]:
    """The planned state; `computed_blocks` are dotted paths of blocks that stay when nobody sets them."""
    planned: dict[str, Value] = {}
    for name, attribute in block.attributes.items():
        value = proposed.get(name)
        before = prior.get(name) if prior is not None else None
        nest = _nest_of(attribute)
        if value is None and attribute.computed and prior is None:
            value = UNKNOWN
        elif value is None and before is not None and is_empty(before) and not attribute.computed:
            value = before
        elif nest is not None:
            value = _complete_nest(nest, value, before, computed_blocks, f"{at}{name}.")
        planned[name] = value
    for name, nested in block.blocks.items():
        value = proposed.get(name)
        before = prior.get(name) if prior is not None else None
        if not value and before and at + name in computed_blocks:
            planned[name] = before
        else:
            planned[name] = _complete_nest(
                _Nest(nested.nesting, nested.block), value, before, computed_blocks, f"{at}{name}."
            )
    return planned


def _nest_of(attribute: SchemaAttribute) -> _Nest | None:
    return None if attribute.nested is None else _Nest(str(attribute.nesting), attribute.nested)


def _complete_nest(
    nest: _Nest, value: Value, before: Value, computed_blocks: frozenset[str], at: str
) -> Value:
    """The planned value of all the blocks of one name, each matched with its counterpart."""
    if isinstance(before, Unknown):
        before = None
    if isinstance(value, dict) and nest.nesting in ("single", "group"):
        return complete(nest.block, value, before, computed_blocks, at)
    if isinstance(value, dict):
        return {
            key: _complete_item(nest, item, (before or {}).get(key), computed_blocks, at)
            for key, item in value.items()
        }
    if isinstance(value, list):
        if nest.nesting == "set":
            return [
                _complete_item(nest, item, _counterpart(nest.block, item, before), computed_blocks, at)
                for item in value
            ]
        olds = [*(before or []), *([None] * len(value))]
        return [
            _complete_item(nest, item, old, computed_blocks, at)
            for item, old in zip(value, olds, strict=False)
        ]
    return value


def _complete_item(
    nest: _Nest, item: Value, before: Value, computed_blocks: frozenset[str], at: str
) -> Value:
    if not isinstance(item, dict):
        return item
    return complete(nest.block, item, before if isinstance(before, dict) else None, computed_blocks, at)


def _counterpart(block: SchemaBlock, item: Value, before: Value) -> Value:
    """The element of the prior set that the element was, judged by what the configuration says."""
    if not isinstance(item, dict):
        return None
    for old in before or []:
        if all(
            (attribute.computed and item.get(name) is None)
            or same(item.get(name), old.get(name), attribute.type)
            for name, attribute in block.attributes.items()
        ) and all(same(item.get(name), old.get(name), nested.type) for name, nested in block.blocks.items()):
            return old
    return None


def replacement_paths(
    block: SchemaBlock, prior: Mapping[str, Value], planned: Mapping[str, Value], patterns: Iterable[str]
) -> list[Path]:
    """The paths that changed and force a replacement. A pattern is a dotted path; `*` is every argument."""
    paths: list[Path] = []
    for pattern in sorted(set(patterns)):
        names = _arguments(block) if pattern == "*" else [pattern]
        for name in names:
            for path in _changed(block, prior, planned, name.split("."), ()):
                if path not in paths:
                    paths.append(path)
    return paths


def _arguments(block: SchemaBlock) -> list[str]:
    names = [name for name, each in block.attributes.items() if not each.is_read_only and name != "id"]
    return sorted({*names, *block.blocks} - _NEVER_REPLACED)


def _changed(
    block: SchemaBlock, prior: Mapping[str, Value], planned: Mapping[str, Value], names: list[str], at: Path
) -> Iterator[Path]:
    """The paths below `at` where the two differ at the path `names`."""
    name, rest = names[0], names[1:]
    type_ = _type_of(block, name)
    if type_ is None or same(prior.get(name), planned.get(name), type_):
        return
    path = (*at, name)
    nested = block.blocks.get(name)
    if not rest or nested is None:
        yield path
        return
    yield from _changed_inside(nested, prior.get(name), planned.get(name), rest, path)


def _changed_inside(
    nested: NestedBlock, before: Value, after: Value, rest: list[str], path: Path
) -> Iterator[Path]:
    if isinstance(before, dict) and isinstance(after, dict) and nested.nesting in ("single", "group"):
        yield from _changed(nested.block, before, after, rest, path)
    elif (
        isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
        and nested.nesting == "list"
    ):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changed(nested.block, old, new, rest, (*path, index))
    else:
        # Blocks came or went, or it is a set, whose elements have no position: the whole of it changed.
        yield path


def _type_of(block: SchemaBlock, name: str) -> Type | None:
    if name in block.attributes:
        return block.attributes[name].type
    if name in block.blocks:
        return block.blocks[name].type
    return None
