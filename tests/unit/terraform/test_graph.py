"""Which resources depend on which, by what `terraform graph` prints."""

from __future__ import annotations

import pytest

from orchestrator.terraform.graph import dependents

TERRAFORM = """digraph G {
  rankdir = "RL";
  "terraform_data.a" [label="terraform_data.a"];
  subgraph "cluster_module.m" {
    "module.m.terraform_data.q" [label="terraform_data.q"];
  }
  "terraform_data.b" -> "module.m.terraform_data.q";
  "data.remote.r" -> "terraform_data.b";
  "terraform_data.d" -> "data.remote.r";
  "module.m.terraform_data.q" -> "terraform_data.a";
  "terraform_data.f" -> "terraform_data.e";
}
"""
OPENTOFU = """digraph {
\tcompound = "true"
\tsubgraph "root" {
\t\t"[root] terraform_data.b (expand)" -> "[root] local.x (expand)"
\t\t"[root] local.x (expand)" -> "[root] terraform_data.a (expand)"
\t\t"[root] terraform_data.a (expand)" -> "[root] provider[\\"x\\"]"
\t}
}
"""


@pytest.mark.parametrize(
    ("text", "address", "expected"),
    [
        (TERRAFORM, "terraform_data.b", {"data.remote.r", "terraform_data.d"}),
        (
            TERRAFORM,
            "terraform_data.a",
            {"module.m.terraform_data.q", "terraform_data.b", "data.remote.r", "terraform_data.d"},
        ),
        (TERRAFORM, "terraform_data.e", {"terraform_data.f"}),
        (TERRAFORM, "terraform_data.d", set()),
        (OPENTOFU, "terraform_data.a", {"local.x", "terraform_data.b"}),
        ("", "terraform_data.a", set()),
        ('"x.a" -> "x.b"\n"x.b" -> "x.a"', "x.a", {"x.a", "x.b"}),
    ],
)
def test_dependents(text: str, address: str, expected: set[str]) -> None:
    assert dependents(text, [address]) == expected
