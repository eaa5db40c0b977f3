"""Which attributes of a resource change: raw values are compared, masked ones are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orchestrator.masking import HIDDEN, SecretSet
from orchestrator.plan.model import AttributeChange

_PLAIN = re.compile(r"[A-Za-z_][\w-]*")
_ABSENT = object()


@dataclass(frozen=True)
class _Side:
    """A value before or after, beside its masked form."""

    raw: Any
    masked: Any

    def below(self, key: str | int) -> _Side:
        return _Side(_item(self.raw, key), _item(self.masked, key))

    @property
    def is_open(self) -> bool:
        """Whether its parts may be looked at one by one: none is hidden as a whole, nor by its key."""
        if isinstance(self.masked, dict):
            return isinstance(self.raw, dict) and self.masked.keys() == self.raw.keys()
        return isinstance(self.masked, list)

    @property
    def is_nothing(self) -> bool:
        return self.raw is None or self.raw is _ABSENT

    @property
    def value(self) -> Any:
        return None if self.masked is _ABSENT else self.masked

    @property
    def known(self) -> Any:
        """The raw value; what is not there is null, as to Terraform."""
        return None if self.raw is _ABSENT else self.raw


@dataclass(frozen=True)
class ChangedLeaf:
    """One attribute that differs, raw. `unknown` is the tree of what in the new value is not known yet.

    Nothing of it is printed; `change` is the attribute as people may see it.
    """

    before: Any = field(repr=False)
    after: Any = field(repr=False)
    unknown: Any
    change: AttributeChange


def changed_attributes(
    before: Any, after: Any, unknown: Any, masked_before: Any, masked_after: Any
) -> tuple[AttributeChange, ...]:
    """The leaves that differ, sorted as Terraform sorts them.

    `unknown` is plan JSON's `after_unknown`; `masked_before` and `masked_after` are the masked trees.
    """
    return tuple(leaf.change for leaf in changed_leaves(before, after, unknown, masked_before, masked_after))


def changed_leaves(
    before: Any, after: Any, unknown: Any, masked_before: Any, masked_after: Any, *, null_items: bool = False
) -> Iterator[ChangedLeaf]:
    """The same leaves with their raw values, with `null_items` also a null that makes a list longer."""
    sides = _Side(before, masked_before), _Side(after, masked_after)
    return _compare(*sides, unknown, "", null_items=null_items)


def _compare(
    before: _Side, after: _Side, unknown: Any, path: str, *, null_items: bool = False
) -> Iterator[ChangedLeaf]:
    if unknown is True:
        yield _leaf(path, before, _Side(None, None), unknown=True)
        return
    partly = holds_true(unknown)
    if not partly and is_equal(before.raw, after.raw):
        return
    if before.is_nothing and after.is_nothing and not partly:
        return
    # An empty mapping or list has no parts to tell apart, and a hidden one must not show them.
    sides = [side for side in (before, after) if not side.is_nothing]
    keys = _keys(before.masked, after.masked, unknown)
    if keys and all(side.is_open for side in sides):
        for key in keys:
            below = before.below(key), after.below(key)
            at = join_path(path, key)
            yield from _compare(*below, _part(unknown, key), at, null_items=null_items)
            if null_items and isinstance(key, int) and _is_null_item(before.raw, after.raw, key):
                yield _leaf(at, *below, unknown=False)
    else:
        yield _leaf(path, before, after, unknown=unknown if partly else False)


def _is_null_item(before: Any, after: Any, index: int) -> bool:
    """Whether an item holds nothing but null in the one list and is not there in the other."""
    items = [_item(tree, index) for tree in (before, after)]
    return _ABSENT in items and any(item is None or (bool(item) and _is_hollow(item)) for item in items)


def _is_hollow(value: Any) -> bool:
    """Whether a value holds nothing but null, at any depth."""
    if isinstance(value, dict):
        return all(map(_is_hollow, value.values()))
    if isinstance(value, list):
        return all(map(_is_hollow, value))
    return value is None


def newly_marked(before: Any, after: Any) -> tuple[AttributeChange, ...]:
    """Attributes whose sensitive marks alone differ; `before` and `after` are the trees of marks."""
    sides = _Side(before or None, before or None), _Side(after or None, after or None)
    changes = (leaf.change for leaf in _compare(*sides, None, "") if True in (leaf.before, leaf.after))
    return tuple(AttributeChange(change.path, HIDDEN, HIDDEN, sensitive=True) for change in changes)


def is_equal(first: Any, second: Any) -> bool:
    """Equality of JSON values; to Python 1 and true are equal too."""
    if first != second or isinstance(first, bool) != isinstance(second, bool):
        return False
    if isinstance(first, dict):
        return all(is_equal(value, second[key]) for key, value in first.items())
    if isinstance(first, list):
        return all(map(is_equal, first, second))
    return True


def _leaf(path: str, before: _Side, after: _Side, *, unknown: Any) -> ChangedLeaf:
    old, new = before.value, after.value
    if HIDDEN in (old if isinstance(old, str) else "", new if isinstance(new, str) else ""):
        # Hidden on one side is hidden on both: the value may be the same.
        old = HIDDEN if old is not None else None
        new = HIDDEN if new is not None else None
    sensitive = contains_hidden(old) or contains_hidden(new)
    change = AttributeChange(path, old, new, sensitive, unknown is True)
    return ChangedLeaf(before.known, after.known, unknown, change)


def contains_hidden(value: Any) -> bool:
    """Whether a masked value contains a hidden part."""
    if isinstance(value, dict):
        return any(map(contains_hidden, value.values()))
    if isinstance(value, list):
        return any(map(contains_hidden, value))
    return isinstance(value, str) and HIDDEN in value


def holds_true(unknown: Any) -> bool:
    """Whether anything in a tree of marks is marked."""
    if isinstance(unknown, dict):
        return any(map(holds_true, unknown.values()))
    if isinstance(unknown, list):
        return any(map(holds_true, unknown))
    return unknown is True


def _keys(*trees: Any) -> list[str | int]:
    """The names, or the indices, that any of the trees has."""
    mappings = [tree for tree in trees if isinstance(tree, dict)]
    if mappings:
        return sorted({key for tree in mappings for key in tree})
    return list(range(max((len(tree) for tree in trees if isinstance(tree, list)), default=0)))


def _item(tree: Any, key: str | int) -> Any:
    if isinstance(tree, dict):
        return tree.get(key, _ABSENT) if isinstance(key, str) else _ABSENT
    if isinstance(tree, list) and isinstance(key, int):
        return tree[key] if key < len(tree) else _ABSENT
    return _ABSENT


def _part(unknown: Any, key: str | int) -> Any:
    part = _item(unknown, key)
    return None if part is _ABSENT else part


def join_path(path: str, key: str | int) -> str:
    """A path one step longer, as people write it: `env[0].value`, `labels["a b"]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN.fullmatch(key):
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key


def join_parts(parts: list[Any]) -> str:
    """A path of plan JSON's `replace_paths`, as people write it."""
    path = ""
    for part in parts:
        path = join_path(path, part)
    return path


def mask_secrets(value: Any, secrets: SecretSet) -> Any:
    """A masked tree from which also copies of secrets that stand elsewhere are taken out."""
    if isinstance(value, str):
        return secrets.hide(value)
    if isinstance(value, dict):
        return {key: mask_secrets(below, secrets) for key, below in value.items()}
    if isinstance(value, list):
        return [mask_secrets(item, secrets) for item in value]
    return value
