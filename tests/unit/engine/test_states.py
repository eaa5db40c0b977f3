"""A simulated bucket counts for infra only where it counts for Terraform too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.engine.states import States
from orchestrator.errors import ConfigError
from orchestrator.quality.doctor import check_environment
from orchestrator.report.doctor_check import DoctorCheck
from orchestrator.repository.loading import load
from orchestrator.state.location import Location
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage

EMULATOR = {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"}
CODE = 'terraform {\n  backend "gcs" {}\n}\n'


@pytest.mark.parametrize(
    ("environ", "more", "lacking"),
    [
        ({}, "", ""),
        ({"STORAGE_EMULATOR_HOST": ""}, "", ""),
        (EMULATOR, "", "dev, prod"),
        ({**EMULATOR, "INFRA_SANDBOX": "/s"}, "", ""),
        (EMULATOR, "environments: {dev: {env: [STORAGE_EMULATOR_HOST]}, prod: {}}", "prod"),
        (
            EMULATOR,
            "environments: {dev: {env: [STORAGE_EMULATOR_HOST]}, prod: {env: [STORAGE_EMULATOR_HOST]}}",
            "",
        ),
    ],
)
def test_a_bucket_is_simulated_for_both_or_for_neither(
    make_repo: MakeRepo, environ: Mapping[str, str], more: str, lacking: str
) -> None:
    files = {f"infra/envs/{name}/net/main.tf": CODE for name in ("dev", "prod")}
    repo = make_repo({"infra.yaml": f"backend: {{gcs: {{bucket: b}}}}\n{more}\n", **files})
    project, opened = load(repo.root), MemoryStorage()

    def open_bucket(location: Location, env: Mapping[str, str]) -> Any:
        return opened

    states = States(project, environ, open_bucket)
    stack = project.stacks["dev/net"]
    checks = [check for check in check_environment(project, environ) if check.status == "error"]
    if not lacking:
        assert states.stat(stack) is None
        assert checks == []
        return
    with pytest.raises(ConfigError, match=f"does not get it in {lacking}:") as caught:
        states.stat(stack)
    assert int(caught.value.exit_code) == 3
    assert opened.calls == []
    assert checks == [DoctorCheck("environment", "error", caught.value.message, caught.value.advice)]


def test_what_terraform_does_not_get_is_named_with_the_environments(make_repo: MakeRepo) -> None:
    config = "environments: {dev: {env: [TF_LOG]}, prod: {}}\n"
    files = {f"infra/envs/{name}/net/main.tf": CODE for name in ("dev", "prod")}
    project = load(make_repo({"infra.yaml": config, **files}).root)

    messages = [
        check.message for check in check_environment(project, {"TF_LOG": "trace", "TF_WORKSPACE": "x"})
    ]

    assert messages == ["Terraform does not get TF_LOG in prod", "Terraform does not get TF_WORKSPACE"]
