"""What people ask of a rollout: read from comments and from inputs of the workflow, both hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.engine.rollout_options import ResumeChoices
from orchestrator.engine.rollout_requests import (
    NO_REQUESTS,
    ForgetRequest,
    ResumeRequest,
    RolloutRequests,
    parse_forget_request,
    parse_requests,
    parse_resume_request,
    parse_superseded_commits,
    split_words,
)
from orchestrator.errors import UsageError
from orchestrator.forge.github.event import read_rollout_requests

ADDRESS = 'module.a["x y"].google_pubsub_topic.t[0]'


@pytest.mark.parametrize(
    "request_",
    [
        ResumeRequest("prod/net"),
        ResumeRequest("prod/net", ResumeChoices((ADDRESS,), ("a.b",))),
        ResumeRequest("prod/net; rm -rf /", ResumeChoices(("a.b", "$(id)"))),
    ],
)
def test_a_resume_comes_back_from_its_text(request_: ResumeRequest) -> None:
    assert parse_resume_request(split_words(str(request_))) == request_


def test_a_forget_comes_back_from_its_text() -> None:
    request = ForgetRequest("prod/net", "the project's gone")
    assert parse_forget_request(split_words(f"{request} (asked for by ada)")) == ForgetRequest(
        "prod/net", "the project's gone (asked for by ada)"
    )


@pytest.mark.parametrize(
    "line",
    ["", "--forget a.b", "a b", "a --forget", "a --forget --forget", "a --forget b c", "a --other b"],
)
def test_what_is_no_resume(line: str) -> None:
    with pytest.raises(UsageError):
        parse_resume_request(split_words(line))


@pytest.mark.parametrize("line", ["", "prod/net", "prod/net ''", "--force why", "prod/net \u200b"])
def test_a_state_is_not_forgotten_without_a_reason(line: str) -> None:
    with pytest.raises(UsageError):
        parse_forget_request(split_words(line))


@pytest.mark.parametrize("text", ["HEAD", "abc", "--all", "0123456; id", "main"])
def test_what_is_no_commit(text: str) -> None:
    with pytest.raises(UsageError):
        parse_superseded_commits(text)


def test_inputs_count_for_the_environment_that_they_name(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    inputs = {"environment": "prod", "resume": "prod/net", "supersede": "0123456789"}
    path.write_text(json.dumps({"inputs": inputs}))
    environ = {"GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_EVENT_PATH": str(path)}
    rollout_requests = RolloutRequests(ResumeRequest("prod/net"), over=("0123456789",))
    assert read_rollout_requests(environ, "prod") == rollout_requests
    assert read_rollout_requests(environ, "dev") == NO_REQUESTS
    assert read_rollout_requests({**environ, "GITHUB_EVENT_NAME": "push"}, "prod") == NO_REQUESTS
    assert rollout_requests.stacks == {"prod/net"}
    assert rollout_requests.options.over == ("0123456789",)


def test_no_text_asks_for_nothing() -> None:
    assert parse_requests("", "", "") == NO_REQUESTS
    assert NO_REQUESTS.stacks == frozenset()
