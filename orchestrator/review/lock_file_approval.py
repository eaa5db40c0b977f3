"""Checks that an owner of a changed lock file wrote or approved the head of the pull request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.errors import ConfigError, ForgeError, GitError, UsageError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.forge.owners import Owners, read_owners
from orchestrator.repository.model import Project
from orchestrator.review.reviewers import Reviewers


@dataclass
class LockFileApproval:
    """Checks the authors and reviewers of one head; the forge is asked on first use.

    `base` is the project at trunk, whose CODEOWNERS counts. `head` is the commit that is planned; it is empty
    in a merge queue, where the commit is the queue's own: there an approval counts for the files that the
    pull request changes itself. `open_host` opens the forge.
    """

    base: Project
    number: int
    head: str
    open_host: Callable[[], Forge]
    _answers: dict[str, str] = field(default_factory=dict, repr=False)

    def missing(self, path: str) -> str:
        """Why no owner of a path counts as author or approver; empty if one does. Never raises."""
        if path not in self._answers:
            try:
                self._answers[path] = self._missing(path)
            except (ConfigError, GitError, ForgeError, UsageError) as error:
                self._answers[path] = f"Whether an owner approves it cannot be told: {error.message}"
        return self._answers[path]

    def _missing(self, path: str) -> str:
        owners = self._owners.of(path)
        if not owners:
            return f"CODEOWNERS on trunk names no owner of {path}."
        if self.head and self._pull_request.head != self.head:
            return f"#{self.number} has another head by now."
        if not self.head and f"{self._owners.prefix}{path}" not in self._changed:
            return f"#{self.number} does not change {path} itself."
        unknown: list[str] = []
        if self._is_written_by_owners(owners, unknown) or self._is_approved(owners, unknown):
            return ""
        how = f"Have {' or '.join(owners)} approve #{self.number}, then plan again: `/infra plan`."
        return " ".join((f"No owner of {path} wrote or approved this head.", *dict.fromkeys(unknown), how))

    def _is_written_by_owners(self, owners: tuple[str, ...], unknown: list[str]) -> bool:
        """Whether all authors are owners: with several authors it is unknown who changed this file."""
        authors = sorted(self._reviewers.authors(self._pull_request))
        return bool(authors) and all(self._is_owner(owners, login, unknown) for login in authors)

    def _is_approved(self, owners: tuple[str, ...], unknown: list[str]) -> bool:
        return any(self._is_owner(owners, login, unknown) for login in self._approvers)

    def _is_owner(self, owners: tuple[str, ...], login: str, unknown: list[str]) -> bool:
        try:
            return self._owners.is_owner(owners, login)
        except ConfigError as error:
            unknown.append(error.message)
            return False

    @cached_property
    def _host(self) -> Forge:
        return self.open_host()

    @cached_property
    def _owners(self) -> Owners:
        return read_owners(self.base, self._host.teams)

    @cached_property
    def _pull_request(self) -> PullRequest:
        return self._host.pull_request(self.number)

    @cached_property
    def _reviewers(self) -> Reviewers:
        return Reviewers(self._host, self.base.repository)

    @cached_property
    def _approvers(self) -> tuple[str, ...]:
        return tuple(review.author for review in self._reviewers.approvals(self._pull_request))

    @cached_property
    def _changed(self) -> frozenset[str]:
        return frozenset(self._host.changed_paths(self.number))
