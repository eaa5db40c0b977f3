"""What people ask of a rollout: read from comments and from inputs of the workflow, both hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.ci.event import rollout_requests
from orchestrator.ci.requests import (
    NO_REQUESTS,
    ForgetRequest,
    ResumeRequest,
    RolloutRequests,
    forget_request,
    over_request,
    requests_in,
    resume_request,
    words_of,
)
from orchestrator.errors import UsageError
from orchestrator.run.rollout_options import ResumeChoices

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
    assert resume_request(words_of(str(request_))) == request_


def test_a_forget_comes_back_from_its_text() -> None:
    request = ForgetRequest("prod/net", "the project's gone")
    assert forget_request(words_of(f"{request} (asked for by ada)")) == ForgetRequest(
        "prod/net", "the project's gone (asked for by ada)"
    )


@pytest.mark.parametrize(
    "line",
    ["", "--forget a.b", "a b", "a --forget", "a --forget --forget", "a --forget b c", "a --other b"],
)
def test_what_is_no_resume(line: str) -> None:
    with pytest.raises(UsageError):
        resume_request(words_of(line))


@pytest.mark.parametrize("line", ["", "prod/net", "prod/net ''", "--force why", "prod/net \u200b"])
def test_a_state_is_not_forgotten_without_a_reason(line: str) -> None:
    with pytest.raises(UsageError):
        forget_request(words_of(line))


@pytest.mark.parametrize("text", ["HEAD", "abc", "--all", "0123456; id", "main"])
def test_what_is_no_commit(text: str) -> None:
    with pytest.raises(UsageError):
        over_request(text)


def test_inputs_count_for_the_environment_that_they_name(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    inputs = {"environment": "prod", "resume": "prod/net", "supersede": "0123456789"}
    path.write_text(json.dumps({"inputs": inputs}))
    environ = {"GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_EVENT_PATH": str(path)}
    asked = RolloutRequests(ResumeRequest("prod/net"), over=("0123456789",))
    assert rollout_requests(environ, "prod") == asked
    assert rollout_requests(environ, "dev") == NO_REQUESTS
    assert rollout_requests({**environ, "GITHUB_EVENT_NAME": "push"}, "prod") == NO_REQUESTS
    assert asked.stacks == {"prod/net"}
    assert asked.options.over == ("0123456789",)


def test_no_text_asks_for_nothing() -> None:
    assert requests_in("", "", "") == NO_REQUESTS
    assert NO_REQUESTS.stacks == frozenset()
