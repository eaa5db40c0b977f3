"""What pull requests are told of an apply whose job could not do so, and of one that is done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orchestrator.errors import ForgeError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import Comment
from orchestrator.report import markers
from orchestrator.report.model import Result, RunInfo, RunReport, StackReport
from orchestrator.repository.loading import load
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.results import (
    CANCELLED,
    RolloutFacts,
    build_interrupted_result,
    build_result,
    build_unapplied_result,
    finalize_results,
    find_unreported,
    publish_results,
    read_results,
    write_result,
)
from tests.conftest import MakeRepo
from tests.support.repo import Repo

FACTS = RolloutFacts(
    "acme/infra", "main", "c" * 40, "20261130T100000000Z-abcdef", "https://x/runs/7", ("prod",)
)
INFO = RunInfo("R-1", "ci", "c" * 40, "2026-01-02T03:04:05Z", 1.0)


@dataclass
class ForgeWithMergedPulls:
    """A host with merged pull requests, whose comments and statuses can be looked at.

    `merged` gives the number of the pull request of a commit, `refused` are commits whose status cannot be
    set.
    """

    comments_: dict[int, list[Comment]] = field(default_factory=dict)
    statuses: list[tuple[str, str]] = field(default_factory=list)
    merged: dict[str, int] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    login: str = "infra[bot]"
    repository: str = "acme/infra"

    def pull_request(self, number: int) -> Any:
        return SimpleNamespace(number=number, merged=True, merge_commit=f"{number}" * 40)

    def pull_requests_of(self, commit: str) -> list[Any]:
        return [self.pull_request(self.merged[commit])] if commit in self.merged else []

    def open_pull_requests(self, base: str) -> list[Any]:
        return []

    def comments(self, number: int) -> list[Comment]:
        return self.comments_.get(number, [])

    def create_comment(self, number: int, body: str) -> Comment:
        comment = Comment(number, self.login, body, "")
        self.comments_.setdefault(number, []).append(comment)
        return comment

    def update_comment(self, comment: int, body: str) -> None:
        self.comments_[comment] = [Comment(comment, self.login, body, "")]

    def set_status(self, commit: str, context: str, state: str, text: str, url: str = "") -> None:
        if commit in self.refused:
            raise ForgeError("GitHub does not answer.")
        self.statuses.append((commit[:1], state))
        self.current[commit] = state

    def status(self, commit: str, context: str) -> str | None:
        return self.current.get(commit)

    def create_deployment(self, commit: str, environment: str, text: str) -> int:
        return 1

    def set_deployment(self, id_: int, state: str, text: str = "", url: str = "") -> None:
        return


def published(host: ForgeWithMergedPulls, make_repo: MakeRepo, *rollout_results: Any) -> None:
    assert not publish_and_list_failures(
        host, make_repo({"infra/envs/prod/net/main.tf": ""}), *rollout_results
    )


def publish_and_list_failures(host: ForgeWithMergedPulls, repo: Repo, *rollout_results: Any) -> list[str]:
    """Tell of landings in a repository; what could not be told."""
    return publish_results(cast(Forge, host), load(repo.root), rollout_results).failures


def body(host: ForgeWithMergedPulls, number: int = 1) -> str:
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
def test_what_a_cancelled_apply_finished_is_reported_as_applied(
    tmp_path: Path, results: tuple[Result, Result], state: str, reason: str
) -> None:
    pending = {"prod/net": "", "prod/app": ""}
    write_result(tmp_path, build_interrupted_result(FACTS, EnvironmentRun("prod", pending=pending)))
    assert find_unreported(tmp_path) == {FACTS.run: list(pending)}
    finalize_results(
        FACTS, tmp_path, [report(id_, result) for id_, result in zip(pending, results, strict=True)]
    )
    (rollout_result,) = read_results([tmp_path])
    assert (rollout_result.state, rollout_result.reason, rollout_result.url) == (state, reason, FACTS.url)
    assert tuple(stack.report.result for stack in rollout_result.stacks) == results


def test_a_run_that_never_came_to_the_apply_is_reported(make_repo: MakeRepo) -> None:
    host = ForgeWithMergedPulls()
    published(host, make_repo, build_unapplied_result(FACTS, "prod", is_pending=True, requested_by=1))
    assert "the run was cancelled, or its gate was rejected, before anything was applied" in body(host)
    assert "`/infra apply prod`" in body(host)
    assert host.statuses == [("c", "failure")]


def test_when_nothing_is_pending_any_more_the_report_is_updated_and_nobody_else_notified(
    make_repo: MakeRepo,
) -> None:
    host = ForgeWithMergedPulls()
    nothing = build_unapplied_result(FACTS, "prod", is_pending=False, requested_by=1)
    published(host, make_repo, nothing)
    assert host.comments(1) == []
    host.create_comment(
        1, f"{markers.apply_marker('prod')}\n\n**✗ prod: 1 stack failed; nothing was applied.**\n"
    )
    host.statuses.clear()
    published(host, make_repo, nothing)
    assert "✓ Nothing to do in prod" in body(host)
    # The merge's own commit too, on which an earlier run said that it failed.
    assert host.statuses == [("1", "success"), ("c", "success")]
    host.update_comment(1, f"{markers.apply_marker('prod')}\n\n**✓ prod is done: 1 stack applied.**\n")
    published(host, make_repo, nothing)
    assert "✓ prod is done" in body(host)


def trunk_of(repo: Repo, *states: str) -> tuple[ForgeWithMergedPulls, list[str]]:
    """A host that has set these states on the commits of trunk, oldest first, each by a pull request."""
    host, commits = ForgeWithMergedPulls(), []
    for number, state in enumerate(states, 1):
        commits.append(repo.commit({"README.md": f"{number}\n"}))
        host.merged[commits[-1]] = number
        if state:
            host.current[commits[-1]] = state
            host.create_comment(number, f"{markers.apply_marker('prod')}\n\n**✗ prod: {state}**\n")
    commits.append(repo.commit({"README.md": "now\n"}))
    return host, commits


def test_a_push_with_nothing_pending_corrects_merges_that_an_environment_was_pending_for(
    make_repo: MakeRepo,
) -> None:
    repo = make_repo({"infra/envs/prod/net/main.tf": ""})
    host, commits = trunk_of(repo, "failure", "success", "pending", "", "failure")
    facts = replace(FACTS, commit=commits[-1])
    publish_and_list_failures(
        host, repo, build_unapplied_result(facts, "prod", is_pending=False, requested_by=None)
    )
    # What is older than the newest commit at which the environment was done was corrected by that run.
    assert list(host.current.values()) == ["failure", "success", "success", "success", "success"]
    assert ["✓ Nothing to do in prod" in body(host, number) for number in (1, 2, 3, 5)] == [
        *(False, False, True, True)
    ]
    assert host.comments(4) == []


def test_an_apply_corrects_merges_that_it_was_not_about(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/envs/prod/net/main.tf": ""})
    host, commits = trunk_of(repo, "failure")
    applied_run = EnvironmentRun("prod", report=RunReport("apply", INFO, (report("prod/net", "applied"),)))
    publish_and_list_failures(host, repo, build_result(replace(FACTS, commit=commits[-1]), applied_run))
    assert set(host.current.values()) == {"success"}
    assert "✓ Nothing to do in prod" in body(host, 1)


def test_a_merge_that_cannot_be_corrected_is_corrected_when_the_job_runs_again(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/envs/prod/net/main.tf": ""})
    host, commits = trunk_of(repo, "failure", "failure")
    facts = replace(FACTS, commit=commits[-1])
    nothing = build_unapplied_result(facts, "prod", is_pending=False, requested_by=None)
    host.refused = (commits[0],)
    assert "The status of" in " ".join(publish_and_list_failures(host, repo, nothing))
    # Were the newer one corrected first, the next run would stop at it.
    assert [host.current[commit] for commit in commits[:2]] == ["failure", "failure"]
    host.refused = ()
    assert not publish_and_list_failures(host, repo, nothing)
    assert [host.current[commit] for commit in commits[:2]] == ["success", "success"]


def test_an_environment_that_is_not_done_corrects_nothing(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/envs/prod/net/main.tf": ""})
    host, commits = trunk_of(repo, "failure")
    facts = replace(FACTS, commit=commits[-1])
    publish_and_list_failures(
        host, repo, build_unapplied_result(facts, "prod", is_pending=True, requested_by=None)
    )
    assert host.current[commits[0]] == "failure"
