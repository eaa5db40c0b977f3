"""`infra ci comment`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

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
@click.option("--started", is_flag=True, help="A newer plan begins: mark the one that is there as outdated.")
@click.option("--dry-run", is_flag=True, help="Print comment and checks instead of posting them.")
@click.option("--sarif", metavar="FILE", help="Write the findings of guard and policy to FILE as SARIF.")
@click.option("--base", metavar="REF", help="Compare with where the work parted from REF.")
@click.option(
    "--environment",
    metavar="ENV",
    default="",
    help="Of an apply: where it left no report, tell that ENV was not applied.",
)
@click.option("--pending", metavar="N", default="", help="How many stacks of ENV are pending.")
@json_option
@with_options(CiCommentOptions)
def command(app: App, options: CiCommentOptions) -> int:
    """Tell a pull request what the plan jobs found: one comment, a check for each environment, a summary.

    Runs no Terraform and needs no cloud account. A stack that no report has is "not planned", and its
    environment's check is red. Reports of `infra ci apply` are told to the pull requests that were merged.
    """
    from orchestrator.ci.event import event_of
    from orchestrator.cli.ci_telling import begun, landings_told, matrix_stacks, refused_to_fork, told
    from orchestrator.errors import UsageError

    event = event_of(app.environ)
    if event and event.is_fork:
        return refused_to_fork(app, event, "ci comment")
    if options.started:
        return begun(app, event)
    if not options.folders:
        raise UsageError("Whose reports?", advice="Name the folders: `infra ci comment reports`.")
    paths = [app.cwd / one for one in options.folders]
    landed = landings_told(app, event, paths, options.environment, options.pending)
    if landed is not None:
        return landed
    from orchestrator.ci.reports import read_reports
    from orchestrator.ci.review.scope import scope_of
    from orchestrator.cli.ci_telling import for_whom

    for_whom(event, posts=not options.dry_run)
    scope = scope_of(app.project(), event, options.base)
    return told(
        app,
        scope,
        event,
        read_reports(paths),
        dry=options.dry_run,
        command="ci comment",
        expected=matrix_stacks(paths),
        sarif_file=options.sarif,
    )
