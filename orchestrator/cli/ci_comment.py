"""`infra ci comment`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.forge.event import Event

MATRIX = "matrix"
MATRIX_ARTIFACT = "infra-matrix"

EPILOG = """\b
Examples:
  infra ci comment reports            in a job: one comment and the checks, from all plan jobs' reports
  infra ci comment --started          mark the plan of an earlier head as outdated
  infra ci comment reports --dry-run  print what would be posted
  infra ci comment reports --environment prod --pending 2    after an apply, also one that was cancelled
  infra ci comment reports --sarif infra.sarif   and the findings, for GitHub's code scanning
"""


@dataclass(frozen=True, kw_only=True)
class CiCommentOptions(JsonOptions):
    """The options of `infra ci comment`."""

    folders: tuple[str, ...]
    started: bool
    dry_run: bool
    sarif: str | None
    base: str | None
    environment: str
    pending: str


@click.command(epilog=EPILOG)
@click.argument("folders", nargs=-1, metavar="DIR...", type=click.Path())
@click.option(
    "--started", is_flag=True, help="Mark the existing comment as outdated, because a newer plan has started."
)
@click.option("--dry-run", is_flag=True, help="Print the comment and the checks instead of posting them.")
@click.option("--sarif", metavar="FILE", help="Write the findings of guard and policy to FILE as SARIF.")
@click.option("--base", metavar="REF", help="Compare with the merge base of REF.")
@click.option(
    "--environment",
    metavar="ENV",
    default="",
    help="Post that ENV was not applied, for an apply that left no report.",
)
@click.option("--pending", metavar="N", default="", help="The number of pending stacks of ENV.")
@json_option
@with_options(CiCommentOptions)
def command(app: App, options: CiCommentOptions) -> int:
    """Post the results of the plan jobs to a pull request: a comment, a check per environment, a summary.

    Runs no Terraform and needs no cloud account. A stack that no report has is "not planned", and its
    environment's check is red. Reports of `infra ci apply` are posted to the pull requests that were merged.

    Needs DIR, except with --started.
    """
    from orchestrator.cli.support.plan_review import (
        ReviewFiles,
        explain_unplanned,
        publish_review,
        reject_unplanned,
        require_pull_request,
    )
    from orchestrator.forge.factory import read_event
    from orchestrator.review.plan_reports import read_reports
    from orchestrator.review.pull_request.scope import read_scope

    event = read_event(app.environ)
    reason = explain_unplanned(app, event)
    if event and reason:
        return reject_unplanned(app, event, reason, "ci comment")
    if options.started:
        return _mark_outdated(app, event)
    if not options.folders:
        raise UsageError("Whose reports?", advice="Name the folders: `infra ci comment reports`.")
    paths = [app.cwd / folder for folder in options.folders]
    code = _publish_rollouts(app, event, paths, options.environment, options.pending)
    if code is not None:
        return code
    require_pull_request(event, posts=not options.dry_run)
    scope = read_scope(app.project(), event, options.base)
    return publish_review(
        app,
        scope,
        event,
        read_reports(paths),
        dry=options.dry_run,
        command="ci comment",
        expected=_read_matrix(paths),
        files=ReviewFiles(sarif=options.sarif),
        hook_folders=paths,
    )


def _mark_outdated(app: App, event: Event | None) -> int:
    """Marks the comment of an earlier plan as outdated; returns the exit code."""
    from orchestrator.forge.factory import add_summary, open_forge
    from orchestrator.forge.outbox import Outbox
    from orchestrator.review.pull_request import publish

    if event is None or not event.is_reviewed:
        raise UsageError("There is no pull request to comment on.", advice="--started is for a job of one.")
    outbox = Outbox()
    with open_forge(app.environ) as forge:
        comment = publish.mark_outdated(forge, event, outbox)
    for failure in outbox.failures:
        app.note(f"error: GitHub could not be updated: {failure}")
    add_summary(app.environ, outbox.summary)
    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        return app.emit("ci comment", code, run=None, stacks=[], comment=comment, unpublished=outbox.failures)
    app.write(f"comment: {comment}")
    return code


def _read_matrix(folders: Sequence[Path]) -> tuple[str, ...]:
    """The stacks in the matrix file among the reports; empty without one."""
    from orchestrator.engine import shards
    from orchestrator.engine.job_reports import LARGEST, find_artifacts
    from orchestrator.jsontext import read_object
    from orchestrator.review.plan_reports import ARTIFACT_PREFIX

    stacks: dict[str, None] = {}
    for path, artifact in find_artifacts(folders, MATRIX).items():
        # A plan job could write one too.
        if artifact.startswith(ARTIFACT_PREFIX) and artifact != MATRIX_ARTIFACT:
            continue
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("it is too large")
            stacks.update(dict.fromkeys(shards.read_matrix_stacks(read_object(path.read_bytes()))))
        except ValueError as error:
            raise UsageError(f"{path.name} is no matrix.", advice="`infra affected --matrix`.") from error
    return tuple(stacks)


def _publish_rollouts(
    app: App, event: Event | None, folders: Sequence[Path], environment: str = "", pending: str = ""
) -> int | None:
    """Publishes the results of applies; None when the reports are of plans. Returns the exit code.

    Reports of applies are not accepted from jobs of a pull request, which run its code. Without a report,
    `environment` is published as not applied; `pending` is the number of its pending stacks, as text.
    """
    from datetime import UTC, datetime

    from orchestrator.cli.support.rollout import make_job_facts
    from orchestrator.forge.factory import add_summary, open_forge
    from orchestrator.forge.owners import owners_by_stack
    from orchestrator.notify.send import Sender, describe_failures
    from orchestrator.report.rollout_comment import render_rollout_summary
    from orchestrator.review.rollout.notifications import list_rollout_notifications
    from orchestrator.review.rollout.results import build_unapplied_result, publish_results, validate_results

    if event and event.is_reviewed:
        return None
    project = app.project()
    if environment:
        # Where no job applied anything there is no artifact, and the download makes no folder.
        folders = [folder for folder in folders if folder.exists()]
    results, foreign = validate_results(folders, project, event.commit if event else "")
    if environment and not (results or foreign):
        known = (*project.order.all, *project.environments_without_stacks)
        if environment not in known:
            raise UsageError(
                f"There is no environment {environment}.", advice=f"There are {', '.join(known)}."
            )
        number = event.pull_request if event else None
        is_pending = pending.strip() != "0"
        results = (
            build_unapplied_result(
                make_job_facts(app, project), environment, is_pending=is_pending, requested_by=number
            ),
        )
    if not (results or foreign):
        return None
    with open_forge(app.environ) as forge:
        outbox = publish_results(forge, project, results)
    outbox.failures += foreign
    sender = Sender.of_job(project.config, app.environ, datetime.now(UTC))
    notifications = list_rollout_notifications(results, owners_by_stack(project))
    outbox.unsent += describe_failures(sender.send(notifications))
    add_summary(app.environ, "\n".join(map(render_rollout_summary, results)) + outbox.summary)
    for failure in outbox.failures:
        app.note(f"error: GitHub could not be updated: {failure}")
    for problem in outbox.unsent:
        app.note(f"warning: {problem}")
    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        states = {result.environment: result.state for result in results}
        content = {"environments": states, "unpublished": outbox.failures, "unsent": outbox.unsent}
        return app.emit("ci comment", code, run=None, stacks=[], **content)
    for result in results:
        app.write(f"{result.environment}: {result.state}")
    return code
