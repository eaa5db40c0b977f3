"""The bootstrap's code in a repository that has none."""

from __future__ import annotations

from pathlib import Path

from orchestrator.project import load
from orchestrator.run.bootstrap_code import write_bootstrap
from orchestrator.sandbox.demo.repository import example
from tests.conftest import MakeRepo

FILES = {
    "infra.yaml": "roots: {envs: live, modules: tf/modules}\nbackend: {gcs: {bucket: acme-state}}\n",
    "live/dev/a/main.tf": "",
    "live/prod/a/main.tf": "",
}


def test_it_fits_the_repository_and_says_what_it_says(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    written = write_bootstrap(project, example(), ("acme", "live"))
    assert written[-2:] == ["tf/modules/github-identity/", "tf/modules/state-bucket/"]
    code = Path(project.root, "tf/bootstrap/main.tf").read_text()
    assert 'source = "../modules/github-identity"' in code
    values = Path(project.root, "tf/bootstrap/terraform.tfvars").read_text()
    assert 'state_bucket = "acme-state"' in values
    assert '#   owner    = "acme"' in values
    assert "#   prod = { project_id" in values
    called = load(project.root).coverage.source.calls("tf/bootstrap")
    assert {call.path for call in called} == {"tf/modules/github-identity", "tf/modules/state-bucket"}


def test_nothing_that_is_there_is_replaced(make_repo: MakeRepo) -> None:
    own = {"tf/bootstrap/terraform.tfvars": "# ours\n", "tf/modules/state-bucket/main.tf": "# ours\n"}
    project = load(make_repo(FILES | own).root)
    written = write_bootstrap(project, example(), ("", ""))
    assert not {"tf/bootstrap/terraform.tfvars", "tf/modules/state-bucket/"} & set(written)
    assert all(Path(project.root, name).read_text() == "# ours\n" for name in own)
    assert write_bootstrap(project, example(), ("", "")) == []
