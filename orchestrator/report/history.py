"""The history of runs and of state versions: the models, and their text."""

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
        """True when a stack failed or was interrupted."""
        return any(stack.result in ("failed", "interrupted") for stack in self.stacks.values())

    @property
    def counts(self) -> dict[str, int]:
        """The changes to all stacks together."""
        counts: dict[str, int] = {}
        for stack in self.stacks.values():
            for key, number in stack.counts.items():
                counts[key] = counts.get(key, 0) + number
        return counts

    def document(self) -> dict[str, Any]:
        """The run as it stands in `--json`."""
        content = asdict(self)
        del content["recorded"]
        if not self.traceparent:
            del content["traceparent"]
        content["stacks"] = [{"id": id, **asdict(stack)} for id, stack in self.stacks.items()]
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


def format_stacks(run: HistoryRun) -> str:
    """`3 applied`; `1 failed, 2 applied`; for one stack its name."""
    if len(run.stacks) == 1:
        ((id, stack),) = run.stacks.items()
        return f"{id} {stack.result}"
    counts: dict[str, int] = {}
    for stack in run.stacks.values():
        counts[stack.result] = counts.get(stack.result, 0) + 1
    return ", ".join(f"{number} {result}" for result, number in sorted(counts.items()))


def format_counts(counts: Mapping[str, int]) -> str:
    """`2 created, 1 replaced`; a dash for nothing."""
    return ", ".join(f"{counts[key]} {word}" for key, word in PAST.items() if counts.get(key)) or "-"


def format_serials(record: StackRecord) -> str:
    """`3 → 5`; the one that is known; empty when none is."""
    serials = [str(serial) for serial in (record.serial_before, record.serial_after) if serial is not None]
    return " → ".join(dict.fromkeys(serials))


def format_version(version: StateVersion) -> str:
    """What a version added and removed."""
    parts = [
        *_addresses("+", version.added or ()),
        *_addresses("-", version.removed or ()),
    ]
    return ", ".join(parts)


def _addresses(sign: str, addresses: tuple[str, ...]) -> list[str]:
    items = [f"{sign}{address}" for address in addresses[:MOST_ADDRESSES]]
    more = len(addresses) - MOST_ADDRESSES
    return items + ([f"{sign}{more} more"] if more > 0 else [])
