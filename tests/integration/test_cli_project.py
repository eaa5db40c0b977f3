"""list, graph, validate, affected and schema from the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import json_schema
from tests.conftest import MakeRepo
from tests.support.cli import Infra, InfraResult
from tests.support.repo import Repo
from tests.support.schemas import check_schema

GOLDEN = Path(__file__).parents[1] / "data" / "golden"

NETWORK = """\
terraform {
  backend "gcs" {}
}
module "network" {
  source = "../../../modules/network"
}
"""

SERVICE = """\
terraform {{
  backend "gcs" {{}}
}}
data "terraform_remote_state" "network" {{
  backend = "gcs"
  config = {{
    bucket = "states"
    prefix = "{env}/state/network"
  }}
}}
resource "terraform_data" "x" {{
  input = data.terraform_remote_state.network.outputs.id
}}
"""

FILES = {
    "infra.yaml": "backend: {gcs: {bucket: states}}\nstacks: {prod/job: {depends_on: [prod/service]}}\n",
    **{f"infra/envs/{env}/network/main.tf": NETWORK for env in ("dev", "prod")},
    **{f"infra/envs/{env}/service/main.tf": SERVICE.format(env=env) for env in ("dev", "prod")},
    "infra/envs/prod/job/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
    "infra/modules/network/main.tf": 'resource "terraform_data" "x" {}\n',
    "infra/modules/spare/main.tf": "",
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    repository = make_repo(FILES)
    repository.branch("feature")
    return repository


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def valid(ran: InfraResult, name: str) -> Mapping[str, Any]:
    """The `--json` document, checked against its schema."""
    check_schema(ran.document, name)
    assert ran.document["exit_code"] == ran.code
    return ran.document


def plain(text: str) -> str:
    """Text without the blanks that fill a table's last column."""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("list", ["list"]),
        ("graph_tree", ["graph"]),
        ("graph_mermaid", ["graph", "--format", "mermaid"]),
        ("graph_dot", ["graph", "prod", "--format", "dot"]),
        ("validate", ["validate"]),
    ],
)
def test_what_people_read(infra: Infra, name: str, argv: list[str]) -> None:
    expected = (GOLDEN / f"project_{name}.txt").read_text(encoding="utf-8")
    assert plain(infra(*argv, code=0).out) == expected


def test_list_for_programs(infra: Infra, repo: Repo) -> None:
    document = valid(infra("list", "--json", code=0), "list")
    assert [environment["name"] for environment in document["environments"]] == ["dev", "prod"]
    assert [environment["protected"] for environment in document["environments"]] == [False, True]
    assert document["commit"] == repo.head
    [edge] = [edge for edge in document["edges"] if edge["target"] == "dev/service"]
    assert (edge["source"], edge["outputs"]) == ("dev/network", ["id"])
    some = valid(infra("list", "*/service", "--json", code=0), "list")
    assert [stack["id"] for stack in some["stacks"]] == ["dev/service", "prod/service"]


def test_graph_for_programs(infra: Infra) -> None:
    document = valid(infra("graph", "--format", "json", code=0), "graph")
    assert document == infra("graph", "--json", code=0).document
    waves = {stack["id"]: stack["wave"] for stack in document["stacks"]}
    assert waves["prod/network"] < waves["prod/service"] < waves["prod/job"]


def test_validate_with_an_error(infra: Infra, repo: Repo) -> None:
    repo.write({"infra/envs/dev/bad/main.tf": "locals {\n"})
    ran = infra("validate", code=3)
    assert "infra/envs/dev/bad/main.tf:1" in ran.out
    document = valid(infra("validate", "--json", code=3), "validate")
    [error] = document["errors"]
    assert (error["file"], error["line"], error["stack"]) == ("infra/envs/dev/bad/main.tf", 1, "dev/bad")
    assert error["advice"]


def test_a_cycle_is_spelled_out(infra: Infra, repo: Repo) -> None:
    after = "stacks: {dev/network: {depends_on: [dev/service]}}\n"
    repo.write({"infra.yaml": "backend: {gcs: {bucket: states}}\n" + after})
    path = "dev/network → dev/service → dev/network"
    assert path in infra("validate", code=3).out
    assert path in infra("graph", code=3).err
    assert infra("graph", "prod", code=0).out
    assert infra("graph", "--format", "mermaid", code=0).out


def test_affected(infra: Infra, repo: Repo) -> None:
    assert "No stack is affected" in infra("affected", code=0).out
    repo.write({"infra/modules/network/main.tf": "", "infra/envs/dev/new/main.tf": ""})
    repo.remove("infra/envs/prod/job/main.tf")
    repo.write({"infra.yaml": "backend: {gcs: {bucket: states}}\n"})
    ran = infra("affected", "--why", code=0)
    assert plain(ran.out).splitlines()[:-1] == [
        "dev/network  changed",
        "  infra/modules/network/main.tf → dev/network",
        "dev/new  new",
        "  infra/envs/dev/new → dev/new",
        "prod/network  changed",
        "  infra/modules/network/main.tf → prod/network",
        "dev/service  may change after dev/network",
        "prod/service  may change after prod/network",
        "prod/job  deleted: what it made is to be destroyed",
        "",
    ]
    document = valid(infra("affected", "--json", code=0), "affected")
    assert document["stacks"][0] == {
        "id": "dev/network",
        "environment": "dev",
        "change": "changed",
        "reasons": [["infra/modules/network/main.tf", "dev/network"]],
        "renamed_from": None,
    }
    assert document["dependents"][1] == {
        "id": "prod/service",
        "environment": "prod",
        "after": ["prod/network"],
    }
    assert [stack["id"] for stack in document["deleted"]] == ["prod/job"]
    assert document["base"] == repo.git("rev-parse", "main")


def test_affected_from_another_base(infra: Infra, repo: Repo) -> None:
    repo.commit({"infra/envs/dev/network/main.tf": NETWORK + "# one\n"})
    repo.commit({"infra/envs/prod/network/main.tf": NETWORK + "# two\n"})
    assert "dev/network" not in infra("affected", "--base", "HEAD~1", code=0).out
    failed = infra("affected", "--base", "nowhere", "--json", code=3)
    assert valid(failed, "affected")["errors"][0]["class"] == "GitError"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["list", "dve"], "Did you mean dev?"),
        (["list", "dve/network"], "Did you mean dev?"),
        (["graph", "prod/netwrok"], "Did you mean prod/network?"),
        (["list", "*/none"], "No stack fits"),
        (["list", "../elsewhere"], "outside the project"),
        (["list", ""], "is empty"),
        (["list", "/"], "outside the project"),
        (["affected", "dev"], "unexpected extra argument"),
        (["graph", "--format", "svg"], "svg"),
    ],
)
def test_bad_usage(infra: Infra, argv: list[str], message: str) -> None:
    ran = infra(*argv, code=3)
    assert message in ran.err
    assert ran.out == ""


def test_a_folder_names_its_stacks(repo: Repo, infra: Infra) -> None:
    inside = Infra(repo.root / "infra/envs/prod", {})

    def ids(ran: InfraResult) -> list[str]:
        return [stack["id"] for stack in ran.document["stacks"]]

    assert ids(infra("list", "infra/envs/dev/", "--json")) == ["dev/network", "dev/service"]
    assert ids(inside("list", "network", "--json")) == ["prod/network"]
    assert ids(inside("list", ".", "--json")) == ["prod/job", "prod/network", "prod/service"]
    assert ids(inside("list", "dev/network", "--json")) == ["dev/network"]


@pytest.mark.parametrize(
    "argv",
    [
        "plan .",
        "status .",
        "resume .",
        "output .",
        "unlock .",
        "run . -- version",
        "state list .",
        "state show . terraform_data.x",
        "state pull .",
        "state history .",
    ],
)
def test_each_command_takes_the_folder_that_it_runs_in(repo: Repo, argv: str) -> None:
    ran = Infra(repo.root / "infra/envs/prod/network", {})(*argv.split())
    assert "There is no environment or stack" not in ran.err
    assert "Usage" not in ran.err


def test_a_dot_at_the_root_means_every_stack(repo: Repo, infra: Infra) -> None:
    assert infra("list", ".", "--json").document == infra("list", "--json").document


def test_an_empty_repository_reports_the_next_step(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo({"README.md": ""}).root, {})
    assert "infra/envs/dev/network/main.tf" in infra("validate", code=3).out
    assert "infra/envs/dev/network/main.tf" in infra("list", code=3).err


@pytest.mark.parametrize("command", ["list", "graph", "validate", "affected"])
def test_outside_a_repository(tmp_path: Path, command: str) -> None:
    ran = Infra(tmp_path, {})(command, "--json", code=3)
    [error] = valid(ran, command)["errors"]
    assert error["class"] == "GitError"


def test_schema(infra: Infra) -> None:
    assert json.loads(infra("schema", code=0).out) == json_schema()


def test_nothing_is_written(infra: Infra, repo: Repo) -> None:
    repo.write({"infra/envs/dev/network/.terraform/modules/modules.json": "kept"})
    before = sorted(path for path in repo.root.rglob("*") if ".git/" not in str(path))
    index = (repo.root / ".git/index").stat().st_mtime_ns
    for command in ("list", "graph", "validate", "affected"):
        infra(command, code=0)
    assert sorted(path for path in repo.root.rglob("*") if ".git/" not in str(path)) == before
    assert (repo.root / ".git/index").stat().st_mtime_ns == index
    assert (repo.root / "infra/envs/dev/network/.terraform/modules/modules.json").read_text() == "kept"
