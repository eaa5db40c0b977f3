"""Whether an owner of a lock file wrote or approved the head of a pull request that changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.errors import ConfigError, GitError, HostError, UsageError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.project.model import Project
from orchestrator.review.owners import Owners, owners_of
from orchestrator.review.reviewers import Reviewers


@dataclass
class LockFileApproval:
    """Asks GitHub, when first asked itself, who wrote and who approved one head.

    `base` is the project at trunk, whose CODEOWNERS counts. `head` is the commit that is planned; it is empty
    in a merge queue, where the commit is the queue's own: there an approval counts for the files that the
    group's pull request changes itself. `open_host` gives the host.
    """

    base: Project
    number: int
    head: str
    open_host: Callable[[], Host]
    _answers: dict[str, str] = field(default_factory=dict, repr=False)

    def missing(self, path: str) -> str:
        """Why no owner of a path counts as author or approver; empty where one does. Raises nothing."""
        if path not in self._answers:
            try:
                self._answers[path] = self._missing(path)
            except (ConfigError, GitError, HostError, UsageError) as error:
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
        """Whether all who wrote the pull request are owners: of several, nobody knows who wrote this file."""
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
    def _host(self) -> Host:
        return self.open_host()

    @cached_property
    def _owners(self) -> Owners:
        return owners_of(self.base, self._host.teams)

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
