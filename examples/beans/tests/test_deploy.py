from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from kfp.registry import RegistryClient

from beans.deploy import COMPILED, check, deploy
from beans.settings import FOLDER, PipelineSettings, SettingsError, read_settings
from beans.vertex import Vertex, VertexError


class DeployedEnvironment:
    """An environment on the loopback cloud."""

    def __init__(self, cloud: Any, environment: str) -> None:
        self.cloud = cloud
        self.registry_path = f"/{environment}/ml-pipelines"
        self.settings = replace(read_settings(environment), registry=f"{cloud.url}{self.registry_path}")
        self.said: list[str] = []

    @property
    def vertex(self) -> Vertex:
        return Vertex(requests.Session(), self.cloud.url, self.settings.project, self.settings.location)

    def deploy(self) -> str:
        return deploy(self.settings, RegistryClient(self.settings.registry), self.vertex, self.said.append)

    def check(self, limit: float = 60) -> None:
        check(self.settings, self.vertex, limit, 0, self.said.append)


@pytest.fixture
def dev(cloud: Any) -> DeployedEnvironment:
    return DeployedEnvironment(cloud, "dev")


def test_every_environment_runs_the_same_digest(cloud: Any) -> None:
    expected = f"sha256:{hashlib.sha256(COMPILED.read_bytes()).hexdigest()}"
    for environment in ("dev", "staging", "prod"):
        deployed = DeployedEnvironment(cloud, environment)
        assert deployed.deploy() == f"{deployed.settings.registry}/beans/{expected}"
        assert cloud.uploads[deployed.registry_path] == [COMPILED.read_bytes()]
    templates = [
        schedule["createPipelineJobRequest"]["pipelineJob"]["templateUri"] for schedule in cloud.schedules
    ]
    assert len(templates) == 3
    assert {template.rpartition("/")[2] for template in templates} == {expected}


def test_a_repeated_deployment_changes_nothing(cloud: Any, dev: DeployedEnvironment) -> None:
    dev.deploy()
    before = [dict(schedule) for schedule in cloud.schedules]
    dev.deploy()
    assert cloud.schedules == before
    assert not any(request.startswith("PATCH") for request in cloud.requests)


def test_a_new_digest_or_cron_changes_the_schedule(cloud: Any, dev: DeployedEnvironment) -> None:
    dev.deploy()
    job = cloud.schedules[0]["createPipelineJobRequest"]["pipelineJob"]
    job["templateUri"] = f"{dev.settings.registry}/beans/sha256:{'0' * 64}"
    dev.deploy()
    assert cloud.schedules[0]["createPipelineJobRequest"]["pipelineJob"]["templateUri"] != job["templateUri"]
    dev.settings = replace(dev.settings, cron="0 1 * * *")
    dev.deploy()
    assert [schedule["cron"] for schedule in cloud.schedules] == ["0 1 * * *"]


def test_a_registry_that_refuses_leaves_the_schedule_alone(cloud: Any, dev: DeployedEnvironment) -> None:
    dev.deploy()
    before = [dict(schedule) for schedule in cloud.schedules]
    cloud.refuse = ("POST /dev/", 403, "denied")
    with pytest.raises(VertexError, match=r"did not take beans\.yaml: 403"):
        dev.deploy()
    assert cloud.schedules == before


def test_a_refusal_of_vertex_is_named(cloud: Any, dev: DeployedEnvironment) -> None:
    cloud.refuse = ("schedules", 403, "Permission aiplatform.schedules.list denied")
    with pytest.raises(VertexError, match=r"403 Permission aiplatform\.schedules\.list denied"):
        dev.deploy()


def test_two_schedules_of_one_name_are_left_to_a_person(cloud: Any, dev: DeployedEnvironment) -> None:
    dev.deploy()
    cloud.schedules.append({**cloud.schedules[0], "name": f"{cloud.schedules[0]['name']}0"})
    with pytest.raises(VertexError, match="several schedules"):
        dev.deploy()


def test_a_check_runs_what_was_deployed(cloud: Any, dev: DeployedEnvironment) -> None:
    with pytest.raises(VertexError, match="deploy first"):
        dev.check()
    template = dev.deploy()
    dev.check()
    assert [job["templateUri"] for job in cloud.jobs] == [template]
    assert dev.said[-1] == "dev: PIPELINE_STATE_SUCCEEDED"


@pytest.mark.parametrize("state", ["PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"])
def test_a_model_below_its_limit_fails_the_check(cloud: Any, dev: DeployedEnvironment, state: str) -> None:
    dev.deploy()
    cloud.job_states = [state]
    with pytest.raises(VertexError, match=f"{state}: accuracy 0.5 is below 0.9"):
        dev.check()


def test_a_run_that_does_not_end_fails_the_check(cloud: Any, dev: DeployedEnvironment) -> None:
    dev.deploy()
    cloud.job_states = ["PIPELINE_STATE_RUNNING"]
    with pytest.raises(VertexError, match="has not ended"):
        dev.check(limit=0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("cron = ", "crom = "), "unknown keys: crom"),
        (('project = "example-dev"', ""), "missing keys: project"),
        (("https://europe-west1-kfp.pkg.dev", "http://kfp.example.com"), "registry has an unexpected value"),
        (("gs://example-dev-ml-artifacts/data", "/data"), "data has an unexpected value"),
        (("project", "project ="), "is no TOML"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    text = (FOLDER / "dev.toml").read_text()
    (tmp_path / "dev.toml").write_text(text.replace(*change))
    with pytest.raises(SettingsError, match=problem):
        read_settings("dev", tmp_path)


def test_an_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="dev, prod, staging"):
        read_settings("qa")
    with pytest.raises(SettingsError, match="no name of an environment"):
        read_settings("../dev")


def test_every_environment_has_settings() -> None:
    for environment in ("dev", "staging", "prod"):
        assert isinstance(read_settings(environment), PipelineSettings)
