"""Whether an owner of a lock file wrote or approved a pull request's head, by a host in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from orchestrator.errors import ForgeError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest, PullRequestCommit, Review
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.review.lock_file_approval import LockFileApproval
from tests.conftest import MakeRepo
from tests.unit.review.test_reviewers import PULL, ForgeWithReviews, at, move

LOCK = "infra/envs/prod/app/.terraform.lock.hcl"
OWNERS = f"* @rita\n/{LOCK} @olga @acme/platform\n/free/\n"


@dataclass
class ChangedHost(ForgeWithReviews):
    """A host with one pull request, which changes some files."""

    teams: None = None
    pull: PullRequest = PULL
    changed: list[str] = field(default_factory=list)
    is_down: bool = False

    def pull_request(self, number: int) -> PullRequest:
        if self.is_down:
            raise ForgeError("GitHub answers 502.")
        return replace(self.pull, number=number)

    def changed_paths(self, number: int) -> list[str]:
        return self.changed


def host_of(author: str = "ada", pushed_by: str = "", **more: Any) -> ChangedHost:
    """A host whose pull request and its commit are by `author`; somebody else may have pushed it."""
    known: dict[str, Any] = {
        "moves": [move(pushed_by or author, "", "h2")],
        "commits": [PullRequestCommit("h2", ("t1",), author)],
        "pull": replace(PULL, author=author),
    }
    return ChangedHost(**(known | more))


@pytest.fixture
def base(make_repo: MakeRepo) -> Project:
    repo = make_repo({"CODEOWNERS": OWNERS, "infra/envs/prod/app/main.tf": ""})
    return load(repo.root)


def approved_by(login: str, commit: str = "h2") -> list[Review]:
    return [Review(login, "APPROVED", commit, at(20))]


@pytest.mark.parametrize(
    ("host", "head", "path", "words"),
    [
        (host_of(reviews_of_pull=approved_by("olga")), "h2", LOCK, ""),
        (host_of(reviews_of_pull=approved_by("OLGA")), "h2", LOCK, ""),
        (host_of("olga", pushed_by="olga"), "h2", LOCK, ""),
        (host_of(), "h2", LOCK, "No owner of"),
        (host_of(reviews_of_pull=approved_by("bert")), "h2", LOCK, "The members of acme/platform"),
        (host_of(reviews_of_pull=approved_by("olga", "h1")), "h2", LOCK, "No owner of"),
        (host_of("olga", pushed_by="mallory"), "h2", LOCK, "No owner of"),
        (host_of(pushed_by="olga", reviews_of_pull=approved_by("olga")), "h2", LOCK, "No owner of"),
        (host_of(reviews_of_pull=approved_by("olga")), "h1", LOCK, "another head"),
        (host_of(reviews_of_pull=approved_by("olga")), "h2", "free/x.tf", "names no owner"),
        (host_of(reviews_of_pull=approved_by("olga"), moves=[]), "h2", LOCK, "cannot be told"),
        (host_of(reviews_of_pull=approved_by("olga"), is_down=True), "h2", LOCK, "GitHub answers 502"),
        (host_of(reviews_of_pull=approved_by("olga"), changed=[LOCK]), "", LOCK, ""),
        (host_of(reviews_of_pull=approved_by("olga"), changed=["x"]), "", LOCK, "does not change"),
    ],
)
def test_who_counts(base: Project, host: ChangedHost, head: str, path: str, words: str) -> None:
    missing = LockFileApproval(base, 7, head, lambda: cast(Forge, host)).missing(path)
    assert (words in missing) if words else not missing
