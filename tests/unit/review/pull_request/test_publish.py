"""Which pull request a run may speak for that somebody started by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from orchestrator.errors import ForgeError, UsageError
from orchestrator.forge.event import Event
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.review.pull_request.publish import complete_event

HEAD = "a" * 40
PULL = PullRequest(7, "T", "ada", "open", False, False, HEAD, "feature", "acme/infra", "b" * 40, "main")
DISPATCH = Event(
    kind="workflow_dispatch",
    repository="acme/infra",
    pull_request=7,
    head=HEAD,
    base="",
    base_ref="main",
    commit=HEAD,
    is_fork=False,
    title="",
    author="",
    labels=(),
    run="99-1",
    url="",
    ref="refs/heads/feature",
)


@dataclass
class ForgeWithPull:
    """A host that knows one pull request, or none."""

    pull: PullRequest | None = PULL

    def pull_request(self, number: int) -> PullRequest:
        if self.pull is None:
            raise ForgeError("It does not answer.")
        return self.pull


def complete(event: Event, pull: PullRequest | None) -> Event:
    return complete_event(event, cast(Forge, ForgeWithPull(pull)))


def test_a_run_on_the_pull_request_s_own_branch_may() -> None:
    event = complete(DISPATCH, PULL)
    assert (event.title, event.author, event.head_ref) == ("T", "ada", "feature")


@pytest.mark.parametrize(
    ("pull", "event", "problem"),
    [
        ({"head_repository": "stranger/infra"}, {}, "comes from a fork"),
        ({"head_repository": ""}, {}, "comes from a fork"),
        ({"state": "closed"}, {}, "not open"),
        ({"base_ref": "mine"}, {}, "merged into mine, not into main"),
        ({}, {"ref": "refs/heads/main"}, "not on its branch feature"),
        ({}, {"ref": "refs/heads/other"}, "not on its branch feature"),
        ({"head": "c" * 40}, {}, "its head is cccccccccc by now"),
    ],
)
def test_no_other_run_may(pull: dict[str, Any], event: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        complete(replace(DISPATCH, **event), replace(PULL, **pull))


def test_a_host_that_does_not_answer_lets_nothing_pass() -> None:
    with pytest.raises(ForgeError):
        complete(DISPATCH, None)


def test_the_event_of_a_pull_request_is_complete() -> None:
    event = replace(DISPATCH, kind="pull_request", title="Mine")
    assert complete(event, None) is event
