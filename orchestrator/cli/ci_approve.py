"""`infra ci approve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.project.model import Project

if TYPE_CHECKING:
    from orchestrator.ci.landing.approving import Proposal

EPILOG = """\b
Examples:
  infra ci approve prod --dry-run     what prod is owed, and the pull request that would be opened
  infra ci approve prod               open it; its review and merge approve what it shows

GITHUB_REPOSITORY is OWNER/NAME, the token your own: `export GH_TOKEN="$(gh auth token)"`.
"""

HELD = (
    "It was opened with a workflow's own token: GitHub holds its jobs back until somebody with write access "
    "lets them run, on its page. With a person's or an app's token they run at once."
)


@dataclass(frozen=True, kw_only=True)
class CiApproveOptions(JsonOptions):
    """The options of `infra ci approve`."""

    environment: str
    dry_run: bool


@click.command(epilog=EPILOG)
@click.argument("environment", metavar="ENV")
@click.option("--dry-run", is_flag=True, help="Print the pull request instead of opening it.")
@json_option
@with_options(CiApproveOptions)
def command(app: App, options: CiApproveOptions) -> int:
    """Ask for the approval of what an environment is owed, in one step.

    For plans that are no longer what was approved, and where GitHub's environments have no reviewers. Opens a
    pull request from a branch with an empty commit on trunk; its plan shows what will be applied, and its
    merge, reviewed as any other, applies exactly that.
    """
    from orchestrator.ci.landing.approving import propose
    from orchestrator.cli.running import quick_session

    session = quick_session(app, app.project())
    try:
        proposal = propose(session, options.environment)
        if not proposal.owed or options.dry_run:
            return _shown(app, proposal)
        return _opened(app, session.context.project, proposal)
    finally:
        session.close()


def _shown(app: App, proposal: Proposal) -> int:
    if app.json:
        return app.emit("ci approve", **_document(proposal), pull_request=None)
    if not proposal.owed:
        app.write(f"{proposal.environment}: nothing to approve; {proposal.trunk} owes it nothing.")
        return 0
    app.write(f"{proposal.title}\n  from {proposal.branch} into {proposal.trunk}\n\n{proposal.body}")
    return 0


def _opened(app: App, project: Project, proposal: Proposal) -> int:
    """Open it, unless it is open already."""
    from orchestrator.ci.landing.approving import is_held, open_it, outdated, standing
    from orchestrator.hosts.github import open_host

    with open_host(app.environ) as host:
        found = standing(host, proposal)
        opened = found or open_it(project, host, proposal)
        older = outdated(host, proposal)
        held = found is None and is_held(host)
    if app.json:
        return app.emit(
            "ci approve", **_document(proposal), pull_request=opened.number, url=opened.url, held=held
        )
    app.write(f"#{opened.number} {'is open already' if found else 'was opened'}: {opened.url}")
    for one in older:
        app.note(f"#{one.number} is about an older commit of {proposal.trunk}: close it.")
    if held:
        app.note(HELD)
    return 0


def _document(proposal: Proposal) -> dict[str, Any]:
    return {
        "environment": proposal.environment,
        "branch": proposal.branch,
        "commit": proposal.commit,
        "owed": dict(proposal.owed),
        "body": proposal.body,
    }
