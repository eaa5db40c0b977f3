"""Pull requests with files that a command writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.cli.app import App
    from orchestrator.repository.model import Project


@dataclass(frozen=True)
class FilesProposal:
    """A pull request to open: its new branch, and its texts. `body` is Markdown."""

    branch: str
    title: str
    body: str


def propose_files(
    app: App, project: Project, proposal: FilesProposal, write: Callable[[], Iterable[str]]
) -> str:
    """Switches to a new branch, lets `write` write files, commits, pushes and opens a pull request.

    `write` returns paths from the project's root. Returns the pull request's address. Raises UsageError where
    the branch would hold anything else, before a file is written; GitError, and ForgeError.
    """
    from orchestrator.forge.factory import open_forge

    repository, trunk = project.repository, project.trunk_branch
    if repository.uncommitted(""):
        raise UsageError("There are uncommitted changes.", advice="Commit them first, or use a fresh clone.")
    head = repository.head()
    if head is None or not repository.is_ancestor(head, repository.fetch(trunk)):
        raise UsageError(
            f"HEAD has commits that are not on {trunk} at origin, which would be in the pull request.",
            advice=f"`git switch {trunk}` first.",
        )
    with open_forge(app.environ) as forge:
        repository.start_branch(proposal.branch)
        commit = repository.commit_paths(list(write()), proposal.title)
        repository.push(commit, proposal.branch)
        return forge.create_pull_request(proposal.title, proposal.body, proposal.branch, trunk).url
