"""Answers that go wrong on purpose, and only those."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.sandbox.faults import HttpFaults
from orchestrator.sandbox.github.faults import read_fault
from tests.support.github import ServedGitHub


@pytest.mark.parametrize("status", [401, 403, 404, 422, 429, 500, 502, 503])
def test_a_fault_status_is_answered_as_often_as_configured(
    github: ServedGitHub, token: str, status: int
) -> None:
    number = github.open_issue("One")
    github.fault("*/comments", method="POST", status=status, times=2, retry_after=3)
    path = f"/issues/{number}/comments"

    answers = [github.ask(token, "POST", path, {"body": "x"}) for _ in range(3)]

    assert [answer[0] for answer in answers] == [status, status, 201]
    assert answers[0][1]["retry-after"] == "3"
    assert len(github.comments(number)) == 1
    assert github.ask(token, "GET", path)[0] == 200


def test_the_secondary_limit_has_the_text_of_github(github: ServedGitHub, token: str) -> None:
    github.fault(secondary=True)

    status, headers, answer = github.ask(token, "GET", "/issues")

    assert status == 403
    assert "secondary rate limit" in answer["message"]
    assert int(headers["retry-after"]) > 0
    assert int(headers["x-ratelimit-remaining"]) > 0


@pytest.mark.parametrize(("done", "comments"), [(False, 0), (True, 1)])
def test_a_connection_is_cut_before_or_after_the_deed(
    github: ServedGitHub, token: str, done: bool, comments: int
) -> None:
    number = github.open_issue("One")
    github.fault("*/comments", reset=True, done=done)

    with pytest.raises((http.client.HTTPException, ConnectionError)):
        github.ask(token, "POST", f"/issues/{number}/comments", {"body": "x"})

    assert len(github.comments(number)) == comments


def test_a_delay_is_only_a_delay(github: ServedGitHub, token: str) -> None:
    github.fault("*/issues", delay=0.2)
    begun = time.monotonic()

    assert github.ask(token, "GET", "/issues")[0] == 200
    assert time.monotonic() - begun >= 0.2


def test_the_first_so_many_pass() -> None:
    faults = HttpFaults()
    faults.add(read_fault({"method": "GET", "path": "*/a", "status": 500, "after": 1, "times": 2}))

    struck = [bool(faults.strike("GET", "/x/a")) for _ in range(5)]

    assert struck == [False, True, True, False, False]
    assert faults.strike("POST", "/x/a") is None
    faults.add(read_fault({"status": 500, "times": 0}))
    assert all(faults.strike("POST", "/") for _ in range(3))
    faults.clear()
    assert faults.strike("POST", "/") is None


@pytest.mark.parametrize("raw", [{"status": 418}, {"colour": "red"}])
def test_a_fault_that_cannot_be_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        read_fault(raw)
