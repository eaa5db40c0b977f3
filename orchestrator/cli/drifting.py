"""What `infra drift` does: a check, a look at the last one, or at the history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.context import App
from orchestrator.cli.running import opened
from orchestrator.cli.views import show
from orchestrator.errors import Exit, UsageError
from orchestrator.project.model import Project
from orchestrator.project.select import select
from orchestrator.report.drift import DriftReport

if TYPE_CHECKING:
    from orchestrator.cli.drift import DriftOptions
    from orchestrator.hosts.github.client import GitHub
    from orchestrator.report.drift_history import StackHistory


def check(app: App, options: DriftOptions) -> int:
    """Check the stacks and tell what was found, wherever it is wanted."""
    from orchestrator.engine.origin import origin_of
    from orchestrator.run.drifting import DriftRequest, check_drift

    if options.issues:
        _host(app).close()
    with opened(app, parallelism=options.parallelism, trigger=origin_of(app.environ).trigger) as session:
        stacks = _selected(app, session.context.project, options.names, options.environments)
        report = check_drift(session, DriftRequest(stacks, options.budget, options.shard))
        if options.fix:
            from orchestrator.cli.drift_fixing import fix, fixed

            found = fix(app, session, report, options)
            _write(app, found.report, options)
            return fixed(app, session.context, found)
    _write(app, report, options)
    if app.json:
        return app.emit("drift", report.exit_code, **report.document())
    from orchestrator.cli.drift_view import render

    show(app, render(report, show_ignored=options.show_ignored))
    return report.exit_code


def last(app: App, names: Sequence[str], environments: Sequence[str]) -> int:
    """What the last checks found."""
    from orchestrator.cli.drift_history_view import last_view
    from orchestrator.run.drift_history import heartbeats, histories

    project, ledgers = _remembered(app)
    stacks = _selected(app, project, names, environments)
    found = histories(project, ledgers, stacks, whole=False)
    beats = heartbeats(project, ledgers, dict.fromkeys(one.environment for one in found))
    if app.json:
        now = datetime.now(UTC)
        told = {name: vars(beat) if beat else None for name, beat in beats.items()}
        stacks_json = [one.document(now) for one in found]
        return app.emit("drift --last", _unreadable(app, found), stacks=stacks_json, heartbeats=told)
    show(app, last_view(found, list(beats.items())))
    return _unreadable(app, found)


def history(app: App, names: Sequence[str]) -> int:
    """When what drifted, for how long, and what ended it."""
    from dataclasses import asdict

    from orchestrator.cli.drift_history_view import history_view
    from orchestrator.report.drift_history import figures
    from orchestrator.run.drift_history import histories

    project, ledgers = _remembered(app)
    found = histories(project, ledgers, _selected(app, project, names, ()))
    now = datetime.now(UTC)
    if app.json:
        stacks = [one.document(now) for one in found]
        code = _unreadable(app, found)
        return app.emit("drift history", code, stacks=stacks, figures=asdict(figures(found, now)))
    show(app, history_view(found, now))
    return _unreadable(app, found)


def _unreadable(app: App, histories: Sequence[StackHistory]) -> int:
    """Name the records that cannot be read; the exit code is an error where there is one."""
    problems = [history.problem for history in histories if history.problem]
    for problem in problems:
        app.note(f"error: {problem}")
    return int(Exit.ERROR if problems else Exit.OK)


def _remembered(app: App) -> tuple[Project, Any]:
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States

    project = app.project()
    return project, Ledgers(project, States(project, app.environ), app.environ)


def _selected(
    app: App, project: Project, names: Sequence[str], environments: Sequence[str]
) -> tuple[str, ...]:
    stacks = select(project, names, app.cwd) if names else tuple(project.stacks)
    unknown = [name for name in environments if name not in project.environments]
    if unknown:
        raise UsageError(
            f"There is no environment {unknown[0]!r}.", advice=f"There is {', '.join(project.environments)}."
        )
    if not environments:
        return stacks
    return tuple(id_ for id_ in stacks if project.stacks[id_].environment in environments)


def _write(app: App, report: DriftReport, options: DriftOptions) -> None:
    """The files that were asked for, and the summary of a job's step."""
    from orchestrator.report import drift_junit, drift_markdown

    if options.junit:
        _file(app.cwd / options.junit, drift_junit.render(report))
    if options.markdown:
        _file(app.cwd / options.markdown, drift_markdown.summary(report))
    summary = app.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(drift_markdown.summary(report))
    if options.report:
        from orchestrator.ci.drift.reports import write_report

        write_report(app.cwd / options.report, report, options.shard)
    if options.issues:
        _tell(app, report, whole=not options.fix)


def _host(app: App) -> GitHub:
    """GitHub as the environment names it; UsageError when it does not, before hours of checks are made."""
    from orchestrator.hosts.github import open_host

    return open_host(app.environ)


def _tell(app: App, report: DriftReport, *, whole: bool) -> None:
    """Issues and message, from the same process. What could not be told is said, and fails nothing."""
    from orchestrator.ci.drift.telling import Telling, tell

    with _host(app) as host:
        outbox = tell(Telling(app.project(), app.environ, host), report, whole=whole)
    for failure in outbox.failures:
        app.note(f"GitHub could not be told: {failure}")


def _file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
