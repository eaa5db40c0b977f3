"""`infra plan`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    DisplayOptions,
    JsonOptions,
    RequestOptions,
    display_options,
    json_option,
    pending_option,
    selection_options,
    terraform_options,
    with_options,
)

if TYPE_CHECKING:
    from orchestrator.errors import BlockedError
    from orchestrator.repository.model import Finding, Project

# Findings of the guard that are printed before the rest is only counted.
SHOWN = 10
EPILOG = """\b
Examples:
  infra plan                       what differs from trunk, uncommitted files included
  infra plan dev                   every stack of dev
  infra plan 'prod/*' --json       for a program
  infra plan dev --out plans       save the plans; `infra apply --plan plans` applies them
  infra plan --pending             every stack with unapplied changes on trunk
  infra plan --all --detailed-exitcode    exit 2 when something would change
  infra plan prod --exclude '*/legacy' --tag network    some stacks of prod
  infra plan --all --diff short    one line for each resource; --summary prints only the table
"""


@dataclass(frozen=True, kw_only=True)
class PlanCommandOptions(RequestOptions, DisplayOptions, JsonOptions):
    """The options of `infra plan`."""

    destroy: bool
    pending: bool
    out: str | None
    detailed_exitcode: bool


@click.command(epilog=EPILOG)
@selection_options
@click.option("--destroy", is_flag=True, help="Plan the destruction of the stacks.")
@pending_option
@terraform_options
@display_options
@click.option("--out", metavar="DIR", help="Save the plan files in DIR, readable only by you.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if there are changes.")
@json_option
@with_options(PlanCommandOptions)
def command(app: App, options: PlanCommandOptions) -> int:
    """Show what Terraform would change. Without a name, in the stacks that differ from trunk.

    Takes no lock, and changes neither a state nor the checkout.
    """
    from orchestrator.cli.support.session import (
        given_variables,
        make_run_request,
        print_result,
        run_session,
    )
    from orchestrator.engine import pipeline

    with run_session(
        app, parallelism=options.parallelism, variables=given_variables(app, options)
    ) as session:
        request = make_run_request(
            app,
            session,
            options,
            destroy=options.destroy,
            pending=options.pending,
            out=app.cwd / options.out if options.out else None,
            detailed=options.detailed_exitcode,
            shows_only=True,
        )
        check_guard(app, session.context.project, (*request.stacks, *request.dependents))
        return print_result(app, pipeline.plan(session, request), paged=True)


def check_guard(app: App, project: Project, stacks: Iterable[str]) -> None:
    """Checks planned stacks that differ from trunk with the guard, as `guard.local` on trunk says.

    Does nothing in CI, where the guard runs before the plan; on the sandbox with real providers; and where
    trunk is unknown. Prints warnings; raises BlockedError with `guard.local: refuse`.
    """
    from orchestrator.engine.origin import is_ci
    from orchestrator.errors import GitError
    from orchestrator.guard.check import ON_TRUNK, check_project, planned_stacks
    from orchestrator.report.findings import format_location
    from orchestrator.repository.affected import base_commit, load_base
    from orchestrator.terraform.environment import in_sandbox

    if is_ci(app.environ) or (in_sandbox(app.environ) and app.environ.get("INFRA_SANDBOX_REAL")):
        return
    try:
        base = base_commit(project)
    except GitError:
        return
    before, _ = load_base(project, base)
    if before is None:
        return
    rules = before.config.guard
    if rules.local == "off":
        return
    planned = set(stacks)
    changed_stacks = [stack for stack in planned_stacks(project, before) if stack in planned]
    changed = project.repository.changed_paths(base) if base else ()
    findings = check_project(project, before, changed, rules, stacks=changed_stacks).findings
    refused = [
        finding
        for finding in findings
        if finding.severity == "error" and not finding.message.endswith(ON_TRUNK)
    ]
    if not refused:
        return
    if rules.local == "refuse":
        raise _guard_error(refused)
    for finding in refused[:SHOWN]:
        app.note(f"warning: {format_location(finding)}: {finding.message} [{finding.code}]")
    more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    app.note(f"A pull request would be refused for this{more}: `infra guard` says how to allow it.")


def _guard_error(refused: list[Finding]) -> BlockedError:
    from orchestrator.errors import BlockedError

    first = refused[0]
    more = f" And {len(refused) - 1} more." if len(refused) > 1 else ""
    return BlockedError(
        f"The guard refuses what differs from trunk: {first.message}{more}",
        advice=f"{first.advice} `infra guard` shows all of it; `guard.local: warn` on trunk only warns.",
        file=first.file,
        line=first.line,
        stack=first.stack,
    )
