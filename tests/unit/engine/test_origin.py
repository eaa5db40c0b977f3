"""Who runs this, and where."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from orchestrator.engine.origin import origin_of


def test_a_person_at_a_machine() -> None:
    origin = origin_of({"USER": "ada"})
    assert (origin.person, origin.where, origin.trigger) == ("ada", socket.gethostname(), "local")
    assert not origin.link


def test_a_job_on_github(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "ada",
        "GITHUB_RUN_ID": "12",
        "GITHUB_REPOSITORY": "acme/platform",
        "GITHUB_EVENT_PATH": str(event),
    }
    origin = origin_of(env)
    assert origin.trigger == "ci"
    assert origin.person == "ada"
    assert origin.link == origin.where == "https://github.com/acme/platform/actions/runs/12"
    assert origin.pull_request == "#7"
    assert origin_of({**env, "GITHUB_REF": "refs/pull/9/merge"}).pull_request == "#9"
    assert origin_of({**env, "GITHUB_EVENT_PATH": "/nowhere"}).pull_request == ""


def test_another_ci() -> None:
    assert origin_of({"CI": "1", "USER": "runner"}).is_ci
    assert not origin_of({"CI": "false"}).is_ci
