"""Requests to the sandbox's process: answers, errors, and who may ask."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import SandboxError
from orchestrator.sandbox import attach, control
from tests.support.github import ServedGitHub


def refuse(name: str) -> None:
    raise SandboxError(f"no {name}", advice="make one")


def break_down() -> None:
    raise ZeroDivisionError("of our own making")


@pytest.fixture
def info(tmp_path: Path) -> Iterator[attach.Info]:
    """A control server with three operations."""
    operations: dict[str, control.Operation] = {
        "add": lambda left, right: left + right,
        "refuse": refuse,
        "break": break_down,
    }
    server = control.ControlServer("token", operations)
    server.start()
    yield attach.Info(tmp_path, 1, "", server.port, "token", 0, {}, "{}")
    server.close()


def test_an_operation_answers(info: attach.Info) -> None:
    assert control.call(info, "add", left=[1], right=[2]) == [1, 2]


def test_an_error_keeps_its_advice(info: attach.Info) -> None:
    with pytest.raises(SandboxError) as error:
        control.call(info, "refuse", name="thing")

    assert (error.value.message, error.value.advice) == ("no thing", "make one")


def test_a_defect_is_reported_as_a_defect(info: attach.Info, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SandboxError, match="ZeroDivisionError: of our own making"):
        control.call(info, "break")

    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_unknown_operation_is_refused(info: attach.Info) -> None:
    with pytest.raises(SandboxError, match="no operation /multiply"):
        control.call(info, "multiply")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer tokén"}])
def test_nobody_asks_without_the_token(info: attach.Info, header: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", info.control, timeout=5)
    connection.request("POST", "/add", body='{"left": 1, "right": 2}', headers=header)
    answer = connection.getresponse()

    assert answer.status == 403
    assert "result" not in json.loads(answer.read())
    connection.close()


def test_a_sandbox_that_does_not_answer_is_an_error(info: attach.Info) -> None:
    stopped = attach.Info(info.folder, 1, "", 9, "token", 0, {}, "{}")

    with pytest.raises(SandboxError, match="does not answer"):
        control.call(stopped, "add", left=1, right=2)


def test_githubs_own_api_is_queried_about_the_project_alone(tmp_path: Path) -> None:
    with ServedGitHub(tmp_path) as github:
        github.commit("feature", {"a.tf": "1\n"})
        number = github.open("feature", "Add a")
        token = github.token(pull_requests="read")
        github_info = attach.Info(
            tmp_path,
            1,
            "",
            0,
            "ours alone",
            0,
            {},
            "{}",
            github=github.server.port,
            github_token=token,
            repository=github.repository,
        )

        assert [item["number"] for item in control.read_github(github_info, "pulls")] == [number]
        with pytest.raises(SandboxError, match="Not Found"):
            control.read_github(github_info, "pulls/99")
