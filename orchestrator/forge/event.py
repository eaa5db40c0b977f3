"""The event that a CI job runs for, independent of the host. All of its text is untrusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["pull_request", "merge_group", "push", "workflow_dispatch", "schedule", "issue_comment"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# A branch of this repository whose merge approves what is pending in an environment: `approve/prod/0123abc`.
_APPROVE = re.compile(r"^approve/(?P<environment>.+)/[0-9a-f]{7,64}")


@dataclass(frozen=True)
class EventComment:
    """The comment that an event is about."""

    id: int
    author: str
    body: str
    is_bot: bool = False


@dataclass(frozen=True)
class Event:
    """An event. Fields that do not apply to its kind are empty; `pull_request` and `comment` are then None.

    `head` is the last commit of the pull request or merge group, `base` the commit of its target branch when
    the event was sent; `base_ref` and `head_ref` are branches. `commit` is the commit that the job runs on:
    for a pull request its merge with trunk. `run` is `RUN_ID-ATTEMPT`, the same in all jobs of one attempt;
    `url` links to the run.
    """

    kind: Kind
    repository: str
    pull_request: int | None
    head: str
    base: str
    base_ref: str
    commit: str
    is_fork: bool
    title: str
    author: str
    labels: tuple[str, ...]
    run: str
    url: str
    ref: str
    head_ref: str = ""
    action: str = ""
    comment: EventComment | None = None

    @property
    def is_reviewed(self) -> bool:
        """Whether the event is of a pull request or a merge group, whose plans are reviewed."""
        return bool(self.head) and (self.pull_request is not None or self.kind == "merge_group")

    @property
    def approves(self) -> str:
        """The environment whose pending changes this pull request approves; empty for any other one."""
        match = _APPROVE.fullmatch(self.head_ref)
        return match["environment"] if match and not self.is_fork else ""
