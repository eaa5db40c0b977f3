"""`infra guard` in a repository with a branch."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from orchestrator.cli.app import App
from orchestrator.cli.plan import check_guard
from orchestrator.errors import BlockedError
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.schemas import check_schema

BACKEND = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "backend: {gcs: {bucket: states}}\nguard: {prevent: [workflows]}\n",
    "infra/envs/dev/a/main.tf": BACKEND + 'module "m" {\n  source = "../../../modules/m"\n}\n',
    "infra/envs/dev/b/main.tf": BACKEND,
    "infra/modules/m/main.tf": "",
}
EVIL = 'data "http" "x" {\n  url = "http://example.com"\n}\n'


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    repository = make_repo(FILES)
    repository.branch("change")
    return repository


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def test_a_safe_branch_passes(infra: Infra, repo: Repo) -> None:
    repo.commit({"infra/modules/m/main.tf": "# harmless\n"})
    assert infra("guard", code=0).out == "0 errors, 0 warnings, 0 notes.\n"
    document = infra("guard", "--json", code=0).document
    check_schema(document, "guard")
    assert [stack["id"] for stack in document["stacks"]] == ["dev/a"]


def test_what_a_module_holds_is_found_where_it_stands(infra: Infra, repo: Repo) -> None:
    repo.commit({"infra/modules/m/evil.tf": "\n" + EVIL})
    text = infra("guard", code=4).out
    assert "error infra/modules/m/evil.tf:1: data 'http' sends requests" in text
    assert "[data-source]" in text
    document = infra("guard", "--json", code=4).document
    check_schema(document, "guard")
    assert {finding["rule"] for finding in document["findings"]} == {"data-source", "provider"}
    assert {error["class"] for error in document["errors"]} == {"BlockedError"}
    assert document["base"] == repo.git("rev-parse", "main")


def test_uncommitted_code_and_named_stacks_are_looked_at(infra: Infra, repo: Repo) -> None:
    repo.write({"infra/envs/dev/b/evil.tf": EVIL})
    infra("guard", code=4)
    infra("guard", "dev/b", code=4)
    infra("guard", "dev/a", code=0)


def test_the_rules_are_trunk_s(infra: Infra, repo: Repo) -> None:
    allow = "guard: {providers: [hashicorp/http], allow: [{rule: '*', reason: Mine.}]}\n"
    config = "backend: {gcs: {bucket: states}}\n" + allow
    repo.commit({"infra.yaml": config, "infra/envs/dev/b/evil.tf": EVIL})
    document = infra("guard", "--json", code=4).document
    assert {finding["rule"] for finding in document["findings"]} == {
        "data-source",
        "provider",
        "changed-config",
    }
    repo.switch("main")
    repo.commit({"infra.yaml": config})
    document = infra("guard", "dev/b", "--base", "main", "--json", code=0).document
    assert document["findings"] == []
    repo.branch("later")
    repo.commit({"infra/envs/dev/b/evil.tf": EVIL})
    document = infra("guard", "--json", code=0).document
    assert {accepted["reason"] for accepted in document["accepted"]} == {"Mine."}


def test_annotations_and_sarif(infra: Infra, repo: Repo) -> None:
    repo.commit({".github/workflows/x.yml": "on: push\n"})
    (line,) = infra("guard", "--format", "github", code=4).out.splitlines()
    assert line.startswith("::error file=.github/workflows/x.yml,line=1,title=changed-workflows::")
    (run,) = json.loads(infra("guard", "--format", "sarif", code=4).out)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["changed-workflows"]


def test_a_revision_that_is_not_there(infra: Infra) -> None:
    assert "no revision" in infra("guard", "--base", "nowhere", code=3).err


def test_without_a_commit_the_project_is_its_own_trunk(tmp_path: Path) -> None:
    fresh = Repo(tmp_path)
    fresh.write({**FILES, "infra/envs/dev/b/evil.tf": EVIL})
    assert "[data-source]" in Infra(fresh.root, {})("guard", code=4).out


def test_suggestions(infra: Infra, repo: Repo) -> None:
    repo.commit({"infra/envs/dev/b/evil.tf": EVIL})
    text = infra("guard", "--suggest", code=0).out
    assert "    - {rule: data-source, path: infra/envs/dev/b/evil.tf, reason: …}" in text
    assert "    - hashicorp/http" in text
    document = infra("guard", "--suggest", "--json", code=0).document
    check_schema(document, "guard")
    assert {suggestion["key"] for suggestion in document["suggestions"]} == {"providers", "allow"}


def checked(repo: Repo, stacks: list[str], **environ: str) -> str:
    """What `infra plan` says before it plans."""
    notes = io.StringIO()
    app = App(environ, io.StringIO(), io.StringIO(), notes, str(repo.root))
    check_guard(app, app.project(), stacks)
    return notes.getvalue()


def test_a_plan_on_a_laptop_warns(repo: Repo) -> None:
    repo.write({"infra/envs/dev/b/evil.tf": EVIL})
    notes = checked(repo, ["dev/a", "dev/b"])
    assert "warning: infra/envs/dev/b/evil.tf:1: data 'http' sends requests" in notes
    assert "`infra guard` says how to allow it" in notes
    assert checked(repo, ["dev/a"]) == ""
    assert checked(repo, ["dev/b"], GITHUB_ACTIONS="true") == ""


def test_trunk_decides_what_a_plan_on_a_laptop_does(repo: Repo) -> None:
    """A branch cannot switch it off; what trunk has is not warned about."""
    config = "backend: {gcs: {bucket: states}}\nguard: {local: %s}\n"
    repo.commit({"infra.yaml": config % "off", "infra/envs/dev/b/evil.tf": EVIL})
    assert "warning" in checked(repo, ["dev/b"])
    repo.switch("main")
    repo.commit({"infra.yaml": config % "refuse"})
    repo.branch("refused")
    repo.commit({"infra/envs/dev/b/evil.tf": EVIL})
    with pytest.raises(BlockedError, match="what differs from trunk") as caught:
        checked(repo, ["dev/b"])
    assert (caught.value.file, caught.value.line) == ("infra/envs/dev/b/evil.tf", 1)
    repo.switch("main")
    repo.commit({"infra.yaml": config % "off", "infra/envs/dev/b/evil.tf": EVIL})
    repo.branch("off")
    repo.commit({"infra/envs/dev/b/more.tf": EVIL.replace('"x"', '"y"')})
    assert checked(repo, ["dev/b"]) == ""
    repo.switch("main")
    repo.commit({"infra.yaml": config % "warn"})
    repo.branch("old")
    repo.commit({"infra/envs/dev/b/more.tf": "# x\n"})
    assert checked(repo, ["dev/b"]) == ""
