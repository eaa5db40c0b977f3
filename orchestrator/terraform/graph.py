"""Parses the output of `terraform graph`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_EDGE = re.compile(r'^\s*"((?:[^"\\]|\\.)*)" -> "((?:[^"\\]|\\.)*)"', re.MULTILINE)


def dependents(text: str, addresses: Collection[str]) -> frozenset[str]:
    """The resources that depend on one of `addresses`, directly or through others.

    All addresses are those of the code, which have no keys of instances.
    """
    users: dict[str, set[str]] = {}
    for user, used in _edges(text):
        users.setdefault(used, set()).add(user)
    reached: set[str] = set()
    pending = [user for address in addresses for user in users.get(address, ())]
    while pending:
        user = pending.pop()
        if user not in reached:
            reached.add(user)
            pending += users.get(user, ())
    return frozenset(reached)


def _edges(text: str) -> Iterator[tuple[str, str]]:
    """Each line `"USER" -> "USED"`. OpenTofu writes a node as `[root] ADDRESS (expand)`."""
    for match in _EDGE.finditer(text):
        user, used = (name.removeprefix("[root] ").removesuffix(" (expand)") for name in match.groups())
        yield user, used
