"""What a plan's own `configuration` says that the code of a resource sets.

It knows neither `dynamic` blocks nor `ignore_changes`: it stands in where the code itself is not at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.plan.drift_model import Written

NOTHING = Written()


def written_in(raw: Mapping[str, Any], address: str) -> Written:
    """What is set of the resource with that address, which has no indices."""
    module = (raw.get("configuration") or {}).get("root_module") or {}
    rest = address
    while rest.startswith("module."):
        _, name, rest = rest.split(".", 2)
        module = ((module.get("module_calls") or {}).get(name) or {}).get("module") or {}
    for one in module.get("resources") or ():
        if one.get("address") == rest:
            return Written(frozenset(_paths(one.get("expressions") or {}, ())))
    return NOTHING


def _paths(expressions: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, value in expressions.items():
        blocks = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        if _is_expression(value):
            yield (*above, name)
            continue
        for block in blocks:
            if isinstance(block, dict):
                yield from _paths(block, (*above, name))


def _is_expression(value: Any) -> bool:
    """An attribute's value; a block has the names of its attributes instead. A null has nothing at all."""
    return isinstance(value, dict) and ("constant_value" in value or "references" in value)
