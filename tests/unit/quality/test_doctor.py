"""What `infra doctor` says of the ledgers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.quality.doctor import check_cost, check_memory, check_warm_providers
from orchestrator.repository.loading import load
from orchestrator.state.records import Operation
from tests.conftest import MakeRepo

FILES = {
    "infra.yaml": "version: 1\nenvironments: {dev: {}, prod: {apply: ci}}\n",
    "infra/envs/dev/net/main.tf": "",
    "infra/envs/prod/net/main.tf": "",
}


def test_interrupted_runs_are_named_with_what_finishes_each(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    environ = {"HOME": str(project.root)}
    ledgers = Ledgers(project, States(project, environ), environ)
    for stack in project.stacks.values():
        begun = ledgers.of(stack).begin(stack.id, Operation("R", "apply", "planned", "a", "b", "c"), None)
        ledgers.of(stack).finish(replace(begun, result="interrupted"))
    (check,) = [check for check in check_memory(project, environ) if check.status == "warning"]
    assert "dev/net, prod/net" in check.message
    assert "`/infra resume dev/net`, `/infra resume prod/net`" in check.advice


def test_whether_providers_stay_running_is_reported(make_repo: MakeRepo) -> None:
    files = {"infra/envs/dev/app/main.tf": "", "infra.yaml": "environments: {dev: {}}\n"}
    project = load(make_repo(files).root)
    assert check_warm_providers(project, {}, is_possible=True).status == "ok"
    assert check_warm_providers(project, {}, is_possible=False).status == "warning"
    off = replace(project.config.terraform, warm="off")
    cold = replace(project, config=replace(project.config, terraform=off))
    assert check_warm_providers(cold, {}, is_possible=False).status == "ok"


def test_what_estimates_the_cost_is_looked_for_on_path(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    missing = check_cost(environ)
    assert (missing.status, "docs/cost.md" in missing.advice) == ("warning", True)
    program = tmp_path / "infracost"
    program.write_text("#!/bin/sh\n")
    assert check_cost(environ).status == "warning", "it cannot be run"
    program.chmod(0o755)
    without_key = check_cost(environ)
    assert (without_key.status, "INFRACOST_API_KEY is not set" in without_key.message) == ("ok", True)
    with_key = check_cost({**environ, "INFRACOST_API_KEY": "ico-secret"})
    assert with_key.message == f"infracost is {program}"
