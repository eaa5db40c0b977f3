"""`infra drift --fix`: a check, and then what was found put right with a person's consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.cli.context import App
from orchestrator.cli.drift_view import render
from orchestrator.cli.running import consent_of, policy_inspection
from orchestrator.cli.views import show
from orchestrator.engine.context import RunContext
from orchestrator.engine.session import Session
from orchestrator.errors import Exit, UsageError, exit_code_of
from orchestrator.project.model import Project
from orchestrator.report.drift import DriftReport
from orchestrator.report.drift_words import verdict
from orchestrator.run.correcting import Corrected, correct, exit_code, look_again, remember
from orchestrator.run.corrections import Correction, Left, decide
from orchestrator.run.recording import Terms

if TYPE_CHECKING:
    from orchestrator.cli.drift import DriftOptions


@dataclass(frozen=True)
class Fixed:
    """What came of it: the stacks as they are now, what was done, what was not and why.

    `asked` are lines about pull requests, `failures` what went wrong with them.
    """

    report: DriftReport
    done: tuple[Corrected, ...] = ()
    left: tuple[Left, ...] = ()
    asked: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def fix(app: App, session: Session, report: DriftReport, options: DriftOptions) -> Fixed:
    """Show what drifts, ask, and put it right."""
    decided = [decide(one, session.context.project.config.drift, options.action) for one in report.stacks]
    ways = [way for one in decided for way in one.corrections]
    left = tuple(one for each in decided for one in each.left)
    if not app.json:
        show(app, render(report, show_ignored=options.show_ignored))
    for one in left:
        app.note(f"left alone: {one.words}")
    done = _by_apply(app, session, report, ways, options)
    lines, failures = _by_pull_request(app, session.context.project, ways)
    for line in (*lines, *failures, *remember(session.memory, done)):
        app.note(line)
    now = replace(report, stacks=look_again(session, done, report.stacks))
    return Fixed(now, tuple(done), left, lines, failures)


def _by_apply(
    app: App, session: Session, report: DriftReport, ways: Sequence[Correction], options: DriftOptions
) -> list[Corrected]:
    """One after the other, each with its own question."""
    context = session.context
    found = {one.id: one for one in report.stacks}
    inspect = policy_inspection(context)
    consent = consent_of(app, context, options, "apply")
    terms = Terms(break_glass=options.break_glass)
    done = []
    for way in ways:
        if way.action not in ("revert", "accept") or context.supervisor.interrupted:
            continue
        app.note(f"{way.stack}: {way.action} {', '.join(way.addresses)}")
        one = correct(session, way, found[way.stack], consent, terms, deletes=True, inspect=inspect)
        app.note(f"{way.stack}: {one.words}")
        done.append(one)
    return done


def _by_pull_request(
    app: App, project: Project, ways: Sequence[Correction]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Open the pull requests; what came of them, and what went wrong."""
    if not any(one.action == "pr" for one in ways):
        return (), ()
    from orchestrator.ci.drift.pull_request import open_all
    from orchestrator.ci.posting import Outbox
    from orchestrator.hosts.github import open_host

    outbox = Outbox()
    try:
        with open_host(app.environ) as host:
            lines = open_all(project, host, ways, outbox)
    except UsageError as error:
        return (), (f"No pull request can be opened: {error.message} {error.advice}",)
    return tuple(lines), tuple(outbox.failures)


def fixed(app: App, context: RunContext, found: Fixed) -> int:
    """What came of it; gives the exit code."""
    codes = [found.report.exit_code, *([int(Exit.ERROR)] if found.failures else [])]
    code = exit_code_of([*codes, *([exit_code(found.done, context)] if found.done else [])])
    if app.json:
        return app.emit("drift --fix", code, **found.report.document(), **_document(found))
    if found.done or found.asked or found.failures:
        app.write(verdict(found.report))
    elif any(one.result == "drifted" for one in found.report.stacks):
        told = "see above" if found.left else "infra.yaml names no action for it; `--action revert` does"
        app.write(f"Nothing was put right: {told}.")
    else:
        app.write("Nothing drifts that could be checked.")
    return code


def _document(found: Fixed) -> dict[str, Any]:
    """What `--json` has beside the report itself."""
    done = [
        {
            "stack": one.correction.stack,
            "action": one.correction.action,
            "addresses": list(one.correction.addresses),
            "result": one.report.result,
            "reason": one.report.reason,
            "run": one.run,
        }
        for one in found.done
    ]
    left = [{"stack": one.stack, "address": one.address, "why": one.why} for one in found.left]
    return {"corrections": done, "left": left, "pull_requests": [*found.asked, *found.failures]}
