"""Samples of templates, the shipped ones among them: linted, accepted by the guard, and planned."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.repo import Repo
from tests.support.schemas import check_schema
from tests.support.warm import run_warm

pytest.importorskip("copier")
pytest.importorskip("grpc")

STACK = 'terraform {\n  backend "gcs" {}\n}\n\nresource "terraform_data" "this" {\n  input = %s\n}\n'
# Valid, and refused by the plan.
LATE = """\
"x"

  lifecycle {
    precondition {
      condition     = terraform.workspace == "other"
      error_message = "Not here."
    }
  }"""


def test_shipped_templates_are_valid_and_can_be_planned(
    tmp_path: Path, terraform_argv: tuple[str, ...]
) -> None:
    environ = {**os.environ, "PATH": f"{Path(terraform_argv[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    names = ("broken", "late", "local", "wrong")
    catalog = "".join(f"  {name}: {{folder: templates/{name}}}\n" for name in names)
    settings = "backend: {gcs: {bucket: states}}\nenvironments: {dev: {}}\n"
    repo = Repo(
        tmp_path / "repo",
        {
            "infra.yaml": f"{settings}catalog:\n{catalog}",
            "infra/envs/dev/README.md": "The stacks of dev.\n",
            "templates/broken/copier.yml": "size: 1\n",
            "templates/broken/main.tf": STACK % "var.nothing",
            "templates/late/copier.yml": "size: 1\n",
            "templates/late/main.tf": STACK % LATE,
            "templates/local/copier.yml": "size: 1\n",
            "templates/local/main.tf": "locals {}\n",
            "templates/wrong/copier.yml": "size: {type: int}\n",
            "templates/wrong/sample-big.yaml": "size: big\n",
        },
    )
    ran = run_warm(("catalog", "check", "--no-tests", "--json"), repo.root, environ)
    assert ran.code == 1, ran.err
    document = json.loads(ran.out)
    check_schema(document, "commands")
    samples = {(sample["template"], sample["sample"]): sample for sample in document["samples"]}
    ours = {name: sample["created"] for name, sample in samples.items() if sample["valid"]}
    assert ours[("stack", "sample")] == 1
    assert 0 < ours[("service", "sample-plain")] < ours[("service", "sample")]
    problems = {
        name: {problem["check"] for problem in sample["problems"]} for name, sample in samples.items()
    }
    assert {name: checks for name, checks in problems.items() if checks} == {
        ("broken", "sample"): {"lint"},
        ("late", "sample"): {"plan"},
        ("local", "sample"): {"guard"},
        ("wrong", "sample-big"): {"render"},
    }
    assert repo.status == ""
