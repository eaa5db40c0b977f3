"""One repository with everything needed to work on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.sandbox.github.errors import not_found
from orchestrator.sandbox.github.git import Git
from orchestrator.sandbox.github.model import (
    Dispatch,
    GitHubWorld,
    HostedRepository,
    IssueRecord,
    Label,
    TimelineEvent,
)

Clock = Callable[[], datetime]
Hook = Callable[[Dispatch], None]


@dataclass
class RepositoryService:
    """A repository, its git side and the clock. `hook` is called, in a thread, with each workflow that is
    requested."""

    world: GitHubWorld
    repository: HostedRepository
    git: Git
    clock: Clock
    hook: Hook | None = field(default=None)

    def now(self) -> str:
        """The time as GitHub writes it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_id(self) -> int:
        """An id that nothing has yet."""
        return self.world.next_id()

    def issue(self, number: int | str) -> IssueRecord:
        """An issue or a pull request; 404 when there is none."""
        issue = self.repository.issues.get(str(number))
        if issue is None:
            raise not_found()
        return issue

    def pull(self, number: int | str) -> IssueRecord:
        """A pull request; 404 when the number is none's."""
        issue = self.issue(number)
        if issue.pull is None:
            raise not_found()
        return issue

    def label(self, name: str) -> Label:
        """A label by its name in any case, created if it is missing."""
        for label in self.repository.labels.values():
            if label.name.lower() == name.lower():
                return label
        label = self.repository.labels[name] = Label(self.next_id(), name)
        return label

    def note(
        self, issue: IssueRecord, kind: str, actor: str, *, commit: str = "", **detail: object
    ) -> TimelineEvent:
        """Record an event of an issue."""
        event = TimelineEvent(self.next_id(), kind, actor, self.now(), commit, self.app_of(actor), detail)
        issue.events.append(event)
        issue.updated_at = event.at
        return event

    def app_of(self, login: str) -> str:
        """The slug of the app whose bot this is; '' for a person."""
        return login.removesuffix("[bot]") if login.endswith("[bot]") else ""
