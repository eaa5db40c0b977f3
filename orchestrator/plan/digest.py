"""What of a plan was approved: per address and attribute the action and a hash of the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AttributeDigest:
    """One attribute that changes. `before` and `after` are HMAC-SHA256 in hex of the values' JSON.

    `after` is empty when the value is known after the apply only (`unknown`). `shown_before` and `shown_after`
    are for people: masked, and None where that hides all.
    """

    path: str
    before: str
    after: str
    unknown: bool = False
    sensitive: bool = False
    shown_before: Any = None
    shown_after: Any = None


@dataclass(frozen=True)
class ResourceDigest:
    """One resource that changes, is moved, imported or forgotten."""

    address: str
    type: str
    actions: tuple[str, ...]
    previous_address: str | None = None
    deposed: str | None = None
    import_id: str | None = None
    attributes: tuple[AttributeDigest, ...] = ()


@dataclass(frozen=True)
class OutputDigest:
    """One output that changes."""

    name: str
    actions: tuple[str, ...]
    after: str
    unknown: bool = False
    sensitive: bool = False


@dataclass(frozen=True)
class Digest:
    """A plan as it can be compared. Equality is of stack, lineage, lock file and the same changes.

    `facts` (commit, base, serial, generation, terraform_version, upstream generations …) only explain a
    difference. `provisional` are the upstreams that had changes of their own when this was made.
    """

    stack: str
    lineage: str
    lock_file: str
    resources: tuple[ResourceDigest, ...] = ()
    outputs: tuple[OutputDigest, ...] = ()
    provisional: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)
