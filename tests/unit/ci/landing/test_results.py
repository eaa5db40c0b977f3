"""What pull requests are told of an apply whose job could not do so, and of one that is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.ci.landing.landed import Landed
from orchestrator.ci.landing.results import (
    CANCELLED,
    Facts,
    begun,
    not_applied,
    read_landings,
    settled,
    tell,
    unreported,
    write_landing,
)
from orchestrator.hosts.model import Comment
from orchestrator.hosts.port import Host
from orchestrator.project import load
from orchestrator.report import markers
from orchestrator.report.model import Result, StackReport
from tests.conftest import MakeRepo

FACTS = Facts("acme/infra", "main", "c" * 40, "20261130T100000000Z-abcdef", "https://x/runs/7", ("prod",))


@dataclass
class Told:
    """A host with one merged pull request, #1, whose comments and statuses can be looked at."""

    comments_: dict[int, list[Comment]] = field(default_factory=dict)
    statuses: list[tuple[str, str]] = field(default_factory=list)
    login: str = "infra[bot]"
    repository: str = "acme/infra"

    def pull_request(self, number: int) -> Any:
        return SimpleNamespace(number=number, merged=True, merge_commit=f"{number}" * 40)

    def pull_requests_of(self, commit: str) -> list[Any]:
        return []

    def open_pull_requests(self, base: str) -> list[Any]:
        return []

    def comments(self, number: int) -> list[Comment]:
        return self.comments_.get(number, [])

    def create_comment(self, number: int, body: str) -> Comment:
        made = Comment(number, self.login, body, "")
        self.comments_.setdefault(number, []).append(made)
        return made

    def update_comment(self, comment: int, body: str) -> None:
        self.comments_[comment] = [Comment(comment, self.login, body, "")]

    def set_status(self, commit: str, context: str, state: str, text: str, url: str = "") -> None:
        self.statuses.append((commit[:1], state))

    def create_deployment(self, commit: str, environment: str, text: str) -> int:
        return 1

    def set_deployment(self, id_: int, state: str, text: str = "", url: str = "") -> None:
        return


def told(host: Told, make_repo: MakeRepo, *landings: Any) -> None:
    project = load(make_repo({"infra/envs/prod/net/main.tf": ""}).root)
    assert not tell(cast(Host, host), project, landings).failures


def body(host: Told, number: int = 1) -> str:
    (comment,) = host.comments(number)
    return comment.body


def report(id_: str, result: Result, **more: Any) -> StackReport:
    return StackReport(id_, "prod", result, **more)


@pytest.mark.parametrize(
    ("results", "state", "reason"),
    [
        (("applied", "unchanged"), "applied", ""),
        (("applied", "aborted"), "partial", CANCELLED),
        (("aborted", "aborted"), "failed", CANCELLED),
        (("interrupted", "aborted"), "partial", CANCELLED),
    ],
)
def test_what_a_cancelled_apply_finished_is_told_as_applied(
    tmp_path: Path, results: tuple[Result, Result], state: str, reason: str
) -> None:
    owed = {"prod/net": "", "prod/app": ""}
    write_landing(tmp_path, begun(FACTS, Landed("prod", owed=owed)))
    assert unreported(tmp_path) == {FACTS.run: list(owed)}
    settled(FACTS, tmp_path, [report(id_, result) for id_, result in zip(owed, results, strict=True)])
    (landing,) = read_landings([tmp_path])
    assert (landing.state, landing.reason, landing.url) == (state, reason, FACTS.url)
    assert tuple(one.report.result for one in landing.stacks) == results


def test_a_run_that_never_came_to_the_apply_is_told(make_repo: MakeRepo) -> None:
    host = Told()
    told(host, make_repo, not_applied(FACTS, "prod", is_pending=True, requested_by=1))
    assert "the run was cancelled, or its gate was rejected, before anything was applied" in body(host)
    assert "`/infra apply prod`" in body(host)
    assert host.statuses == [("c", "failure")]


def test_nothing_pending_any_more_corrects_what_was_told_and_tells_nobody_else(make_repo: MakeRepo) -> None:
    host = Told()
    nothing = not_applied(FACTS, "prod", is_pending=False, requested_by=1)
    told(host, make_repo, nothing)
    assert host.comments(1) == []
    host.create_comment(1, f"{markers.applied('prod')}\n\n**✗ prod: 1 stack failed; nothing was applied.**\n")
    host.statuses.clear()
    told(host, make_repo, nothing)
    assert "✓ Nothing to do in prod" in body(host)
    # The merge's own commit too, on which an earlier run said that it failed.
    assert host.statuses == [("c", "success"), ("1", "success")]
    host.update_comment(1, f"{markers.applied('prod')}\n\n**✓ prod is done: 1 stack applied.**\n")
    told(host, make_repo, nothing)
    assert "✓ prod is done" in body(host)
