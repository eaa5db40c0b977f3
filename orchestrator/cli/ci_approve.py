"""`infra ci approve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_environments
from orchestrator.repository.model import Project

if TYPE_CHECKING:
    from orchestrator.review.rollout.approve import ApprovalProposal

EPILOG = """\b
Examples:
  infra ci approve prod --dry-run     what is pending in prod, and the pull request that would be opened
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
@click.argument("environment", metavar="ENV", shell_complete=complete_environments)
@click.option("--dry-run", is_flag=True, help="Print the pull request instead of opening it.")
@json_option
@with_options(CiApproveOptions)
def command(app: App, options: CiApproveOptions) -> int:
    """Open a pull request whose merge approves the pending changes of an environment.

    Use it if a plan differs from the approved one, or if GitHub's environments have no reviewers. The pull
    request has an empty commit on trunk. Its plan shows what will be applied, and its reviewed merge applies
    exactly that.
    """
    from orchestrator.cli.support.session import read_only_session
    from orchestrator.review.rollout.approve import build_proposal

    session = read_only_session(app, app.project())
    try:
        proposal = build_proposal(session, options.environment)
        if not proposal.pending or options.dry_run:
            return _shown(app, proposal)
        return _opened(app, session.context.project, proposal)
    finally:
        session.close()


def _shown(app: App, proposal: ApprovalProposal) -> int:
    if app.json:
        return app.emit("ci approve", **_document(proposal), pull_request=None)
    if not proposal.pending:
        app.write(f"{proposal.environment}: nothing to approve; no stack is pending.")
        return 0
    app.write(f"{proposal.title}\n  from {proposal.branch} into {proposal.trunk}\n\n{proposal.body}")
    return 0


def _opened(app: App, project: Project, proposal: ApprovalProposal) -> int:
    """Open it, unless it is open already."""
    from orchestrator.forge.factory import open_forge
    from orchestrator.review.rollout.approve import (
        find_open_proposal,
        find_outdated_proposals,
        is_approval_required,
        open_proposal,
    )

    with open_forge(app.environ) as forge:
        pull_request = find_open_proposal(forge, proposal)
        opened = pull_request or open_proposal(project, forge, proposal)
        older = find_outdated_proposals(forge, proposal)
        is_waiting = pull_request is None and is_approval_required(forge)
    if app.json:
        return app.emit(
            "ci approve",
            **_document(proposal),
            pull_request=opened.number,
            url=opened.url,
            workflows_held=is_waiting,
        )
    app.write(f"#{opened.number} {'is open already' if pull_request else 'was opened'}: {opened.url}")
    for outdated_pull_request in older:
        app.note(f"#{outdated_pull_request.number} is about an older commit of {proposal.trunk}: close it.")
    if is_waiting:
        app.note(HELD)
    return 0


def _document(proposal: ApprovalProposal) -> dict[str, Any]:
    return {
        "environment": proposal.environment,
        "branch": proposal.branch,
        "commit": proposal.commit,
        "pending": dict(proposal.pending),
        "body": proposal.body,
    }
