"""The leaves of a resource that differ between the state and the world, each with its path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.masking import HIDDEN
from orchestrator.plan.drift_model import Path

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_ZERO: tuple[Any, ...] = (*_EMPTY, 0, 0.0, False)


@dataclass(frozen=True)
class Leaf:
    """One leaf. `raw_*` are as they are and never leave; `before` and `after` are masked."""

    path: Path
    raw_before: Any
    raw_after: Any
    before: Any
    after: Any


def leaves(before: Any, after: Any, shown_before: Any, shown_after: Any, path: Path = ()) -> Iterator[Leaf]:
    """What differs, sorted by name. Nothing is looked into that masking hides as a whole.

    A list whose members came, went or moved is a leaf itself: to tell them apart by index would name the
    wrong ones.
    """
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        if isinstance(shown_before, dict) and isinstance(shown_after, dict):
            for key in sorted(before.keys() | after.keys()):
                yield from leaves(
                    before.get(key),
                    after.get(key),
                    shown_before.get(key),
                    shown_after.get(key),
                    (*path, key),
                )
            return
    elif _in_step(before, after) and isinstance(shown_before, list) and isinstance(shown_after, list):
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from leaves(old, new, shown_before[at], shown_after[at], (*path, at))
        return
    if any(isinstance(one, str) and HIDDEN in one for one in (shown_before, shown_after)):
        # Hidden on one side is hidden on both: the value may be the same.
        shown_before, shown_after = hidden(shown_before), hidden(shown_after)
    yield Leaf(path, before, after, shown_before, shown_after)


def hidden(shown: Any) -> Any:
    """A value beside which the same attribute is hidden."""
    return None if shown is None else HIDDEN


def _in_step(before: Any, after: Any) -> bool:
    """Whether two lists hold the same blocks in the same places, some of them changed."""
    if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
        return False
    if not all(isinstance(one, dict) for one in (*before, *after)):
        return False
    old, new = ([json.dumps(one, sort_keys=True) for one in side] for side in (before, after))
    moved = {one for one, other in zip(old, new, strict=True) if one != other}
    return not moved & set(new)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values; to Python 1 and true are equal too."""
    if one != other or isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, dict):
        return all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(map(same, one, other))
    return True


def is_empty(value: Any) -> bool:
    """Null, and what providers give in its place."""
    return any(same(value, one) for one in _EMPTY)


def is_zero(value: Any) -> bool:
    """Null, or the zero value of a type: what a provider stores for an attribute that nobody set."""
    return any(same(value, one) for one in _ZERO)


def alike(one: Any, other: Any, path: Path, sets: Callable[[Path], bool]) -> bool:
    """Equality in which null and a zero value are the same, except 0 and false where the code sets them.

    `sets` says whether the code sets a path. Lists are compared in order.
    """
    if same(one, other) or (is_empty(one) and is_empty(other)):
        return True
    if is_zero(one) and is_zero(other):
        return not sets(path)
    if isinstance(one, dict) and isinstance(other, dict):
        return all(alike(one.get(key), other.get(key), (*path, key), sets) for key in one.keys() | other)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(alike(*pair, (*path, at), sets) for at, pair in enumerate(zip(one, other, strict=True)))
    return False


def part(tree: Any, path: Path) -> Any:
    """What stands at a path; None when nothing does."""
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
        marks = part(marks, (key,))
    return _holds_true(marks)


def _holds_true(marks: Any) -> bool:
    if isinstance(marks, dict):
        return any(map(_holds_true, marks.values()))
    if isinstance(marks, list):
        return any(map(_holds_true, marks))
    return marks is True


def shows_hidden(value: Any) -> bool:
    """Whether something in a masked value is hidden."""
    if isinstance(value, dict):
        return any(map(shows_hidden, value.values()))
    if isinstance(value, list):
        return any(map(shows_hidden, value))
    return isinstance(value, str) and HIDDEN in value
