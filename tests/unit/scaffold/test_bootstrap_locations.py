"""Where environments are, as the bootstrap's code is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, ProjectError
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.scaffold.bootstrap_locations import (
    FILE,
    BucketFolder,
    EnvironmentLocations,
    Locations,
    find_locations,
    location_findings,
    read_locations,
    shared_folders,
    write_locations,
)
from tests.conftest import MakeRepo

ROOT = "infra/bootstrap"
OWN = "acme-bootstrap"
CODE = {
    f"{ROOT}/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
    f"{ROOT}/variables.tf": 'variable "locations" {}\nvariable "memory_prefix" {\n  default = ""\n}\n',
}
EMPTY = 'terraform {\n  backend "gcs" {}\n}\n'
Urls = Mapping[str, tuple[list[str], list[str]]]


def literal(bucket: str, prefix: str) -> str:
    """A root module whose backend block says where its state is."""
    return f'terraform {{\n  backend "gcs" {{\n    bucket = "{bucket}"\n    prefix = "{prefix}"\n  }}\n}}\n'


def urls(locations: Locations) -> Urls:
    """The folders by environment: of the memory, and of the states."""
    return {
        name: ([each.url for each in environment.memory], [each.url for each in environment.states])
        for name, environment in locations.environments.items()
    }


@pytest.mark.parametrize(
    ("config", "files", "expected"),
    [
        pytest.param(
            f"backend: {{gcs: {{bucket: {OWN}}}}}\n", {"dev/net": EMPTY, "prod/net": EMPTY}, {}, id="usual"
        ),
        pytest.param(
            "{}\n",
            {"dev/net": literal(OWN, "dev/state/net"), "prod/net": literal(OWN, "prod/state/net")},
            {},
            id="usual, in the code",
        ),
        pytest.param(
            "backend: {gcs: {bucket: 'acme-{environment}', prefix: '{stack}'}}\n",
            {"dev/net": EMPTY, "prod/net": EMPTY},
            {
                "dev": (["gs://acme-dev/dev"], ["gs://acme-dev"]),
                "prod": (["gs://acme-prod/prod"], ["gs://acme-prod"]),
            },
            id="a bucket for each environment",
        ),
        pytest.param(
            f"backend: {{gcs: {{bucket: {OWN}, prefix: 'tf/{{environment}}/{{stack}}'}}}}\n",
            {"dev/net": EMPTY, "dev/app": EMPTY},
            {"dev": ([f"gs://{OWN}/tf/dev"], [f"gs://{OWN}/tf/dev"])},
            id="other prefixes in its own bucket",
        ),
        pytest.param(
            "{}\n",
            {
                "dev/net": literal("old", "terraform/dev/net"),
                "dev/app": literal("old", "apps/app"),
                "prod/net": literal("old", "terraform/prod/net"),
            },
            {
                "dev": (
                    ["gs://old/dev", "gs://old/terraform/dev"],
                    ["gs://old/apps/app", "gs://old/terraform/dev"],
                ),
                "prod": (["gs://old/terraform/prod"], ["gs://old/terraform/prod"]),
            },
            id="a bucket that exists, prefixes in the code",
        ),
        pytest.param(
            "backend: {gcs: {bucket: old, prefix: 'tf/{stack}/{environment}'}}\n",
            {"dev/net": EMPTY, "prod/net": EMPTY},
            {
                "dev": (["gs://old/tf/net/dev"], ["gs://old/tf/net/dev"]),
                "prod": (["gs://old/tf/net/prod"], ["gs://old/tf/net/prod"]),
            },
            id="the stack first: each stack's own folder",
        ),
        pytest.param(
            "backend: {gcs: {bucket: 'x-{environment}', prefix: '{stack}'}}\nmemory: {bucket: x-dev}\n",
            {"dev/net": EMPTY, "prod/net": EMPTY},
            {
                "dev": (["gs://x-dev/dev"], ["gs://x-dev/net"]),
                "prod": (["gs://x-dev/prod"], ["gs://x-prod"]),
            },
            id="not the whole bucket where another environment is remembered in it",
        ),
        pytest.param(
            "environments:\n  dev: {backend: {gcs: {bucket: x-dev}}}\n"
            "  prod: {backend: {gcs: {bucket: x-prod}}}\n",
            {"dev/net": EMPTY},
            {
                "dev": (["gs://x-dev/dev"], ["gs://x-dev/dev/state"]),
                "prod": (["gs://x-prod/prod"], ["gs://x-prod/prod/state"]),
            },
            id="an environment without a stack yet",
        ),
        pytest.param("{}\n", {"dev/net": ""}, {}, id="states on a disk"),
    ],
)
def test_the_folders_of_states_and_memory(
    make_repo: MakeRepo, config: str, files: Mapping[str, str], expected: Urls
) -> None:
    stacks = {f"infra/envs/{name}/main.tf": text for name, text in files.items()}
    project = load(make_repo({"infra.yaml": config, **CODE, **stacks}).root)
    assert urls(find_locations(project, ROOT, OWN)) == expected


def test_a_prefix_that_the_values_give_is_usual(make_repo: MakeRepo) -> None:
    config = f"backend: {{gcs: {{bucket: {OWN}, prefix: 'shop/{{environment}}/state/{{stack}}'}}}}\n"
    files = {"infra.yaml": config, "infra/envs/dev/net/main.tf": EMPTY, **CODE}
    with_values = {**files, f"{ROOT}/terraform.tfvars": 'memory_prefix = "shop"\n'}
    locations = find_locations(load(make_repo(with_values).root), ROOT, OWN)
    assert (locations.environments, locations.prefix) == ({}, "shop")
    assert locations.of("dev", OWN).memory == (BucketFolder(OWN, "shop/dev"),)


def test_states_at_the_top_of_the_bootstrap_s_bucket_are_refused(make_repo: MakeRepo) -> None:
    files = {"infra/envs/dev/net/main.tf": literal(OWN, ""), **CODE}
    with pytest.raises(ConfigError, match="at the top of gs://acme-bootstrap"):
        find_locations(load(make_repo(files).root), ROOT, OWN)


@pytest.fixture
def project(make_repo: MakeRepo) -> Project:
    """Two environments, each in a bucket of its own."""
    config = "backend: {gcs: {bucket: 'acme-{environment}'}}\n"
    stacks = {f"infra/envs/{name}/net/main.tf": EMPTY for name in ("dev", "prod")}
    return load(make_repo({"infra.yaml": config, **CODE, **stacks}).root)


def test_the_file_reports_the_same_again(project: Project) -> None:
    """A bucket that the bootstrap created exists later, and stays one that it manages."""
    locations = find_locations(project, ROOT, OWN, lambda name: name == "acme-dev")
    assert locations.existing_buckets == ("acme-dev",)
    assert write_locations(project, ROOT, locations)
    assert not write_locations(project, ROOT, locations)
    assert json.loads((project.root / ROOT / FILE).read_text())["locations"].keys() == {"dev", "prod"}

    again = load(project.root)
    assert read_locations(again, ROOT) == locations
    assert find_locations(again, ROOT, OWN, lambda name: True) == locations
    assert write_locations(again, ROOT, Locations())
    assert not (project.root / ROOT / FILE).exists()


def test_it_is_not_written_where_a_link_leads_out(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    (project.root / ROOT / FILE).symlink_to(outside)
    with pytest.raises(ProjectError, match="leads out of the project"):
        write_locations(project, ROOT, find_locations(project, ROOT, OWN))
    assert not outside.exists()


@pytest.mark.parametrize("text", ["", "[]", '{"locations": {"dev": 1}}', '{"locations": {}}', "\\xff{"])
def test_a_file_by_other_hands_reports_nothing(project: Project, text: str) -> None:
    (project.root / ROOT / FILE).write_text(text)
    assert read_locations(load(project.root), ROOT) == Locations()


def test_a_change_that_the_bootstrap_was_not_given_is_a_finding(project: Project) -> None:
    findings = list(location_findings(project, ROOT, OWN))
    assert [finding.code for finding in findings] == ["bootstrap-locations"] * 2
    assert "dev rights in other folders than it uses: gs://acme-dev/dev, gs://acme-dev/dev/state" in (
        findings[0].message
    )
    write_locations(project, ROOT, find_locations(project, ROOT, OWN))
    assert list(location_findings(load(project.root), ROOT, OWN)) == []
    Path(project.root, f"{ROOT}/variables.tf").unlink()
    Path(project.root, f"{ROOT}/{FILE}").unlink()
    assert list(location_findings(load(project.root), ROOT, OWN)) == [], "code of others is not judged"


def test_environments_that_reach_each_other() -> None:
    """By a folder in common, or by one inside another; not by names that begin alike."""
    locations = {
        "dev": EnvironmentLocations((BucketFolder("b", "dev"),), (BucketFolder("b", "app"),)),
        "prod": EnvironmentLocations((BucketFolder("b", "app/prod"),), (BucketFolder("b", "p"),)),
        "qa": EnvironmentLocations((BucketFolder("b", "app2"),), (BucketFolder("b", "q"),)),
        "test": EnvironmentLocations((BucketFolder("c", "test"),), (BucketFolder("c", ""),)),
    }
    assert list(shared_folders(locations)) == [("dev", "prod", BucketFolder("b", "app/prod"))]
