"""Stacks as entities of Backstage, by the rules of its descriptor format as they are written here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema

STACK = 'terraform {\n  backend "gcs" {}\n}\n'
READER = STACK + (
    'data "terraform_remote_state" "net" {\n  backend = "gcs"\n'
    '  config = { bucket = "states", prefix = "prod/state/net" }\n}\n'
    'output "x" {\n  value = data.terraform_remote_state.net.outputs.id\n}\n'
)
FILES = {
    "infra.yaml": "backend: {gcs: {bucket: states}}\n",
    "infra/envs/prod/net/main.tf": STACK,
    "infra/envs/prod/team_a/app/main.tf": READER,
    "CODEOWNERS": "* a@b.example @olga\n/infra/envs/prod/net/ @bert @acme/platform\n",
}
# Our reading of the format of a Resource: names, tags, and references to other entities.
REFERENCE = r"^(group|user|resource):[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
ENTITY = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "backstage.io/v1alpha1"},
        "kind": {"const": "Resource"},
        "metadata": {
            "required": ["name"],
            "properties": {
                "name": {"pattern": r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"},
                "tags": {"items": {"pattern": r"^[a-z0-9:+#]+(-[a-z0-9:+#]+)*$"}},
            },
        },
        "spec": {
            "required": ["type", "owner"],
            "properties": {
                "owner": {"anyOf": [{"pattern": REFERENCE}, {"const": "unknown"}]},
                "dependsOn": {"items": {"pattern": REFERENCE}},
            },
        },
    },
}


def entities(text: str) -> dict[str, dict[str, Any]]:
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        jsonschema.validate(document, ENTITY)
    return {document["metadata"]["title"]: document for document in documents}


def test_each_stack_is_a_resource_with_owner_and_upstreams(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    infra = Infra(repo.root, {})
    check_schema(infra("catalog", "entities", "--json", code=0).document, "commands")
    text = (repo.root / "catalog-info.yaml").read_text()
    assert infra("catalog", "entities", "--print", code=0).out == text
    by_name = entities(text)
    assert by_name["prod/net"]["spec"]["owner"] == "group:platform"
    app = by_name["prod/team_a/app"]
    assert app["metadata"]["name"] == "prod-team-a-app"
    assert app["spec"]["owner"] == "user:olga"
    assert app["spec"]["dependsOn"] == ["resource:prod-net"]


def test_new_keeps_the_file_up_to_date_unless_people_wrote_it(make_repo: MakeRepo) -> None:
    pytest.importorskip("copier")
    repo = make_repo(FILES)
    infra = Infra(repo.root, {})
    words = ("--data", "project_id=acme-prod")
    infra("new", "stack", "one", *words, code=0)
    assert not (repo.root / "catalog-info.yaml").exists()
    infra("catalog", "entities", code=0)
    infra("new", "stack", "two", *words, code=0)
    assert "prod/two" in entities((repo.root / "catalog-info.yaml").read_text())
    repo.write({"catalog-info.yaml": "mine: true\n"})
    infra("new", "stack", "three", *words, code=0)
    assert "was not written by infra" in infra("catalog", "entities", code=3).err
    assert (repo.root / "catalog-info.yaml").read_text() == "mine: true\n"


def test_two_stacks_of_one_name_are_refused(make_repo: MakeRepo) -> None:
    files = {**FILES, "infra/envs/prod/team-a/app/main.tf": STACK}
    ran = Infra(make_repo(files).root, {})("catalog", "entities", code=3)
    assert re.search(r"prod/team.a/app and prod/team.a/app have one name", ran.err)


def test_no_link_leads_the_file_out_of_the_project(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo(FILES)
    outside = tmp_path / "outside.yaml"
    (repo.root / "catalog-info.yaml").symlink_to(outside)
    assert "leads out of the project" in Infra(repo.root, {})("catalog", "entities", code=3).err
    assert not outside.exists()
