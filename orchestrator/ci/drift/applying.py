"""`infra ci apply ENV --drift DIGEST`: puts right what was seen to drift, where it does so still.

Nothing that the caller says is trusted: what may be done is what infra.yaml on trunk says, and a digest only
names which of the stacks that drift now are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.engine.context import RunContext
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.memory import Memory
from orchestrator.engine.ports import Consent
from orchestrator.engine.session import Session
from orchestrator.errors import Exit, UsageError, exit_code_of
from orchestrator.report.drift import DriftReport, StackDrift
from orchestrator.run.correcting import Corrected, correct, exit_code, look_again, remember
from orchestrator.run.corrections import Left, decide, limited
from orchestrator.run.drifting import DriftRequest, check_drift
from orchestrator.run.recording import Terms


@dataclass(frozen=True)
class Righted:
    """What was done. `report` has the stacks as they are now; `left` is what was not touched, and why.

    `missing` are digests under which nothing drifts any more.
    """

    report: DriftReport
    done: tuple[Corrected, ...] = ()
    left: tuple[Left, ...] = ()
    missing: tuple[str, ...] = ()
    code: int = 0

    @property
    def lines(self) -> list[str]:
        """What to tell people."""
        told = [f"{one.correction.stack}: {one.words}" for one in self.done]
        told += [f"left alone: {one.words}" for one in self.left]
        told += [f"{one[:12]}…: nothing drifts in this way any more" for one in self.missing]
        return told or ["There is nothing to be put right."]


def digests_of(text: str) -> tuple[str, ...]:
    """Digests out of `D1,D2`; UsageError for what is none."""
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for one in found:
        if len(one) != 64 or set(one) - set("0123456789abcdef"):
            raise UsageError(
                f"{one[:80]!r} is no digest of drift.", advice="`infra drift --json` has it with each stack."
            )
    return found


def put_right(
    session: Session,
    environment: str,
    digests: Sequence[str],
    consent: Consent,
    terms: Terms,
    inspect: Inspect,
) -> Righted:
    """Check again the stacks that are remembered to drift in these ways, and correct what may be."""
    now = datetime.now(UTC)
    ids = _remembered(session.memory, environment, digests)
    report = check_drift(session, DriftRequest(ids), now=now)
    meant = [one for one in report.stacks if one.result == "drifted" and one.digest in digests]
    settings = session.context.project.config.drift
    done: list[Corrected] = []
    left: list[Left] = []
    for found in meant:
        decided = limited(decide(found, settings), settings.limits, now)
        left += decided.left
        ways = [one for one in decided.corrections if one.action in ("revert", "accept")]
        if not (ways or decided.left):
            left.append(Left(found.id, "", f"`drift.actions.{environment}` says nothing of it"))
        for way in ways:
            deletes = settings.limits.deletes
            done.append(correct(session, way, found, consent, terms, deletes=deletes, inspect=inspect))
    problems = remember(session.memory, done)
    missing = tuple(one for one in digests if one not in {found.digest for found in meant})
    stacks = _with_left(look_again(session, done, report.stacks), left)
    report = replace(report, stacks=stacks, notes=(*report.notes, *problems))
    return Righted(report, tuple(done), tuple(left), missing, _code(session.context, done, left, missing))


def _remembered(memory: Memory, environment: str, digests: Sequence[str]) -> tuple[str, ...]:
    """The stacks of which the last check found what a digest names."""
    found = []
    for stack in memory.project.of(environment):
        record = memory.ledgers.drift_log(stack).record(stack.id)
        if record and record.digest in digests:
            found.append(stack.id)
    return tuple(found)


def _with_left(stacks: Sequence[StackDrift], left: Sequence[Left]) -> tuple[StackDrift, ...]:
    """The stacks with why something of them was left alone."""
    why: dict[str, list[str]] = {}
    for one in left:
        where = f"{one.address}: " if one.address else ""
        why.setdefault(one.stack, []).append(f"left alone: {where}{one.why}")
    return tuple(
        replace(one, correction="; ".join(part for part in (one.correction, *why.get(one.id, ())) if part))
        for one in stacks
    )


def _code(
    context: RunContext, done: Sequence[Corrected], left: Sequence[Left], missing: Sequence[str]
) -> int:
    codes = [exit_code(done, context)] if done else []
    codes += [int(Exit.BLOCKED)] if left else []
    codes += [int(Exit.MISMATCH)] if missing else []
    return exit_code_of(codes)
