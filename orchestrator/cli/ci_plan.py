"""`infra ci plan`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import with_options
from orchestrator.errors import InfraError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.cli.support.plan_review import ReviewFiles
    from orchestrator.engine.session import Session
    from orchestrator.forge.event import Event
    from orchestrator.forge.interface import Forge
    from orchestrator.repository.model import Project
    from orchestrator.review.plan_reports import PlanReport

# `--json` without a file.
STDOUT = "-"
EPILOG = """\b
Examples:
  infra ci plan --dry-run                     what would be posted for this branch
  infra ci plan --dry-run --base HEAD~1       compared with another commit than trunk
  infra ci plan                               in a job: plan, comment, post the checks
  infra ci plan --env dev --report reports    in a job that may write nothing on GitHub
  infra ci plan --markdown plan.md --json plan.json   in another CI, which posts plan.md itself
  infra ci plan --env dev --shard 2/3 --report reports    one part of a matrix (infra affected --matrix)

A job that plans for a matrix gets `matrix.stacks` as INFRA_STACKS. A plan of one stack alone is requested by
INFRA_STACK.
"""


@dataclass(frozen=True, kw_only=True)
class CiPlanOptions:
    """The options of `infra ci plan`; `shard` is I/N, `json_file` a file or STDOUT."""

    environments: tuple[str, ...]
    shard: str | None
    report: str | None
    dry_run: bool
    markdown: str | None
    json_file: str | None
    sarif: str | None
    base: str | None
    parallelism: int | None


@click.command(epilog=EPILOG)
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Only this environment.")
@click.option("--shard", metavar="I/N", help="Plan only part I of N of an environment.")
@click.option(
    "--report", metavar="DIR", help="Write DIR/plan-ENV-I.json for `infra ci comment`; post nothing."
)
@click.option("--dry-run", is_flag=True, help="Print the comment and the checks instead of posting them.")
@click.option("--markdown", metavar="FILE", help="Write the comment to FILE; post nothing.")
@click.option(
    "--json",
    "json_file",
    is_flag=False,
    flag_value=STDOUT,
    metavar="[FILE]",
    help="Print one JSON document, or write it to FILE and post nothing.",
)
@click.option("--sarif", metavar="FILE", help="Write the findings of guard and policy to FILE as SARIF.")
@click.option("--base", metavar="REF", help="Compare with the merge base of REF.")
@click.option(
    "--parallelism", type=click.IntRange(1), metavar="N", help="The number of stacks to run at once."
)
@with_options(CiPlanOptions)
def command(app: App, options: CiPlanOptions) -> int:
    """Plan the changes of a pull request for its review.

    Plans affected stacks, their dependents if an output changes, and deleted stacks with their last code.
    Guard, policy and approvals follow infra.yaml on trunk. Takes no lock and applies nothing.
    """
    files = _name_files(options)
    if files.document is None:
        return _plan(app, options, files)
    app.json = False
    try:
        return _plan(app, options, files)
    except InfraError as error:
        _write_failure(app, files.document, error)
        raise


def _name_files(options: CiPlanOptions) -> ReviewFiles:
    """The files to write; `--json` without a name is none."""
    from orchestrator.cli.support.plan_review import ReviewFiles

    document = None if options.json_file in (None, STDOUT) else options.json_file
    return ReviewFiles(options.sarif, options.markdown, document)


def _write_failure(app: App, name: str, error: InfraError) -> None:
    """Writes the document of a plan that failed as a whole, for programs that wait for the file."""
    from orchestrator.cli.app import error_document
    from orchestrator.cli.support.reports import write_file

    errors = [error_document(error)]
    document = app.render_document("ci plan", int(error.exit_code), run=None, stacks=[], errors=errors)
    write_file(app, name, f"{document}\n")


def _plan(app: App, options: CiPlanOptions, files: ReviewFiles) -> int:
    """Plans, and publishes, writes or prints the review; returns the exit code."""
    from orchestrator.cli.support.plan_review import (
        explain_unplanned,
        publish_review,
        reject_unplanned,
        require_pull_request,
    )
    from orchestrator.forge.factory import read_event
    from orchestrator.review.plan_reports import CollectedReports
    from orchestrator.review.pull_request.plan_job import build_job, run_plan_job
    from orchestrator.review.pull_request.scope import read_scope

    event = read_event(app.environ)
    reason = explain_unplanned(app, event)
    if event and reason:
        return reject_unplanned(app, event, reason, "ci plan")
    dry = options.dry_run or bool(files.markdown or files.document)
    require_pull_request(event, posts=not (dry or options.report))
    scope = read_scope(app.project(for_guard=True), event, options.base)

    @contextmanager
    def session_on(project: Project) -> Iterator[Session]:
        with _opened(app, options, project, scope.planned.base) as session:
            yield session

    job = build_job(app.environ, options.environments, options.shard, dry=dry)
    with _forge_opener(app, event) as opener:
        report = run_plan_job(scope, event, job, session_on, opener)
    if options.report:
        return _write_report(app, app.cwd / options.report, report)
    return publish_review(
        app, scope, event, CollectedReports((report,)), dry=dry, command="ci plan", files=files
    )


def _opened(
    app: App, options: CiPlanOptions, project: Project, hook_base: str | None
) -> AbstractContextManager[Session]:
    from orchestrator.cli.support.session import run_session

    trigger = "ci" if app.environ.get("CI") else "local"
    return run_session(
        app, parallelism=options.parallelism, trigger=trigger, project=project, hook_base=hook_base
    )


@contextmanager
def _forge_opener(app: App, event: Event | None) -> Iterator[Callable[[], Forge] | None]:
    """A function that opens the forge of a pull request or a merge group; None for another event.

    A merge group is always compared with what was approved, so its forge is opened at once.
    """
    from contextlib import ExitStack
    from functools import cache

    from orchestrator.forge.factory import open_forge

    with ExitStack() as stack:
        opener = cache(lambda: stack.enter_context(open_forge(app.environ)))
        if event is None or not event.is_reviewed:
            yield None
            return
        if event.kind == "merge_group":
            try:
                opener()
            except UsageError as error:
                app.note(f"Not compared with what was approved: {error.message} The apply will compare it.")
                yield None
                return
        yield opener


def _write_report(app: App, folder: Path, report: PlanReport) -> int:
    """Writes the report for the job that comments; returns the exit code."""
    from orchestrator.cli.support.plan_review import review_outputs
    from orchestrator.forge.factory import set_outputs
    from orchestrator.report.words import plural
    from orchestrator.review.plan_reports import write_report
    from orchestrator.review.pull_request.documents import build_document
    from orchestrator.review.pull_request.plan_job import exit_code

    path = write_report(folder, report)
    code = exit_code(report.review)
    outputs = {**review_outputs(report.review, code), "report": str(path)}
    set_outputs(app.environ, outputs)
    if app.json:
        return app.emit("ci plan", code, **build_document(report.review, report=str(path)))
    app.write(f"{plural(len(report.review.stacks), 'stack')} in {path}")
    for note in report.review.notes:
        app.note(note)
    return code
