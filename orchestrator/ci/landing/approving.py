"""`infra ci approve`: a pull request without a change, whose merge approves what an environment is owed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.ci.landing.comparing import owed_request
from orchestrator.engine.session import Session
from orchestrator.engine.worktrees import at_commit
from orchestrator.errors import UsageError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.project.model import Project
from orchestrator.report.escape import cell, cell_code, code
from orchestrator.report.markdown import row, table
from orchestrator.review.pending import APPROVE, approves, trunk_branch

SHORT = 10
# Rows of the table; the comment with the plans has them all.
MOST = 200
BOT = "github-actions[bot]"


@dataclass(frozen=True)
class Proposal:
    """A pull request to open: `commit` is trunk's newest, `owed` the stacks that are owed, with why."""

    environment: str
    trunk: str
    commit: str
    owed: Mapping[str, str]

    @property
    def branch(self) -> str:
        """`approve/ENV/SHORT-COMMIT`: one for each commit of trunk."""
        return f"{APPROVE}/{self.environment}/{self.commit[:SHORT]}"

    @property
    def title(self) -> str:
        """What it is there for."""
        return f"Approve what {self.environment} is owed at {self.commit[:SHORT]}"

    @property
    def body(self) -> str:
        """What will be applied, and what its approval and its merge do; Markdown."""
        name, trunk = code(self.environment), code(self.trunk)
        rows = [row((cell_code(id_), cell(why))) for id_, why in list(self.owed.items())[:MOST]]
        left = len(self.owed) - len(rows)
        more = f"\n\nand {left} more" if left else ""
        return (
            f"This changes no file. {trunk} owes these stacks of {name} something that nobody has approved "
            f"yet, or that is no longer what was approved:\n\n"
            f"{table(('Stack', 'Why'), rows)}{more}\n\n"
            f"A comment below shows their plans, as they are now. Approve and merge this, and exactly that "
            f"is applied. If it is not what you want, close this and change the code."
        )


def propose(session: Session, environment: str) -> Proposal:
    """What there is to approve for an environment at origin's trunk. Raises GitError and StateError."""
    project = session.context.project
    if environment not in project.order.all:
        raise UsageError(
            f"There is no environment {environment!r}.",
            advice=f"There are {', '.join(project.order.all) or 'none'}.",
        )
    trunk = trunk_branch(project)
    commit = project.repository.fetch(trunk)
    with at_commit(session, commit) as there:
        owed, request = owed_request(there.memory, environment)
    readers = {id_: f"it reads {', '.join(of)}" for id_, of in request.followers.items()}
    return Proposal(environment, trunk, commit, {**owed, **readers})


def standing(host: Host, proposal: Proposal) -> PullRequest | None:
    """The pull request that is open for this already: of the same commit of trunk."""
    found = host.open_pull_requests(proposal.trunk)
    return next((one for one in found if one.head_ref == proposal.branch), None)


def outdated(host: Host, proposal: Proposal) -> list[PullRequest]:
    """Those that are open for the same environment and an older commit of trunk."""
    found = host.open_pull_requests(proposal.trunk)
    return [one for one in found if approves(one, proposal.environment) and one.head_ref != proposal.branch]


def open_it(project: Project, host: Host, proposal: Proposal) -> PullRequest:
    """Push the branch with its empty commit, and open the pull request."""
    repository = project.repository
    repository.push(repository.empty_commit(proposal.commit, proposal.title), proposal.branch)
    return host.create_pull_request(proposal.title, proposal.body, proposal.branch, proposal.trunk)


def is_held(host: Host) -> bool:
    """Whether workflows on a pull request of this token wait until a person lets them run."""
    return host.login == BOT
