"""Terraform's JSON syntax says the same as HCL does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.project import hclfacts, tfjson
from orchestrator.project.facts import FileFacts, PathUse
from orchestrator.project.text import UNKNOWN, Ref


def facts(content: Any) -> FileFacts:
    return tfjson.parse(json.dumps(content).encode())


HCL = """
terraform {
  required_version = ">= 1.11"
  backend "gcs" {
    bucket = "b"
  }
  required_providers {
    google = { source = "hashicorp/google" }
  }
}
module "m" {
  source = "../m"
  name   = "x-${var.a}"
}
data "terraform_remote_state" "n" {
  backend = "gcs"
  config  = { bucket = var.b, prefix = "p" }
}
locals {
  x = data.terraform_remote_state.n.outputs.out
  y = file("${path.module}/y")
}
variable "v" {
  default = "d"
}
resource "google_a" "x" {}
"""

JSON: dict[str, Any] = {
    "//": "a comment",
    "terraform": {
        "required_version": ">= 1.11",
        "backend": {"gcs": {"bucket": "b"}},
        "required_providers": {"google": {"source": "hashicorp/google"}},
    },
    "module": {"m": {"source": "../m", "name": "x-${var.a}"}},
    "data": {
        "terraform_remote_state": {
            "n": {"backend": "gcs", "config": {"bucket": "${var.b}", "prefix": "p"}},
        }
    },
    "locals": {
        "x": "${data.terraform_remote_state.n.outputs.out}",
        "y": '${file("${path.module}/y")}',
    },
    "variable": {"v": {"default": "d"}},
    "resource": {"google_a": {"x": {}}},
}


@pytest.mark.parametrize(
    "field",
    ["required_version", "required_providers", "outputs", "locals", "variables", "types", "broken"],
)
def test_it_says_what_hcl_says(field: str) -> None:
    assert getattr(facts(JSON), field) == getattr(hclfacts.parse(HCL.encode()), field)


def test_blocks_but_for_their_lines() -> None:
    found, same = facts(JSON), hclfacts.parse(HCL.encode())
    assert found.backend is not None
    assert same.backend is not None
    assert found.backend.attributes == same.backend.attributes
    assert [(c.name, c.source, c.arguments) for c in found.calls] == [
        (c.name, c.source, c.arguments) for c in same.calls
    ]
    assert [s.config for s in found.remote_states] == [s.config for s in same.remote_states]
    assert [use.path for use in found.paths] == [use.path for use in same.paths]


def test_arrays_of_blocks() -> None:
    found = facts({"module": [{"a": [{"source": "./a"}]}, {"b": {"source": "./b"}}], "locals": [{"x": "1"}]})
    assert [call.name for call in found.calls] == ["a", "b"]
    assert found.locals == {"x": ("1",)}


def test_a_plain_path_is_read() -> None:
    found = facts({"resource": {"a_b": {"x": {"source": "${path.module}/x.zip"}}}})
    assert PathUse("", (Ref("path", "module"), "/x.zip"), None) in found.paths


def test_depends_on_and_comments_read_nothing() -> None:
    found = facts(
        {"resource": {"a_b": {"x": {"depends_on": ["data.terraform_remote_state.n"], "//": '${file("x")}'}}}}
    )
    assert found.outputs == ()
    assert found.paths == ()


@pytest.mark.parametrize(
    ("data", "line"),
    [(b'{\n "a": 1,\n}', 3), (b"[]", 1), (b"", 1), (b"[" * 100_000, None)],
)
def test_what_does_not_parse(data: bytes, line: int | None) -> None:
    broken = tfjson.parse(data).broken
    assert broken is not None
    assert broken[0] == line or (line == 3 and broken[0] in (2, 3))


def test_values() -> None:
    values, broken = tfjson.parse_values(b'{"a": "x", "b": true, "c": 2, "d": []}')
    assert values == {"a": ("x",), "b": ("true",), "c": ("2",)}
    assert broken is None
    assert facts({"locals": {"a": None}}).locals.get("a", UNKNOWN) == UNKNOWN
