"""`infra parity` on a real repository with real states."""

from __future__ import annotations

import json

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema

MAIN = """\
terraform {
  required_version = "%s"
  backend "local" {}
}
variable "size" {
  default = "small"
}
variable "api_token" {
  default = "%s"
}
resource "terraform_data" "x" {
  input = var.size
}
%s
"""
EXTRA = 'resource "terraform_data" "extra" {}'
FILES = {
    "infra.yaml": "environments: {dev: {protected: false}, prod: {protected: false}}\n",
    "infra/envs/dev/net/main.tf": MAIN % (">= 1.0", "hunter2-dev", EXTRA),
    "infra/envs/prod/net/main.tf": MAIN % (">= 1.1", "hunter2-prod", ""),
    "infra/envs/prod/net/terraform.tfvars": 'size = "large"\n',
    "infra/envs/dev/only/main.tf": "",
}


def test_what_differs_is_shown_and_secrets_are_not(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo(FILES).root, {})
    infra("apply", "dev/net", "--auto-approve", code=0)
    ran = infra("parity", "--json", code=0)
    check_schema(ran.document, "parity")
    net, only = ran.document["stacks"]
    assert (only["name"], only["missing"]) == ("only", ["prod"])
    differences = {(item["kind"], item["name"]): item["values"] for item in net["differences"]}
    code = differences.pop(("code", "main.tf"))
    assert code["dev"] != code["prod"]
    token = differences.pop(("variable", "api_token"))
    assert token["dev"] == token["prod"]
    assert differences == {
        ("variable", "size"): {"dev": '"small"', "prod": '"large"'},
        ("version", "terraform"): {"dev": ">= 1.0", "prod": ">= 1.1"},
        ("resource", "terraform_data.x"): {"dev": "there", "prod": None},
        ("resource", "terraform_data.extra"): {"dev": "there", "prod": None},
        ("pending", "changes"): {"dev": "up to date", "prod": "it was never applied by infra"},
    }
    text = infra("parity", "net", code=0).out
    assert "they differ" in text
    assert "hunter2" not in text + json.dumps(ran.document)


def test_what_cannot_be_compared_is_refused(make_repo: MakeRepo) -> None:
    infra = Infra(make_repo(FILES).root, {})
    assert "Name two or more" in infra("parity", "--env", "dev", code=3).err
    assert "no environment 'qa'" in infra("parity", "--env", "qa", "--env", "dev", code=3).err
    assert infra("parity", "nothing", "--json", code=3).document["errors"]
