"""`infra query` on a real repository with real states."""

from __future__ import annotations

import json

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema

MAIN = """\
terraform {
  backend "local" {}
}
resource "terraform_data" "x" {
  input = { password = "hunter2", team = "blue" }
}
"""


def test_questions_are_answered_from_ledger_and_states(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra.yaml": "environments: {dev: {}}\n", "infra/envs/dev/net/main.tf": MAIN})
    infra = Infra(repo.root, {})
    infra("apply", "dev/net", "--auto-approve", "--confirm", "dev", code=0)
    ran = infra("query", "--json", "SELECT stack, address, path, hidden FROM attributes", code=0)
    check_schema(ran.document, "query")
    rows = {row[2]: row[3] for row in ran.document["rows"]}
    assert rows["input.value.password"] == 1
    assert rows["input.value.team"] == 0
    assert (
        infra("query", "--csv", "SELECT id, status FROM stacks", code=0).out == "id,status\ndev/net,applied\n"
    )
    assert "dev/net" in infra("query", "who-applied", code=0).out
    file = (repo.root / ".infra/cache/insight-1.sqlite").read_bytes()
    assert b"dev/net" in file
    assert b"hunter2" not in file + json.dumps(ran.document).encode()


def test_what_can_be_queried_is_listed(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo().root, {})
    assert "module-users MODULE" in infra("query", "--list", code=0).out
    assert "commits_behind: " in infra("query", "--views", code=0).out
    document = infra("query", "--list", "--json", code=0).document
    check_schema(document, "query")
    assert document["questions"]
    refused = infra("query", "DELETE FROM stacks", "--json", code=3)
    check_schema(refused.document, "query")
    for argv in ((), ("--list", "SELECT 1"), ("--csv", "--json", "SELECT 1"), ("SELECT 1", "SELECT 2")):
        infra("query", *argv, code=3)


def test_impact_and_metrics_have_resources_and_owners(make_repo: MakeRepo) -> None:
    files = {
        "infra.yaml": "environments: {dev: {protected: false}}\n",
        "infra/envs/dev/net/main.tf": MAIN,
        "CODEOWNERS": "* @ada\n",
    }
    infra = Infra(make_repo(files).root, {})
    infra("apply", "dev/net", "--auto-approve", code=0)
    document = infra("impact", "infra/envs/dev/net/main.tf", "--json", code=0).document
    check_schema(document, "impact")
    (stack,) = document["stacks"]
    assert (stack["id"], stack["resources"], stack["owners"]) == ("dev/net", 1, ["@ada"])
    assert "1 stack in 1 environment, with 1 resource" in infra("impact", "dev/net", code=0).out
    metrics = infra("metrics", "--json", "--prometheus", "infra.prom", code=0).document
    check_schema(metrics, "metrics")
    assert [(group["environment"], group["owner"]) for group in metrics["groups"]] == [
        ("dev", None),
        ("dev", "@ada"),
    ]
    assert metrics["groups"][1]["figures"]["deployments"] == 1
    assert 'infra_deployments{environment="dev",owner="@ada"} 1.0' in (infra.root / "infra.prom").read_text()
    assert "Deployment frequency" in infra("metrics", "--owner", "@ada", code=0).out
    infra("metrics", "--owner", "@eve", code=3)
