"""`infra ci plan`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

if TYPE_CHECKING:
    from orchestrator.engine.session import Session
    from orchestrator.project.model import Project

EPILOG = """\b
Examples:
  infra ci plan --dry-run                     what a pull request from this branch would be told
  infra ci plan --dry-run --base HEAD~1       compared with another commit than trunk
  infra ci plan                               in a job: plan, comment, post the checks
  infra ci plan --env dev --report reports    in a job that may write nothing on GitHub
  infra ci plan --env dev --shard 2/3 --report reports    one part of a matrix (infra affected --matrix)

A job that plans for a matrix gets `matrix.stacks` as INFRA_STACKS. A plan of one stack alone is asked for by
INFRA_STACK.
"""


@dataclass(frozen=True, kw_only=True)
class CiPlanOptions(JsonOptions):
    """The options of `infra ci plan`; `shard` is I/N."""

    environments: tuple[str, ...]
    shard: str | None
    report: str | None
    dry_run: bool
    sarif: str | None
    base: str | None
    parallelism: int | None


@click.command(epilog=EPILOG)
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Only this environment.")
@click.option("--shard", metavar="I/N", help="Only this part of an environment.")
@click.option(
    "--report", metavar="DIR", help="Write DIR/plan-ENV-I.json for `infra ci comment`; post nothing."
)
@click.option("--dry-run", is_flag=True, help="Print comment and checks instead of posting them.")
@click.option("--sarif", metavar="FILE", help="Write the findings of guard and policy to FILE as SARIF.")
@click.option("--base", metavar="REF", help="Compare with where the work parted from REF.")
@click.option("--parallelism", type=click.IntRange(1), metavar="N", help="Stacks at once.")
@json_option
@with_options(CiPlanOptions)
def command(app: App, options: CiPlanOptions) -> int:
    """Plan what a pull request changes, for its review.

    Every affected stack is planned, the followers that its outputs move, and deleted stacks with the code
    that they had. Guard, policy and approvals are ruled by trunk's infra.yaml. Nothing is locked or applied.
    """
    from orchestrator.ci.event import event_of
    from orchestrator.ci.reports import Gathered
    from orchestrator.ci.review.plan_job import job_of, run
    from orchestrator.ci.review.scope import scope_of
    from orchestrator.cli.ci_telling import for_whom, host_when_needed, refused_to_fork, report_written, told

    event = event_of(app.environ)
    if event and event.is_fork:
        return refused_to_fork(app, event, "ci plan")
    dry = options.dry_run
    for_whom(event, posts=not (dry or options.report))
    scope = scope_of(app.project(for_guard=True), event, options.base)

    @contextmanager
    def session_on(project: Project) -> Iterator[Session]:
        with _opened(app, options, project) as session:
            yield session

    job = job_of(app.environ, options.environments, options.shard, dry=dry)
    with host_when_needed(app, event) as host_opener:
        report = run(scope, event, job, session_on, host_opener)
    if options.report:
        return report_written(app, app.cwd / options.report, report)
    return told(app, scope, event, Gathered((report,)), dry=dry, command="ci plan", sarif_file=options.sarif)


def _opened(app: App, options: CiPlanOptions, project: Project) -> AbstractContextManager[Session]:
    from orchestrator.cli.running import opened

    trigger = "ci" if app.environ.get("CI") else "local"
    return opened(app, parallelism=options.parallelism, trigger=trigger, project=project)
