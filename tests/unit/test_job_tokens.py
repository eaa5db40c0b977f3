"""The variables with which a program could ask for a job's tokens reach no child."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from orchestrator.job_tokens import forget_token_requests, without_token_requests
from orchestrator.process import Command, Supervisor
from orchestrator.terraform.environment import child_environment

REQUESTS = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_RESULTS_URL",
    "ACTIONS_CACHE_URL",
)


@pytest.mark.parametrize("name", REQUESTS)
def test_they_are_left_out(name: str) -> None:
    environ = {name: "secret", "ACTIONS_STEP_DEBUG": "1"}
    assert without_token_requests(environ) == {"ACTIONS_STEP_DEBUG": "1"}
    forget_token_requests(environ)
    assert environ == {"ACTIONS_STEP_DEBUG": "1"}


@pytest.mark.parametrize("name", REQUESTS)
def test_no_configuration_passes_them_to_terraform(name: str) -> None:
    assert name not in child_environment({name: "secret"}, passed=[name, "*"])


def test_no_program_that_we_start_has_them(tmp_path: Path) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    env = dict.fromkeys(REQUESTS, "secret")
    done = Supervisor().run(Command((sys.executable, "-c", code), tmp_path, env))
    assert "secret" not in json.loads(done.text).values()
