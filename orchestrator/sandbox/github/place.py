"""One repository with what is needed to work on it, and what all its resources share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.sandbox.github.errors import not_found
from orchestrator.sandbox.github.git import Git
from orchestrator.sandbox.github.model import Dispatch, Event, Issue, Label, Repository, World

Clock = Callable[[], datetime]
Hook = Callable[[Dispatch], None]


@dataclass
class Place:
    """A repository, its git side and the clock. `hook` is called, in a thread, with each workflow that is
    asked for."""

    world: World
    repository: Repository
    git: Git
    clock: Clock
    hook: Hook | None = field(default=None)

    def now(self) -> str:
        """The time as GitHub writes it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def next_id(self) -> int:
        """An id that nothing has yet."""
        return self.world.next_id()

    def issue(self, number: int | str) -> Issue:
        """An issue or a pull request; 404 when there is none."""
        found = self.repository.issues.get(str(number))
        if found is None:
            raise not_found()
        return found

    def pull(self, number: int | str) -> Issue:
        """A pull request; 404 when the number is none's."""
        found = self.issue(number)
        if found.pull is None:
            raise not_found()
        return found

    def label(self, name: str) -> Label:
        """A label by its name in any case, made when there is none yet."""
        for known in self.repository.labels.values():
            if known.name.lower() == name.lower():
                return known
        made = self.repository.labels[name] = Label(self.next_id(), name)
        return made

    def note(self, issue: Issue, kind: str, actor: str, *, commit: str = "", **detail: object) -> Event:
        """Write down what happened to an issue."""
        event = Event(self.next_id(), kind, actor, self.now(), commit, self.app_of(actor), detail)
        issue.events.append(event)
        issue.updated_at = event.at
        return event

    def app_of(self, login: str) -> str:
        """The slug of the app whose bot this is; '' for a person."""
        return login.removesuffix("[bot]") if login.endswith("[bot]") else ""
