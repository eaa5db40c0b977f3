"""Compares two versions of a resource and yields the leaves that differ, each with its path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.drift.model import Path
from orchestrator.masking import HIDDEN
from orchestrator.plan.attributes import holds_true, is_equal

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_ZERO: tuple[Any, ...] = (*_EMPTY, 0, 0.0, False)


@dataclass(frozen=True)
class DriftedLeaf:
    """One leaf. `raw_*` are unmasked and must not be rendered; `before` and `after` are masked."""

    path: Path
    raw_before: Any
    raw_after: Any
    before: Any
    after: Any


def find_drifted_leaves(
    before: Any, after: Any, masked_before: Any, masked_after: Any, path: Path = ()
) -> Iterator[DriftedLeaf]:
    """The leaves that differ, sorted by name. Values that are masked as a whole are not descended into.

    A list with added, removed or reordered members is a leaf itself: comparing by index would report the
    wrong members.
    """
    if is_equal(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        if isinstance(masked_before, dict) and isinstance(masked_after, dict):
            for key in sorted(before.keys() | after.keys()):
                yield from find_drifted_leaves(
                    before.get(key),
                    after.get(key),
                    masked_before.get(key),
                    masked_after.get(key),
                    (*path, key),
                )
            return
    elif (
        _have_same_blocks(before, after)
        and isinstance(masked_before, list)
        and isinstance(masked_after, list)
    ):
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from find_drifted_leaves(old, new, masked_before[at], masked_after[at], (*path, at))
        return
    if any(isinstance(side, str) and HIDDEN in side for side in (masked_before, masked_after)):
        # Hidden on one side is hidden on both: the value may be the same.
        masked_before, masked_after = hide(masked_before), hide(masked_after)
    yield DriftedLeaf(path, before, after, masked_before, masked_after)


def hide(masked_value: Any) -> Any:
    """Mask a value; null stays null."""
    return None if masked_value is None else HIDDEN


def _have_same_blocks(before: Any, after: Any) -> bool:
    """Whether two lists hold the same blocks at the same positions, some of them changed."""
    if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
        return False
    if not all(isinstance(block, dict) for block in (*before, *after)):
        return False
    old, new = ([json.dumps(block, sort_keys=True) for block in side] for side in (before, after))
    moved = {block for block, other in zip(old, new, strict=True) if block != other}
    return not moved & set(new)


def is_empty(value: Any) -> bool:
    """Whether a value is null or what providers return instead of null."""
    return any(is_equal(value, empty) for empty in _EMPTY)


def is_zero(value: Any) -> bool:
    """Whether a value is null or the zero value of a type, which providers store for unset attributes."""
    return any(is_equal(value, zero) for zero in _ZERO)


def is_equivalent(value: Any, other: Any, path: Path, sets: Callable[[Path], bool]) -> bool:
    """Equality in which null and a zero value are the same, except 0 and false where the code sets them.

    `sets` says whether the code sets a path. Lists are compared in order.
    """
    if is_equal(value, other) or (is_empty(value) and is_empty(other)):
        return True
    if is_zero(value) and is_zero(other):
        return not sets(path)
    if isinstance(value, dict) and isinstance(other, dict):
        return all(
            is_equivalent(value.get(key), other.get(key), (*path, key), sets) for key in value.keys() | other
        )
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return all(
            is_equivalent(*pair, (*path, at), sets) for at, pair in enumerate(zip(value, other, strict=True))
        )
    return False


def value_at(tree: Any, path: Path) -> Any:
    """The value at a path; None when there is none."""
    for key in path:
        if isinstance(tree, dict) and isinstance(key, str):
            tree = tree.get(key)
        elif isinstance(tree, list) and isinstance(key, int) and key < len(tree):
            tree = tree[key]
        else:
            return None
    return tree


def is_unknown(marks: Any, path: Path) -> bool:
    """Whether plan JSON's `after_unknown` marks a path, something above it, or something below it."""
    for key in path:
        if marks is True:
            return True
        marks = value_at(marks, (key,))
    return holds_true(marks)
