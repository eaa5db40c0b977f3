"""What a plan leaves as it is, so that a change approved before can be told to be in place already."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.plan.attributes import join_path
from orchestrator.plan.digest import canonical

if TYPE_CHECKING:
    from orchestrator.plan.digest import OutputDigest, ResourceDigest


@dataclass(frozen=True)
class Hasher:
    """HMAC-SHA256 of values, each bound to its address and attribute; without the key none can be guessed."""

    key: bytes = field(repr=False)

    def of(self, address: str, path: str, value: Any) -> str:
        """64 hexadecimal digits. JSON holds no NUL, so no two triples are written alike."""
        text = f"{address}\0{path}\0{canonical(value)}"
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


@dataclass(frozen=True)
class Standing:
    """What a plan does nothing to: raw values of resources by address, and of outputs by name.

    Never printed, never written.
    """

    values: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)
    hasher: Hasher = field(repr=False)

    def has(self, approved: ResourceDigest) -> bool:
        """Whether what was approved for a resource is how it is: made, changed, gone, as approved."""
        if approved.is_removal:
            return bool(approved.deposed) or approved.address not in self.values
        if approved.address not in self.values:
            return False
        value = self.values[approved.address]
        return all(
            self.hasher.of(approved.address, one.path, value_at(value, one.path)) == one.after
            for one in approved.attributes
            if not one.unknown
        )

    def has_output(self, approved: OutputDigest) -> bool:
        """Whether an output has the value that was approved, or is gone as approved."""
        if approved.actions == ("delete",):
            return approved.name not in self.outputs
        if approved.name not in self.outputs:
            return False
        value = self.outputs[approved.name]
        return approved.unknown or self.hasher.of(approved.address, "", value) == approved.after


def value_at(value: Any, wanted: str, path: str = "") -> Any:
    """The part of a value that a path leads to; None where there is none."""
    if path == wanted:
        return value
    steps: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for key, below in steps:
        here = join_path(path, key)
        if wanted == here or wanted.startswith((f"{here}.", f"{here}[")):
            return value_at(below, wanted, here)
    return None
