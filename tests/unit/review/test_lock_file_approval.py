"""Whether an owner of a lock file wrote or approved a pull request's head, by a host in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from orchestrator.errors import HostError
from orchestrator.hosts.model import BranchMove, PullRequest, PullRequestCommit, Review
from orchestrator.hosts.port import Host
from orchestrator.project import load
from orchestrator.project.model import Project
from orchestrator.review.lock_file_approval import LockFileApproval
from tests.conftest import MakeRepo
from tests.unit.review.test_reviewers import PULL, at

LOCK = "infra/envs/prod/app/.terraform.lock.hcl"
OWNERS = f"* @rita\n/{LOCK} @olga @acme/platform\n/free/\n"


@dataclass
class FakeHost:
    """One pull request: who pushed it, who approved it."""

    repository: str = "acme/infra"
    teams: None = None
    pull: PullRequest = PULL
    pushed_by: str = "ada"
    given: list[Review] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    is_down: bool = False

    def pull_request(self, number: int) -> PullRequest:
        if self.is_down:
            raise HostError("GitHub answers 502.")
        return replace(self.pull, number=number)

    def permission(self, login: str) -> str:
        return "write"

    def branch_moves(self, branch: str) -> list[BranchMove]:
        return [BranchMove(self.pushed_by, "", "h2", at(5))] if self.pushed_by else []

    def pull_request_commits(self, number: int) -> list[PullRequestCommit]:
        return [PullRequestCommit("h2", ("t1",), self.pull.author)]

    def reviews(self, number: int) -> list[Review]:
        return self.given

    def changed_paths(self, number: int) -> list[str]:
        return self.changed


@pytest.fixture
def base(make_repo: MakeRepo) -> Project:
    repo = make_repo({"CODEOWNERS": OWNERS, "infra/envs/prod/app/main.tf": ""})
    return load(repo.root)


def approved_by(login: str, commit: str = "h2") -> list[Review]:
    return [Review(login, "APPROVED", commit, at(20))]


BY_OLGA = replace(PULL, author="olga")


@pytest.mark.parametrize(
    ("host", "head", "path", "words"),
    [
        (FakeHost(given=approved_by("olga")), "h2", LOCK, ""),
        (FakeHost(given=approved_by("OLGA")), "h2", LOCK, ""),
        (FakeHost(pull=BY_OLGA, pushed_by="olga"), "h2", LOCK, ""),
        (FakeHost(), "h2", LOCK, "No owner of"),
        (FakeHost(given=approved_by("rita")), "h2", LOCK, "The members of acme/platform"),
        (FakeHost(given=approved_by("olga", "h1")), "h2", LOCK, "No owner of"),
        (FakeHost(pull=BY_OLGA, pushed_by="mallory"), "h2", LOCK, "No owner of"),
        (FakeHost(pushed_by="olga", given=approved_by("olga")), "h2", LOCK, "No owner of"),
        (FakeHost(given=approved_by("olga")), "h1", LOCK, "another head"),
        (FakeHost(given=approved_by("olga")), "h2", "free/x.tf", "names no owner"),
        (FakeHost(given=approved_by("olga"), pushed_by=""), "h2", LOCK, "cannot be told"),
        (FakeHost(given=approved_by("olga"), is_down=True), "h2", LOCK, "GitHub answers 502"),
        (FakeHost(given=approved_by("olga"), changed=[LOCK]), "", LOCK, ""),
        (FakeHost(given=approved_by("olga"), changed=["x"]), "", LOCK, "does not change"),
    ],
)
def test_who_counts(base: Project, host: FakeHost, head: str, path: str, words: str) -> None:
    missing = LockFileApproval(base, 7, head, lambda: cast(Host, host)).missing(path)
    assert (words in missing) if words else not missing
