"""The job that remediates drift: `infra ci drift` starts it, `infra ci apply ENV --drift DIGEST` is it.

The digest only selects stacks that drift now. What may be done comes from infra.yaml on trunk, never from
the inputs of the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.config.drift import Drift
from orchestrator.drift.check_all import DriftRequest, check_drift
from orchestrator.drift.remediation import (
    RemediationResult,
    check_again,
    exit_code,
    record_remediations,
    remediate,
)
from orchestrator.drift.remediation_choice import NotRemediated, RemediationDecision, apply_limits, decide
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.engine.context import RunContext
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.ports import Consent
from orchestrator.engine.recorder import RecorderOptions
from orchestrator.engine.session import Session
from orchestrator.errors import Exit, UsageError, exit_code_of
from orchestrator.forge.interface import Forge
from orchestrator.forge.outbox import Outbox

WORKFLOW = "infra-apply.yml"


def decide_all(
    stacks: Iterable[StackDrift], settings: Drift, now: datetime
) -> dict[str, RemediationDecision]:
    """Decide by infra.yaml what to do about each stack that drifts."""
    drifted = [stack for stack in stacks if stack.result == "drifted" and stack.digest]
    return {stack.id: apply_limits(decide(stack, settings), settings.limits, now) for stack in drifted}


def group_digests(
    stacks: Iterable[StackDrift], decided: dict[str, RemediationDecision]
) -> dict[str, tuple[str, ...]]:
    """The digests of the stacks that an apply can remediate, by environment."""
    digests: dict[str, tuple[str, ...]] = {}
    for stack in stacks:
        ways = decided[stack.id].remediations if stack.id in decided else ()
        if any(way.action in ("revert", "accept") for way in ways):
            digests[stack.environment] = (*digests.get(stack.environment, ()), stack.digest)
    return digests


def start_remediations(
    forge: Forge, trunk: str, digests_by_environment: dict[str, tuple[str, ...]], outbox: Outbox
) -> list[str]:
    """Start infra-apply once per environment. Returns the environments for which it was started."""
    started = []
    for environment, digests in digests_by_environment.items():
        inputs = {"environment": environment, "drift": ",".join(digests)}

        def dispatch(inputs: dict[str, str] = inputs) -> bool:
            forge.dispatch(WORKFLOW, trunk, inputs)
            return True

        if outbox.send(f"Putting {environment} right", dispatch):
            started.append(environment)
    return started


@dataclass(frozen=True)
class AppliedRemediations:
    """The outcome of the job. `report` has the stacks as they are now, `skipped` what was not done.

    `missing` are the digests that no longer match any drift.
    """

    report: DriftReport
    done: tuple[RemediationResult, ...] = ()
    skipped: tuple[NotRemediated, ...] = ()
    missing: tuple[str, ...] = ()
    code: int = 0

    @property
    def lines(self) -> list[str]:
        """The outcome, line by line."""
        lines = [f"{result.remediation.stack}: {result.words}" for result in self.done]
        lines += [f"left alone: {skip.words}" for skip in self.skipped]
        lines += [f"{digest[:12]}…: nothing drifts in this way any more" for digest in self.missing]
        return lines or ["There is nothing to remediate."]


def parse_digests(text: str) -> tuple[str, ...]:
    """Parse `D1,D2`. Raises UsageError for a value that is not a digest."""
    digests = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for digest in digests:
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise UsageError(
                f"{digest[:80]!r} is no digest of drift.",
                advice="`infra drift --json` has it with each stack.",
            )
    return digests


def remediate_environment(
    session: Session,
    environment: str,
    digests: Sequence[str],
    consent: Consent,
    recorder_options: RecorderOptions,
    inspect: Inspect,
) -> AppliedRemediations:
    """Check the stacks with these digests again, and remediate what infra.yaml allows."""
    now = datetime.now(UTC)
    ids = _remembered(session.memory, environment, digests)
    report = check_drift(session, DriftRequest(ids), now=now)
    meant = [stack for stack in report.stacks if stack.result == "drifted" and stack.digest in digests]
    settings = session.context.project.config.drift
    done: list[RemediationResult] = []
    skipped: list[NotRemediated] = []
    for stack in meant:
        decided = apply_limits(decide(stack, settings), settings.limits, now)
        skipped += decided.skipped
        ways = [
            remediation for remediation in decided.remediations if remediation.action in ("revert", "accept")
        ]
        if not (ways or decided.skipped):
            skipped.append(NotRemediated(stack.id, "", f"`drift.actions.{environment}` says nothing of it"))
        for way in ways:
            deletes = settings.limits.deletes
            done.append(
                remediate(session, way, stack, consent, recorder_options, deletes=deletes, inspect=inspect)
            )
    problems = record_remediations(session.memory, done)
    missing = tuple(digest for digest in digests if digest not in {stack.digest for stack in meant})
    stacks = _with_left(check_again(session, done, report.stacks), skipped)
    report = replace(report, stacks=stacks, notes=(*report.notes, *problems))
    return AppliedRemediations(
        report, tuple(done), tuple(skipped), missing, _code(session.context, done, skipped, missing)
    )


def _remembered(memory: Memory, environment: str, digests: Sequence[str]) -> tuple[str, ...]:
    """The stacks whose last check recorded one of these digests."""
    remembered = []
    for stack in memory.project.of(environment):
        record = memory.ledgers.drift_log(stack).record(stack.id)
        if record and record.digest in digests:
            remembered.append(stack.id)
    return tuple(remembered)


def _with_left(stacks: Sequence[StackDrift], skipped: Sequence[NotRemediated]) -> tuple[StackDrift, ...]:
    """The stacks, each with the reasons for what was skipped."""
    why: dict[str, list[str]] = {}
    for skip in skipped:
        where = f"{skip.address}: " if skip.address else ""
        why.setdefault(skip.stack, []).append(f"left alone: {where}{skip.why}")
    return tuple(
        replace(
            stack, remediation="; ".join(part for part in (stack.remediation, *why.get(stack.id, ())) if part)
        )
        for stack in stacks
    )


def _code(
    context: RunContext,
    done: Sequence[RemediationResult],
    skipped: Sequence[NotRemediated],
    missing: Sequence[str],
) -> int:
    codes = [exit_code(done, context)] if done else []
    codes += [int(Exit.BLOCKED)] if skipped else []
    codes += [int(Exit.MISMATCH)] if missing else []
    return exit_code_of(codes)
