"""Updates the record of a stack after a check: since when it drifts, how often, and what ended the drift."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from orchestrator.drift.classify import worst_category
from orchestrator.drift.leaves import is_zero
from orchestrator.drift.model import DriftedAttribute, DriftedResource
from orchestrator.drift.report import StackDrift
from orchestrator.state.drift_store import DriftedResourceRecord, DriftRecord, Episode
from orchestrator.state.records import LedgerEntry

FIXED_OUTSIDE = "fixed outside"
REVERTED = "reverted by an apply"
ACCEPTED = "accepted"
CODE_CHANGED = "code changed"
COVERED = "covered by a rule"
DESTROYED = "destroyed"
# What `infra drift --fix`, or the job that it stands for, did about it.
REVERTED_BY_REMEDIATION = "reverted by a remediation"
ACCEPTED_BY_REMEDIATION = "accepted by a remediation"
BY_A_RUN = (REVERTED, ACCEPTED, CODE_CHANGED, DESTROYED, REVERTED_BY_REMEDIATION, ACCEPTED_BY_REMEDIATION)
# The word that digests were made with before: with another, the same drift would be reported as changed.
_HASHED = {"unapplied": "owed"}
UNDONE_BY_APPLY = {"reverted", "conflict", "unapplied"}


def compute_digest(stack: StackDrift) -> str:
    """A digest of what drifted, including visible values; empty when nothing did.

    Masked values are not included: a digest of a short secret would reveal it.
    """
    if not stack.loud:
        return ""
    content = [
        [
            resource.address,
            resource.deposed,
            _HASHED.get(resource.kind, resource.kind),
            _HASHED.get(resource.category, resource.category),
            [
                [part.path, _HASHED.get(part.category, part.category), part.before, part.after, part.planned]
                for part in resource.loud
            ],
        ]
        for resource in stack.loud
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def mark_baseline(stack: StackDrift, record: DriftRecord | None, entry: LedgerEntry | None) -> StackDrift:
    """The result with the class `baseline` for values that providers fill in after an apply.

    In the first check after an apply these are values that the state did not have, the code does not set and
    the plan does not change; in later checks the same values again. What already drifted is never baseline,
    nor is a key of a merged map such as `effective_labels`, which was added outside of Terraform.
    """
    is_first = (
        entry is not None and entry.result == "applied" and (not record or record.applied_run != entry.run)
    )
    baseline = record.baseline if record else {}
    drifts = {
        (resource.address, path)
        for resource in (record.now.resources if record and record.now else ())
        for path in resource.paths
    }

    def is_baseline(address: str, part: DriftedAttribute) -> bool:
        if part.category != "unmanaged" or (address, part.path) in drifts or part.is_merged:
            return False
        is_known = baseline.get(f"{address} {part.path}") == _value_digest(part)
        return is_known or (is_first and is_zero(part.before))

    def mark(resource: DriftedResource) -> DriftedResource:
        attributes = tuple(
            replace(part, category="baseline") if is_baseline(resource.address, part) else part
            for part in resource.attributes
        )
        if resource.category != "unmanaged" or attributes == resource.attributes:
            return resource
        return replace(resource, category=worst_category(attributes), attributes=attributes)

    if stack.result not in ("clean", "drifted"):
        return stack
    stack = replace(stack, resources=tuple(map(mark, stack.resources)))
    return replace(stack, result="drifted" if stack.loud else "clean")


def _baseline_of(stack: StackDrift) -> dict[str, str]:
    return {
        f"{resource.address} {part.path}": _value_digest(part)
        for resource in stack.resources
        for part in resource.attributes
        if part.category == "baseline"
    }


def _value_digest(part: DriftedAttribute) -> str:
    """A digest of a masked value: a digest of a short secret would reveal it."""
    return hashlib.sha256(json.dumps(part.after, sort_keys=True).encode()).hexdigest()[:16]


def add_history(stack: StackDrift, record: DriftRecord | None) -> StackDrift:
    """The result with the recorded history: since when the stack drifts, and how often drift came back."""
    if record is None:
        return replace(stack, digest=compute_digest(stack), is_new=stack.result == "drifted" or stack.failed)
    now, digest = record.now, compute_digest(stack)
    return replace(
        stack,
        digest=digest,
        last_checked=record.checked_at,
        first_seen=now.began if now and stack.result == "drifted" else "",
        came_back=_count_recurrences(record, stack) if stack.result == "drifted" else 0,
        is_new=(stack.result == "drifted" and (now is None or record.digest != digest))
        or (stack.failed and (not record.tried_at or record.reason != stack.reason)),
    )


def _count_recurrences(record: DriftRecord, stack: StackDrift) -> int:
    """How many earlier episodes contain one of the resources that drift now."""
    addresses = {resource.address for resource in stack.loud}
    return sum(bool(addresses & {resource.address for resource in past.resources}) for past in record.past)


def update_record(
    record: DriftRecord | None,
    stack: StackDrift,
    entry: LedgerEntry | None,
    generation: str,
    *,
    run: str,
    at: str,
) -> DriftRecord:
    """The record of a stack after a check. `generation` is its state's, `at` the time of the check."""
    before = record or DriftRecord(stack.id)
    applied_run = entry.run if entry else ""
    if stack.result == "destroyed":
        past = (*before.past, *([_end_episode(before.now, DESTROYED, applied_run, at)] if before.now else []))
        nothing = replace(before, result=DESTROYED, digest="", severity="", counts={}, remediation="")
        return replace(nothing, tried_at=at, reason=stack.reason, now=None, past=past)
    if stack.result not in ("clean", "drifted"):
        return replace(before, tried_at=at, reason=stack.reason)
    fingerprint = entry.fingerprint if entry else ""
    now, past = before.now, before.past
    if now and stack.result == "clean":
        how = explain_ending(before, stack, applied_run, fingerprint, generation)
        past = (*past, _end_episode(now, how, applied_run, at))
        now = None
    elif stack.result == "drifted":
        since = {resource.address: resource.since for resource in now.resources} if now else {}
        records = tuple(
            _resource_record(resource, since.get(resource.address) or at) for resource in stack.loud
        )
        now = Episode(
            now.began if now else at, came_back=_count_recurrences(before, stack), resources=records
        )
    return replace(
        before,
        checked_at=at,
        run=run,
        commit=stack.commit,
        result=stack.result,
        digest=stack.digest,
        severity=stack.severity,
        counts={name: number for name, number in stack.counts.items() if number},
        applied_run=applied_run,
        fingerprint=fingerprint,
        state_generation=generation,
        tried_at="",
        reason="",
        remediation="",
        baseline=_baseline_of(stack),
        now=now,
        past=past,
    )


def explain_ending(
    before: DriftRecord, stack: StackDrift, applied_run: str, fingerprint: str, generation: str
) -> str:
    """What ended an episode, by what changed since the last check: a remediation, the code, the state."""
    if before.remediation:
        return before.remediation
    if stack.counts["suppressed"]:
        return COVERED
    applied, moved = applied_run != before.applied_run, generation != before.state_generation
    if applied and fingerprint != before.fingerprint:
        return CODE_CHANGED
    if not (applied or moved):
        return FIXED_OUTSIDE
    # What no apply would have put back is gone since the state has taken it in.
    was = {resource.category for resource in before.now.resources} if before.now else set()
    return REVERTED if was & UNDONE_BY_APPLY else ACCEPTED


def _end_episode(now: Episode, how: str, run: str, at: str) -> Episode:
    return replace(now, ended=at, how=how, by=run if how in BY_A_RUN else "")


def name_event(before: DriftRecord | None, after: DriftRecord) -> str:
    """The event of a stack in a run: `began`, `changed`, or how the episode ended; empty for none."""
    was = before.now if before else None
    if after.now and not was:
        return "began"
    if was and not after.now:
        return after.past[-1].how
    return "changed" if before and after.now and before.digest != after.digest else ""


def _resource_record(resource: DriftedResource, since: str) -> DriftedResourceRecord:
    return DriftedResourceRecord(
        resource.address, resource.kind, resource.category, tuple(part.path for part in resource.loud), since
    )
