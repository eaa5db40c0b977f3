"""The bootstrap's code in a repository that has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ProjectError
from orchestrator.repository.loading import load
from orchestrator.sandbox.demo.repository import find_example
from orchestrator.scaffold.bootstrap import bootstrap_stack
from orchestrator.scaffold.bootstrap_code import BootstrapNames, render_values, write_bootstrap
from tests.conftest import MakeRepo

FILES = {
    "infra.yaml": "roots: {envs: live, modules: tf/modules}\nbackend: {gcs: {bucket: acme-state}}\n",
    "live/dev/a/main.tf": "",
    "live/prod/a/main.tf": "",
}

NAMES = BootstrapNames("acme-state", projects={"dev": "", "prod": ""}, owner="acme", repository="live")


def test_it_fits_the_repository_and_its_text_is_true(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    written = write_bootstrap(project, find_example(), NAMES)
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
    written = write_bootstrap(project, find_example(), NAMES)
    assert not {"tf/bootstrap/terraform.tfvars", "tf/modules/state-bucket/"} & set(written)
    assert all(Path(project.root, name).read_text() == "# ours\n" for name in own)
    assert write_bootstrap(project, find_example(), NAMES) == []


def test_a_bucket_of_its_own_is_in_the_backend_block(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    write_bootstrap(project, find_example(), replace(NAMES, bucket="acme-bootstrap", is_bucket_apart=True))
    changed = load(project.root)
    assert bootstrap_stack(changed, "tf/bootstrap").state == (
        "gs://acme-bootstrap/bootstrap/state/default.tfstate"
    )


COMPLETE = BootstrapNames(
    "acme-state",
    "acme-infra",
    "europe-west1",
    "EU",
    ("group:admins@acme.example", "user:olga@acme.example"),
    {"dev": "acme-dev", "prod": "acme-prod"},
    "acme",
    "1001",
    "live",
    "2002",
)


def test_with_all_names_nothing_is_left_to_fill_in() -> None:
    text = render_values(COMPLETE)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines == [
        'state_bucket   = "acme-state"',
        'state_location = "EU"',
        'project_id     = "acme-infra"',
        'region         = "europe-west1"',
        'admins         = ["group:admins@acme.example", "user:olga@acme.example"]',
        "repository = {",
        '  owner    = "acme"',
        '  owner_id = "1001"',
        '  name     = "live"',
        '  id       = "2002"',
        "}",
        "environments = {",
        '  dev  = { project_id = "acme-dev" }',
        '  prod = { project_id = "acme-prod" }',
        "}",
    ]
    assert "Fill in" not in text


@pytest.mark.parametrize(
    "unknown",
    [
        {"project": ""},
        {"admins": ()},
        {"projects": {"dev": "acme-dev", "prod": ""}},
        {"owner_id": ""},
        {"owner": ""},
    ],
)
def test_what_is_unknown_is_a_comment(unknown: dict[str, Any]) -> None:
    names = replace(COMPLETE, **unknown)
    assert not names.is_complete
    assert "# Fill in the lines that are comments" in render_values(names)


@pytest.mark.parametrize("link", ["tf", "tf/bootstrap", "tf/modules"])
def test_nothing_is_written_where_a_link_leads_out(make_repo: MakeRepo, tmp_path: Path, link: str) -> None:
    root = make_repo(FILES).root
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(outside)
    with pytest.raises(ProjectError, match="leads out of the project"):
        write_bootstrap(load(root), find_example(), NAMES)
    assert list(outside.iterdir()) == []
