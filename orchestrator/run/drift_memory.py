"""What a check adds to what is remembered of a stack: since when, how often, and what ended it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from orchestrator.plan.drift import worst
from orchestrator.plan.drift_leaves import is_zero
from orchestrator.plan.drift_model import DriftedAttribute, DriftedResource
from orchestrator.report.drift import StackDrift
from orchestrator.state.drift import DriftRecord, Episode, Seen
from orchestrator.state.records import Entry

FIXED_OUTSIDE = "fixed outside"
REVERTED = "reverted by an apply"
ACCEPTED = "accepted"
CODE_CHANGED = "code changed"
COVERED = "covered by a rule"
DESTROYED = "destroyed"
# What `infra drift --fix`, or the job that it stands for, did about it.
PUT_BACK = "reverted by a correction"
TAKEN_OVER = "accepted by a correction"
BY_A_RUN = (REVERTED, ACCEPTED, CODE_CHANGED, DESTROYED, PUT_BACK, TAKEN_OVER)
UNDONE_BY_APPLY = {"reverted", "conflict", "owed"}


def digest_of(found: StackDrift) -> str:
    """A digest of what drifted, values included as far as they may be seen; empty when nothing did.

    What is hidden is no part of it: a digest of a short secret gives it away.
    """
    if not found.loud:
        return ""
    content = [
        [
            one.address,
            one.deposed,
            one.kind,
            one.category,
            [[part.path, part.category, part.before, part.after, part.planned] for part in one.loud],
        ]
        for one in found.loud
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def with_baseline(found: StackDrift, record: DriftRecord | None, entry: Entry | None) -> StackDrift:
    """The result in which what providers fill in after an apply is told apart from what others change.

    In the first check after an apply this is what had no value in the state, what the code does not set and
    the plan leaves alone; in later checks the same values again. Never what drifted already, and no key of a
    merged map such as `effective_labels`: that was added by somebody.
    """
    is_first = (
        entry is not None and entry.result == "applied" and (not record or record.applied_run != entry.run)
    )
    known = record.baseline if record else {}
    drifts = {
        (one.address, path)
        for one in (record.now.resources if record and record.now else ())
        for path in one.paths
    }

    def is_baseline(address: str, part: DriftedAttribute) -> bool:
        if part.category != "unmanaged" or (address, part.path) in drifts or part.is_merged:
            return False
        is_known = known.get(f"{address} {part.path}") == _value_digest(part)
        return is_known or (is_first and is_zero(part.before))

    def judged(resource: DriftedResource) -> DriftedResource:
        attributes = tuple(
            replace(part, category="baseline") if is_baseline(resource.address, part) else part
            for part in resource.attributes
        )
        if resource.category != "unmanaged" or attributes == resource.attributes:
            return resource
        return replace(resource, category=worst(attributes), attributes=attributes)

    if found.result not in ("clean", "drifted"):
        return found
    found = replace(found, resources=tuple(map(judged, found.resources)))
    return replace(found, result="drifted" if found.loud else "clean")


def _baseline_of(found: StackDrift) -> dict[str, str]:
    return {
        f"{one.address} {part.path}": _value_digest(part)
        for one in found.resources
        for part in one.attributes
        if part.category == "baseline"
    }


def _value_digest(part: DriftedAttribute) -> str:
    """A digest of a masked value: one of a secret would give a short one away."""
    return hashlib.sha256(json.dumps(part.after, sort_keys=True).encode()).hexdigest()[:16]


def remembered(found: StackDrift, record: DriftRecord | None) -> StackDrift:
    """The result with what was known before this run: since when it drifts, and how often it came back."""
    if record is None:
        return replace(found, digest=digest_of(found))
    now = record.now
    return replace(
        found,
        digest=digest_of(found),
        last_checked=record.checked_at,
        first_seen=now.began if now and found.result == "drifted" else "",
        came_back=came_back(record, found) if found.result == "drifted" else 0,
    )


def came_back(record: DriftRecord, found: StackDrift) -> int:
    """How many earlier times in drift had one of the resources that drift now."""
    addresses = {one.address for one in found.loud}
    return sum(bool(addresses & {one.address for one in past.resources}) for past in record.past)


def after_check(
    record: DriftRecord | None, found: StackDrift, entry: Entry | None, generation: str, *, run: str, at: str
) -> DriftRecord:
    """What is known of a stack after a check. `generation` is its state's; `at` the time where this lies."""
    before = record or DriftRecord(found.id)
    applied_run = entry.run if entry else ""
    if found.result == "destroyed":
        past = (*before.past, *([_over(before.now, DESTROYED, applied_run, at)] if before.now else []))
        nothing = replace(before, result=DESTROYED, digest="", severity="", counts={}, correction="")
        return replace(nothing, tried_at=at, reason=found.reason, now=None, past=past)
    if found.result not in ("clean", "drifted"):
        return replace(before, tried_at=at, reason=found.reason)
    fingerprint = entry.fingerprint if entry else ""
    now, past = before.now, before.past
    if now and found.result == "clean":
        how = how_it_ended(before, found, applied_run, fingerprint, generation)
        past = (*past, _over(now, how, applied_run, at))
        now = None
    elif found.result == "drifted":
        since = {one.address: one.since for one in now.resources} if now else {}
        seen = tuple(_seen(one, since.get(one.address) or at) for one in found.loud)
        now = Episode(now.began if now else at, came_back=came_back(before, found), resources=seen)
    return replace(
        before,
        checked_at=at,
        run=run,
        commit=found.commit,
        result=found.result,
        digest=found.digest,
        severity=found.severity,
        counts={name: number for name, number in found.counts.items() if number},
        applied_run=applied_run,
        fingerprint=fingerprint,
        state_generation=generation,
        tried_at="",
        reason="",
        correction="",
        baseline=_baseline_of(found),
        now=now,
        past=past,
    )


def how_it_ended(
    before: DriftRecord, found: StackDrift, applied_run: str, fingerprint: str, generation: str
) -> str:
    """What ended a drift, by what has moved since it was last seen: a correction, the code, the state."""
    if before.correction:
        return before.correction
    if found.counts["suppressed"]:
        return COVERED
    applied, moved = applied_run != before.applied_run, generation != before.state_generation
    if applied and fingerprint != before.fingerprint:
        return CODE_CHANGED
    if not (applied or moved):
        return FIXED_OUTSIDE
    # What no apply would have put back is gone since the state has taken it in.
    was = {one.category for one in before.now.resources} if before.now else set()
    return REVERTED if was & UNDONE_BY_APPLY else ACCEPTED


def _over(now: Episode, how: str, run: str, at: str) -> Episode:
    return replace(now, ended=at, how=how, by=run if how in BY_A_RUN else "")


def event_of(before: DriftRecord | None, after: DriftRecord) -> str:
    """What happened to a stack in a run: `began`, `changed`, how it ended; empty for nothing."""
    was = before.now if before else None
    if after.now and not was:
        return "began"
    if was and not after.now:
        return after.past[-1].how
    return "changed" if before and after.now and before.digest != after.digest else ""


def _seen(one: DriftedResource, since: str) -> Seen:
    return Seen(one.address, one.kind, one.category, tuple(part.path for part in one.loud), since)
