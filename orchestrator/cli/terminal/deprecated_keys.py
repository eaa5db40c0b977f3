"""Keys of `--json` that have a new name: until 1.0 the old one is written beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RenamedKey:
    """A key that has a new name in the documents of some commands.

    `parents` are the keys that lead to it; lists and mappings in between are gone through. `values` maps
    its values, or the keys of a mapping, to their old names where they have new ones.
    """

    commands: tuple[str, ...]
    parents: tuple[str, ...]
    name: str
    old: str
    values: Mapping[str, str] = field(default_factory=dict)


_DRIFT = ("drift", "drift --fix", "ci apply --drift")
_RECORDS = ("drift --last", "drift history")
_REVIEWS = ("ci plan", "ci comment", "plan --review")
_CLASS = {"unapplied": "owed"}
_ENDINGS = {
    "reverted by a remediation": "reverted by a correction",
    "accepted by a remediation": "accepted by a correction",
}
_RESOURCES = ("stacks", "resources")
_EPISODES = ("stacks", "episodes")

RENAMED_KEYS = (
    RenamedKey(("affected",), (), "dependents", "followers"),
    RenamedKey(("status",), ("stacks",), "status", "standing"),
    RenamedKey(("test",), ("modules",), "cached", "kept"),
    RenamedKey(("ci compare", "ci approve"), (), "pending", "owed"),
    RenamedKey(("ci apply",), ("environments",), "pending", "owed"),
    RenamedKey(("ci apply",), ("environments",), "hold_reason", "held"),
    RenamedKey(("ci apply",), ("environments", "checks"), "message", "words"),
    RenamedKey(("ci compare",), (), "ticket", "seal"),
    RenamedKey(("ci compare",), (), "hold_reason", "held"),
    RenamedKey(("ci approve",), (), "workflows_held", "held"),
    RenamedKey(("ci chat",), (), "request", "asked"),
    RenamedKey(_REVIEWS, (), "unpublished", "not_told"),
    RenamedKey(_REVIEWS, ("stacks",), "relation", "change", {"dependent": "follower"}),
    RenamedKey(_DRIFT, ("stacks",), "remediation", "correction"),
    RenamedKey(_DRIFT, ("stacks",), "ending", "ended", _ENDINGS),
    RenamedKey(_DRIFT, ("stacks", "counts"), "unapplied", "owed"),
    RenamedKey(_DRIFT, _RESOURCES, "drift_class", "class", _CLASS),
    RenamedKey(_DRIFT, _RESOURCES, "difference", "kind", _CLASS),
    RenamedKey(_DRIFT, (*_RESOURCES, "attributes"), "drift_class", "class", _CLASS),
    RenamedKey(("drift --fix",), (), "remediations", "corrections"),
    RenamedKey(_RECORDS, _EPISODES, "ending", "how", _ENDINGS),
    RenamedKey(_RECORDS, (*_EPISODES, "resources"), "drift_class", "category", _CLASS),
    RenamedKey(_RECORDS, (*_EPISODES, "resources"), "difference", "kind", _CLASS),
    RenamedKey(("drift history",), ("figures",), "endings", "ended", _ENDINGS),
)


def add_deprecated_keys(command: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a command, with the old name of each key that has a new one."""
    result = dict(document)
    for key in RENAMED_KEYS:
        if command in key.commands:
            result = _add(result, key.parents, key)
    return result


def _add(value: Any, parents: tuple[str, ...], key: RenamedKey) -> Any:
    if isinstance(value, list | tuple):
        return [_add(item, parents, key) for item in value]
    if not isinstance(value, Mapping):
        return value
    if parents:
        first, *rest = parents
        return {
            name: _add(content, tuple(rest), key) if name == first else content
            for name, content in value.items()
        }
    return dict(_with_old_name(value, key))


def _with_old_name(value: Mapping[str, Any], key: RenamedKey) -> Iterator[tuple[str, Any]]:
    """The items of an object; the old name follows the new one."""
    for name, content in value.items():
        yield name, content
        if name == key.name and key.old not in value:
            yield key.old, _old_words(content, key.values)


def _old_words(content: Any, values: Mapping[str, str]) -> Any:
    if isinstance(content, Mapping):
        return {values.get(name, name): item for name, item in content.items()}
    return values.get(content, content) if isinstance(content, str) else content
