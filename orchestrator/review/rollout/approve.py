"""`infra ci approve`: opens a pull request without changes whose merge approves what is pending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.engine.session import Session
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import UsageError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.report.escape import cell, cell_code, code
from orchestrator.report.markdown import row, table
from orchestrator.repository.model import Project
from orchestrator.review.pending_changes import APPROVE_PREFIX, is_approval_for
from orchestrator.review.rollout.compare import find_pending

SHORT = 10
# Rows of the table; the comment with the plans has them all.
MOST = 200


@dataclass(frozen=True)
class ApprovalProposal:
    """A pull request to open: `commit` is trunk's newest, `pending` maps pending stacks to the reason."""

    environment: str
    trunk: str
    commit: str
    pending: Mapping[str, str]

    @property
    def branch(self) -> str:
        """`approve/ENV/SHORT-COMMIT`: one for each commit of trunk."""
        return f"{APPROVE_PREFIX}/{self.environment}/{self.commit[:SHORT]}"

    @property
    def title(self) -> str:
        """The title of the pull request."""
        return f"Approve what is pending in {self.environment} at {self.commit[:SHORT]}"

    @property
    def body(self) -> str:
        """The Markdown body: what will be applied, and what approving and merging does."""
        name, trunk = code(self.environment), code(self.trunk)
        rows = [row((cell_code(id_), cell(why))) for id_, why in list(self.pending.items())[:MOST]]
        omitted = len(self.pending) - len(rows)
        more = f"\n\nand {omitted} more" if omitted else ""
        return (
            f"This changes no file. {trunk} owes these stacks of {name} something that nobody has approved "
            f"yet, or that is no longer what was approved:\n\n"
            f"{table(('Stack', 'Why'), rows)}{more}\n\n"
            f"A comment below shows their plans, as they are now. Approve and merge this, and exactly that "
            f"is applied. If it is not what you want, close this and change the code."
        )


def build_proposal(session: Session, environment: str) -> ApprovalProposal:
    """Builds the proposal for an environment at origin's trunk. Raises GitError and StateError."""
    project = session.context.project
    if environment not in project.order.all:
        raise UsageError(
            f"There is no environment {environment!r}.",
            advice=f"There are {', '.join(project.order.all) or 'none'}.",
        )
    trunk = project.trunk_branch
    commit = project.repository.fetch(trunk)
    with at_commit(session, commit) as trunk_session:
        pending, request = find_pending(trunk_session.memory, environment)
    readers = {id_: f"it reads {', '.join(of)}" for id_, of in request.dependents.items()}
    return ApprovalProposal(environment, trunk, commit, {**pending, **readers})


def find_open_proposal(forge: Forge, proposal: ApprovalProposal) -> PullRequest | None:
    """The open pull request for the same commit of trunk, if there is one."""
    pull_requests = forge.open_pull_requests(proposal.trunk)
    return next(
        (pull_request for pull_request in pull_requests if pull_request.head_ref == proposal.branch), None
    )


def find_outdated_proposals(forge: Forge, proposal: ApprovalProposal) -> list[PullRequest]:
    """The open pull requests for the same environment and an older commit of trunk."""
    pull_requests = forge.open_pull_requests(proposal.trunk)
    return [
        pull_request
        for pull_request in pull_requests
        if is_approval_for(pull_request, proposal.environment) and pull_request.head_ref != proposal.branch
    ]


def open_proposal(project: Project, forge: Forge, proposal: ApprovalProposal) -> PullRequest:
    """Pushes the branch with its empty commit, and opens the pull request."""
    repository = project.repository
    repository.push(repository.empty_commit(proposal.commit, proposal.title), proposal.branch)
    return forge.create_pull_request(proposal.title, proposal.body, proposal.branch, proposal.trunk)


def is_approval_required(forge: Forge) -> bool:
    """Whether workflows on a pull request of this token wait for a person's approval."""
    return forge.login == forge.words.job_login
