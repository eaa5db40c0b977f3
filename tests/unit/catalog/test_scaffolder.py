"""Forms for Backstage, and the workflow that they start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.schemas import check_schema

FILES = {
    "infra.yaml": "backend: {gcs: {bucket: states}}\ncatalog:\n  queue: {folder: templates/queue}\n",
    "infra/envs/dev/net/main.tf": "",
    "templates/queue/copier.yml": "project_id: {type: str}\nsize: {type: int}\n"
    "pin: {default: x, secret: true}\n'a } }} ${{ b': 1\n"
    "tier: {choices: {Small: s, Large: l}, default: s, when: '{{ size > 1 }}'}\n",
    "templates/queue/main.tf.jinja": "locals {\n  size = {{ size }}\n}\n",
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


def form(repo: Repo) -> dict[str, Any]:
    text = Infra(repo.root, {})("catalog", "form", "queue", "--repository", "acme/infra", code=0).out
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def test_questions_are_fields_except_secret_and_shared_ones(repo: Repo) -> None:
    document = form(repo)
    assert (document["apiVersion"], document["kind"]) == ("scaffolder.backstage.io/v1beta3", "Template")
    (page,) = document["spec"]["parameters"]
    assert page["required"] == ["name", "size"]
    assert page["properties"]["size"] == {"type": "integer", "title": "size"}
    assert page["properties"]["tier"]["enum"] == ["s", "l"]
    assert page["properties"].keys() == {"name", "size", "tier"}


def test_the_form_gives_the_workflow_its_inputs(repo: Repo) -> None:
    (step,) = form(repo)["spec"]["steps"]
    assert step["action"] == "github:actions:dispatch"
    assert step["input"]["repoUrl"] == "github.com?owner=acme&repo=infra"
    words = ("init", "--repository", "acme/infra", "--from", f"acme/infra@{'0123456789' * 4}")
    Infra(repo.root, {})(*words, "--self-service", code=0)
    path = f".github/workflows/{step['input']['workflowId']}"
    workflow = yaml.safe_load((repo.root / path).read_text().replace("on:", '"on":', 1))
    inputs = workflow["on"]["workflow_dispatch"]["inputs"]
    assert step["input"]["workflowInputs"].keys() == inputs.keys()
    assert step["input"]["workflowInputs"]["kind"] in inputs["kind"]["options"]
    job = workflow["jobs"]["propose"]
    assert job["if"] == "github.ref == 'refs/heads/main'"
    # Nothing that somebody typed is part of a script.
    assert not any("${{" in part.get("run", "") for part in job["steps"])
    # It stays when the workflows are written again.
    (repo.root / path).write_text("# Ours.\n")
    document = Infra(repo.root, {})(*words, "--json", code=0).document
    states = {file["path"]: file["state"] for file in document["files"]}
    assert states[path] == "differs"


def test_answers_come_from_a_file(repo: Repo, tmp_path: Path) -> None:
    pytest.importorskip("copier")
    infra = Infra(repo.root, {})
    words = ("new", "stack", "q", "--template", "queue", "--data", "project_id=acme-dev")
    (tmp_path / "answers.json").write_text('{"size": 5}')
    infra(*words, "--answers", str(tmp_path / "answers.json"), code=0)
    assert "size = 5" in (repo.root / "infra/envs/dev/q/main.tf").read_text()
    for text in ("[]", "{", '{"sise": 5}', '{"size": "5\\nx"}'):
        (tmp_path / "answers.json").write_text(text)
        infra(*words[:2], "r", *words[3:], "--answers", str(tmp_path / "answers.json"), code=3)
    infra(*words[:2], "r", *words[3:], "--answers", "nowhere.json", code=3)


def test_the_repository_must_be_known(repo: Repo) -> None:
    infra = Infra(repo.root, {})
    assert "is not a pull request" in infra("catalog", "form", "project", code=3).err
    assert "--repository OWNER/NAME" in infra("catalog", "form", "queue", code=3).err
    check_schema(
        infra("catalog", "form", "queue", "--repository", "a/b", "--json", code=0).document, "commands"
    )
