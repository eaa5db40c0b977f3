"""`infra drift --fix`: a check, and then what was found put right with a person's consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.cli.context import App
from orchestrator.cli.drift_view import render
from orchestrator.cli.running import consent_of, terms_of, under_policy
from orchestrator.cli.views import show
from orchestrator.errors import exit_code_of
from orchestrator.report.drift import DriftReport
from orchestrator.run.correcting import Corrected, correct, exit_code, look_again, remember
from orchestrator.run.corrections import Correction, Decided, decide
from orchestrator.run.session import Session


def fix(
    app: App, session: Session, report: DriftReport, asked: Mapping[str, Any]
) -> tuple[DriftReport, list[Corrected]]:
    """Show what drifts, ask, and put it right; gives the report as it is then, and what was done."""
    decided = {one.id: decide(one, session.project.config.drift, asked["action"]) for one in report.stacks}
    if not app.json:
        show(app, render(report, show_ignored=asked["show_ignored"]))
    for left in [one for each in decided.values() for one in each.left]:
        app.note(f"left alone: {left.words}")
    under_policy(session)
    consent = consent_of(app, session, asked, "apply")
    found = {one.id: one for one in report.stacks}
    done = []
    for way in _by_apply(decided):
        app.note(f"{way.stack}: {way.action} {', '.join(way.addresses)}")
        one = correct(session, way, found[way.stack], consent, terms_of(asked), deletes=True)
        app.note(f"{way.stack}: {one.words}")
        done.append(one)
    _by_pull_request(app, session, [way for one in decided.values() for way in one.corrections])
    for problem in remember(session, done):
        app.note(problem)
    return replace(report, stacks=look_again(session, done, report.stacks)), done


def _by_pull_request(app: App, session: Session, ways: Sequence[Correction]) -> None:
    """Open the pull requests that were asked for; what goes wrong with one does not fail the rest."""
    if not any(one.action == "pr" for one in ways):
        return
    from orchestrator.ci.drift_pull_request import open_all
    from orchestrator.ci.posting import Outbox
    from orchestrator.hosts.github import open_host

    outbox = Outbox()
    with open_host(app.environ) as host:
        for line in open_all(session.project, host, ways, outbox):
            app.note(line)
    for failure in outbox.failures:
        app.note(f"error: {failure}")


def fixed(
    app: App, session: Session, report: DriftReport, done: Sequence[Corrected], *, asked_pr: bool
) -> int:
    """What came of it; gives the exit code."""
    codes = [report.exit_code, exit_code(done, session)] if done else [report.exit_code]
    code = exit_code_of(codes)
    if app.json:
        told = [
            {
                "stack": one.correction.stack,
                "action": one.correction.action,
                "addresses": list(one.correction.addresses),
                "result": one.report.result,
                "reason": one.report.reason,
                "run": one.run,
            }
            for one in done
        ]
        return app.emit("drift --fix", code, **report.document(), corrections=told)
    if not (done or asked_pr):
        app.write(nothing_to_do(report))
        return code
    from orchestrator.report.drift_words import verdict

    app.write(verdict(report))
    return code


def nothing_to_do(report: DriftReport) -> str:
    """Why nothing was done."""
    if not any(one.result == "drifted" for one in report.stacks):
        return "Nothing drifts that could be checked."
    return "Nothing was put right: infra.yaml names no action for it; `--action revert` or `accept` does."


def _by_apply(decided: Mapping[str, Decided]) -> list[Correction]:
    return [way for one in decided.values() for way in one.corrections if way.action in ("revert", "accept")]
