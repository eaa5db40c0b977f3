"""One root with a workspace per environment: each stack works in its own workspace and in no other."""

from __future__ import annotations

import json

import pytest

from orchestrator.config import load_text
from orchestrator.errors import ConfigError
from orchestrator.repository.loading import load
from orchestrator.repository.validation import validate_project
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo

ROOT = """\
terraform {
  backend "local" {}
}
variable "token" {
  type      = string
  ephemeral = true
}
resource "terraform_data" "x" {
  input = terraform.workspace
}
output "name" {
  value = terraform_data.x.output
}
"""
GCS = """\
terraform {
  backend "gcs" {
    bucket = "states"
    prefix = "app"
  }
}
"""
SETTINGS = """\
environments: {dev: {protected: false}, prod: {protected: false}}
stacks:
  app:
    path: roots/app
    environments:
      dev: {workspace: blue, var_files: [roots/app/token.tfvars]}
      prod: {workspace: green, var_files: [roots/app/token.tfvars]}
"""
READS = """\
data "terraform_remote_state" "app" {
  backend   = "%s"
  workspace = "%s"
  config = {
    %s
  }
}
output "x" {
  value = data.terraform_remote_state.app.outputs.name
}
"""


@pytest.fixture
def project(make_repo: MakeRepo) -> Repo:
    return make_repo(
        {
            ".gitignore": "*.tfstate*\n",
            "infra.yaml": SETTINGS,
            "roots/app/main.tf": ROOT,
            "roots/app/token.tfvars": 'token = "t"\n',
        }
    )


def test_each_environment_has_its_own_workspace(project: Repo, terraform_argv: tuple[str, ...]) -> None:
    """Whatever the environment or an earlier `workspace select` says; ephemeral variables reach the apply."""
    infra = Infra(project.root, {"TF_WORKSPACE": "elsewhere"})
    infra("apply", "--all", "--auto-approve", code=0)
    states = project.root / "roots/app/terraform.tfstate.d"
    for workspace in ("blue", "green"):
        outputs = json.loads((states / workspace / "terraform.tfstate").read_text())["outputs"]
        assert outputs["name"]["value"] == workspace
    assert sorted(path.name for path in states.iterdir()) == ["blue", "green"]
    (project.root / ".infra/data/dev%2Fapp/environment").write_text("green")
    ran = infra("plan", "--all", "--detailed-exitcode", "--json", code=0)
    assert ran.results == {"dev/app": "unchanged", "prod/app": "unchanged"}


@pytest.mark.parametrize(
    ("backend", "workspace", "config", "root", "upstream"),
    [
        ("gcs", "blue", 'bucket = "states"\n prefix = "app"', GCS, "dev/app"),
        ("gcs", "green", 'bucket = "states"\n prefix = "app"', GCS, "prod/app"),
        ("gcs", "default", 'bucket = "states"\n prefix = "app"', GCS, None),
        ("gcs", "blue", 'bucket = var.unknown\n prefix = "app"', GCS, "dev/app"),
        ("local", "green", 'workspace_dir = "../../../../roots/app/terraform.tfstate.d"', ROOT, "prod/app"),
        ("local", "red", 'workspace_dir = "../../../../roots/app/terraform.tfstate.d"', ROOT, None),
    ],
)
def test_a_remote_state_is_that_of_its_workspace(
    make_repo: MakeRepo, backend: str, workspace: str, config: str, root: str, upstream: str | None
) -> None:
    repo = make_repo(
        {
            "infra.yaml": SETTINGS,
            "roots/app/main.tf": root,
            "roots/app/token.tfvars": "",
            "infra/envs/dev/reader/main.tf": READS % (backend, workspace, config),
        }
    )
    edges = [edge.source for edge in load(repo.root).edges if edge.target == "dev/reader"]
    assert edges == ([upstream] if upstream else [])


def test_locations_of_states_and_what_cannot_be_separated(make_repo: MakeRepo) -> None:
    project = load(make_repo({"infra.yaml": SETTINGS, "roots/app/main.tf": GCS}).root)
    assert [stack.state for stack in project.stacks.values()] == [
        "gs://states/app/blue.tfstate",
        "gs://states/app/green.tfstate",
    ]
    rules = {finding.code for finding in validate_project(project)}
    assert "environments-not-separated" in rules
    assert "state-shared" not in rules


def test_two_environments_in_one_workspace_share_a_state(make_repo: MakeRepo) -> None:
    settings = SETTINGS.replace("green", "blue")
    project = load(make_repo({"infra.yaml": settings, "roots/app/main.tf": GCS}).root)
    assert "state-shared" in {finding.code for finding in validate_project(project)}


def test_a_fingerprint_knows_the_workspace(make_repo: MakeRepo) -> None:
    files = {"roots/app/main.tf": GCS}
    before = load(make_repo({"infra.yaml": SETTINGS, **files}, name="before").root)
    moved = SETTINGS.replace("green", "red")
    after = load(make_repo({"infra.yaml": moved, **files}, name="after").root)
    assert before.fingerprint("dev/app") == after.fingerprint("dev/app")
    assert before.fingerprint("prod/app") != after.fingerprint("prod/app")


def test_the_workspace_is_no_variable_to_pass_on() -> None:
    with pytest.raises(ConfigError) as caught:
        load_text("environments: {dev: {env: [TF_WORKSPACE]}}\n", "infra.yaml")
    assert "stacks.NAME.environments.ENV.workspace" in caught.value.message
    assert caught.value.key == "environments.dev.env[0]"
