"""Promotion records: which checks an environment passed at a commit, below `ENV/promotion/` in the bucket.

The environment's apply account writes them; the next environments read them before they are applied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from orchestrator.errors import StateError
from orchestrator.state.ledger import READERS
from orchestrator.state.records import METADATA_LIMIT, VERSION, build_record, decode, encode
from orchestrator.state.storage import ABSENT, Blob, PreconditionFailed, Storage, timestamp

# Attempts to write a record that other runs change at the same time.
ATTEMPTS = 5
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class CheckResult:
    """How a check ended: when (RFC 3339, by the bucket's clock), in which run, and its masked message."""

    result: Literal["passed", "failed"]
    at: str
    run: str
    message: str = ""


@dataclass(frozen=True)
class Skip:
    """Who let an environment pass without its checks, why, when, and in which run."""

    by: str
    reason: str
    at: str = ""
    run: str = ""


@dataclass(frozen=True)
class PromotionRecord:
    """What is known of an environment at one commit of trunk.

    A record without results was begun by an apply whose checks were never made. `soaked_until` is the moment
    at which the soak ended well, empty before that. `updated` and `generation` are the object's own.
    """

    commit: str
    checks: Mapping[str, CheckResult] = field(default_factory=dict)
    soaked_until: str = ""
    skipped: Skip | None = None
    updated: str = ""
    generation: str = ABSENT


@dataclass(frozen=True)
class PromotionStore:
    """The promotion records of one environment; `base` is the environment's folder in the storage."""

    storage: Storage
    environment: str
    base: str

    def record(self, commit: str) -> PromotionRecord | None:
        """The record of a commit; None when there is none."""
        blob = self.storage.read(self._name(commit))
        return self._decoded(blob) if blob else None

    def records(self) -> list[PromotionRecord]:
        """All records: one listing, since the metadata holds each record that fits into it."""
        listed = [blob for blob in self.storage.list(f"{self.base}/promotion/") if self._commit(blob.name)]
        large = [blob.name for blob in listed if "record" not in blob.metadata]
        with ThreadPoolExecutor(READERS) as pool:
            read = dict(zip(large, pool.map(self.storage.read, large), strict=True))
        records = []
        for blob in listed:
            text = blob.metadata.get("record")
            content = replace(blob, data=text.encode()) if text else read.get(blob.name)
            if content:
                records.append(self._decoded(content))
        return records

    def update(self, commit: str, change: Callable[[PromotionRecord], PromotionRecord]) -> PromotionRecord:
        """Write what `change` makes of a commit's record, each write conditional on what was read.

        `change` gets an empty record where there is none, and is called again when another run wrote
        meanwhile. Raises StateError when the record cannot be written.
        """
        for _ in range(ATTEMPTS):
            before = self.record(commit) or PromotionRecord(commit)
            promotion_record = change(before)
            if promotion_record == before and before.generation != ABSENT:
                return before
            document = _document(promotion_record)
            try:
                blob = self.storage.write(
                    self._name(commit),
                    encode(document),
                    if_generation=before.generation,
                    metadata=_metadata(document),
                )
            except PreconditionFailed:
                continue
            return replace(promotion_record, updated=blob.updated, generation=blob.generation)
        raise StateError(
            f"The promotion record {self._name(commit)} is being changed by other runs all the time.",
            advice="Run it again when they have ended.",
        )

    def now(self) -> str:
        """The bucket's time, RFC 3339 in UTC."""
        return timestamp(self.storage)

    def _name(self, commit: str) -> str:
        return f"{self.base}/promotion/{commit}.json"

    def _commit(self, name: str) -> str:
        """The commit that an object is about; empty for an object that is no record."""
        stem = name.removeprefix(f"{self.base}/promotion/").removesuffix(".json")
        return stem if _COMMIT.fullmatch(stem) and name == self._name(stem) else ""

    def _decoded(self, blob: Blob) -> PromotionRecord:
        record = decode(blob.data, blob.name, lambda content: _record(self._commit(blob.name), content))
        return replace(record, updated=blob.updated, generation=blob.generation)


def _document(record: PromotionRecord) -> dict[str, Any]:
    return {
        "version": VERSION,
        "checks": {name: asdict(check) for name, check in record.checks.items()},
        "soaked_until": record.soaked_until,
        "skipped": asdict(record.skipped) if record.skipped else None,
    }


def _metadata(document: Mapping[str, Any]) -> dict[str, str]:
    """The record again as custom metadata; empty when it does not fit."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    return {"record": text} if len(text) <= METADATA_LIMIT else {}


def _record(commit: str, content: Mapping[str, Any]) -> PromotionRecord:
    checks = {str(name): build_record(CheckResult, check) for name, check in content["checks"].items()}
    if any(check.result not in ("passed", "failed") for check in checks.values()):
        raise ValueError("unknown result of a check")
    skipped, soaked = content.get("skipped"), content.get("soaked_until") or ""
    if not isinstance(soaked, str):
        raise TypeError("soaked_until is no text")
    return PromotionRecord(commit, checks, soaked, build_record(Skip, skipped) if skipped else None)
