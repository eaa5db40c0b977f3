"""`infra adopt`: tell the ledger of stacks that were applied before it, or without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.engine.failures import failure
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError
from orchestrator.report.model import RunReport, StackReport
from orchestrator.run.pipeline import Request, plan_all
from orchestrator.run.recording import Recorder


def adopt(session: Session, recorder: Recorder, stacks: Sequence[str]) -> RunReport:
    """Plan; where nothing would change, record that this commit is what is applied."""
    planned = plan_all(session, Request(tuple(stacks), recorder.options))
    reports = [_adopt(session, recorder, one.report) for one in planned.values()]
    return session.context.report("adopt", reports, notes=recorder.save())


def _adopt(session: Session, recorder: Recorder, report: StackReport) -> StackReport:
    if report.result == "changed":
        reason = "its plan is not empty: what is there is not what this commit says"
        return replace(report, result="blocked", reason=reason, advice=f"`infra apply {report.id}` instead.")
    if report.result != "unchanged" or session.context.supervisor.interrupted:
        return report
    stack = session.context.project.stacks[report.id]
    try:
        if session.memory.states.generation(stack) is None and session.memory.states.location(stack):
            return replace(report, reason="it has no state: there is nothing to adopt")
        with recorder.claim(stack) as claim:
            recorder.applied(claim, "adopted")
            recorder.note(claim, report)
    except InfraError as error:
        return failure(session, stack, error)
    return replace(report, reason="adopted: the ledger has this commit as applied")
