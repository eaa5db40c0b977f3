"""What was done, in frozen values and in the words that people read: runs, and the versions of a state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.report.words import PAST
from orchestrator.state.records import RunRecord, StackRecord

# Addresses shown for one version before the rest is only counted.
MOST_ADDRESSES = 4


@dataclass(frozen=True)
class HistoryRun(RunRecord):
    """A run over all environments that it went through."""

    @property
    def went_wrong(self) -> bool:
        """True when a stack failed or was cut off."""
        return any(one.result in ("failed", "interrupted") for one in self.stacks.values())

    @property
    def counts(self) -> dict[str, int]:
        """The changes to all stacks together."""
        found: dict[str, int] = {}
        for one in self.stacks.values():
            for key, number in one.counts.items():
                found[key] = found.get(key, 0) + number
        return found

    def document(self) -> dict[str, Any]:
        """The run as it stands in `--json`."""
        content = asdict(self)
        content["stacks"] = [{"id": id, **asdict(one)} for id, one in self.stacks.items()]
        return content


@dataclass(frozen=True)
class StateVersion:
    """One version of a state. `serial` is None for one that could not be read.

    `added` and `removed` are resource addresses against the version before it, None when that is not kept.
    """

    generation: str
    written: str
    size: int
    live: bool
    serial: int | None = None
    lineage: str = ""
    resources: int | None = None
    run: str = ""
    added: tuple[str, ...] | None = None
    removed: tuple[str, ...] | None = None

    def document(self) -> dict[str, Any]:
        """The version as it stands in `--json`."""
        return asdict(self)


def stacks_words(run: HistoryRun) -> str:
    """`3 applied`; `1 failed, 2 applied`; for one stack its name."""
    if len(run.stacks) == 1:
        ((id, one),) = run.stacks.items()
        return f"{id} {one.result}"
    counts: dict[str, int] = {}
    for one in run.stacks.values():
        counts[one.result] = counts.get(one.result, 0) + 1
    return ", ".join(f"{number} {result}" for result, number in sorted(counts.items()))


def counts_words(counts: Mapping[str, int]) -> str:
    """`2 created, 1 replaced`; a dash for nothing."""
    return ", ".join(f"{counts[key]} {word}" for key, word in PAST.items() if counts.get(key)) or "-"


def serials_words(one: StackRecord) -> str:
    """`3 → 5`; the one that is known; empty when none is."""
    known = [str(serial) for serial in (one.serial_before, one.serial_after) if serial is not None]
    return " → ".join(dict.fromkeys(known))


def version_words(version: StateVersion) -> str:
    """What a version added and removed."""
    parts = [
        *_addresses("+", version.added or ()),
        *_addresses("-", version.removed or ()),
    ]
    return ", ".join(parts)


def _addresses(sign: str, addresses: tuple[str, ...]) -> list[str]:
    shown = [f"{sign}{address}" for address in addresses[:MOST_ADDRESSES]]
    more = len(addresses) - MOST_ADDRESSES
    return shown + ([f"{sign}{more} more"] if more > 0 else [])
