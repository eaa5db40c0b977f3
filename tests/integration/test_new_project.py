"""A project from nothing, with a service and a second environment: linted, accepted by the guard, planned."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.repo import Repo
from tests.support.warm import run_warm

pytest.importorskip("copier")
pytest.importorskip("grpc")


def test_a_project_can_be_planned_at_once(tmp_path: Path, terraform_argv: tuple[str, ...]) -> None:
    environ = {**os.environ, "PATH": f"{Path(terraform_argv[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    folder = tmp_path / "acme"

    def infra(*words: str) -> str:
        ran = run_warm(words, folder if folder.exists() else tmp_path, environ)
        assert ran.code == 0, ran.out + ran.err
        return ran.out

    infra("new", "project", "acme", "--data=environments=dev", "--data=owner=@acme/platform")
    infra("new", "service", "shop", "--data=alert_email=shop@example.com")
    infra("new", "environment", "live", "--from", "dev")
    infra("sandbox", "up")
    try:
        planned = json.loads(infra("sandbox", "exec", "--", "infra", "plan", "--all", "--json"))
    finally:
        infra("sandbox", "down")
    counts = {stack["id"]: stack["counts"]["create"] for stack in planned["stacks"]}
    assert counts.keys() == {"dev/network", "dev/shop", "live/network", "live/shop"}
    assert counts["live/shop"] == counts["dev/shop"] > 0
    Repo(folder).commit(message="The first commit")
    findings = json.loads(infra("lint", "--simulated", "--json"))["findings"]
    serious = {finding["rule"] for finding in findings if finding["severity"] != "info"}
    assert serious <= {"lock-file"}
    infra("guard")
