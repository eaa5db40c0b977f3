"""Programs that lie in a checkout for Terraform to find are not run, even where no guard looks."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from orchestrator.engine.cli_configuration import cli_configuration_of
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo

CONFIG = "backend: {local: {path: '.states/{environment}/{stack}.tfstate'}}\n"
PROVIDER = 'terraform {\n  required_providers {\n    random = { source = "hashicorp/random" }\n  }\n}\n'
RESOURCE = 'resource "random_id" "x" {\n  byte_length = 4\n}\n'
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine().lower())
PLATFORM = f"{platform.system().lower()}_{MACHINE}"


def package(folder: Path, proof: Path) -> Path:
    """A provider package in a mirror, whose program only proves that it ran; returns the mirror."""
    path = (
        folder / f"registry.terraform.io/hashicorp/random/9.9.9/{PLATFORM}/terraform-provider-random_v9.9.9"
    )
    program(path, proof)
    return folder


def program(path: Path, proof: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {proof}\nexit 1\n")
    path.chmod(0o700)


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    return tmp_path / "proof"


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo({"infra.yaml": CONFIG, "infra/envs/dev/app/main.tf": PROVIDER + RESOURCE})


@pytest.mark.parametrize("environ", [{}, {"CI": "true"}])
def test_a_terraform_d_in_the_checkout_is_no_mirror(
    repo: Repo, proof: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    package(repo.root / "shared" / "plugins", proof)
    (repo.root / "infra/envs/dev/app/terraform.d").symlink_to("../../../../shared")
    ran = Infra(repo.root, environ)("plan", "dev/app", code=1)
    assert "hashicorp/random" in ran.out + ran.err
    assert not proof.exists()


def test_ci_commands_get_infras_own_configuration_also_off_a_job(repo: Repo) -> None:
    project = load(repo.root)
    assert (
        cli_configuration_of(project, {}, ci_command=True).text == "provider_installation {\n  direct {}\n}\n"
    )
    assert cli_configuration_of(project, {}).text is None


def test_a_provisioner_plugin_in_the_root_is_not_run(repo: Repo, proof: Path) -> None:
    repo.write({"infra/envs/dev/app/main.tf": 'resource "terraform_data" "x" {\n  provisioner "foo" {}\n}\n'})
    program(repo.root / "infra/envs/dev/app/terraform-provisioner-foo_v1.0.0", proof)
    Infra(repo.root, {})("plan", "dev/app", code=1)
    assert not proof.exists()


def test_mirrors_are_trunks_to_name(repo: Repo, proof: Path, tmp_path: Path) -> None:
    mirror = package(tmp_path / "mirror", proof)
    config = CONFIG + f"terraform: {{provider_installation: {{filesystem_mirror: [{mirror}]}}}}\n"
    repo.branch("change")
    repo.commit({"infra.yaml": config})
    infra = Infra(repo.root, {"CI": "true"})
    infra("plan", "dev/app", code=1)
    assert not proof.exists()
    repo.git("branch", "-f", "main", "change")
    infra("plan", "dev/app", code=1)
    assert proof.exists()
