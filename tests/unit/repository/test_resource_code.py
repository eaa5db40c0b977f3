"""Which attributes the code of a resource sets, and which changes it lets be."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.repository.resource_code import WrittenResource, parse_ignored_paths, read_resource_code

CODE = """
resource "a_b" "c" {
  for_each = var.many
  name     = "x"
  nothing  = null
  labels   = { team = "a" }
  template {
    limits { cpu = 1 }
    dynamic "env" {
      for_each = var.env
      iterator = one
      content {
        name = one.key
        inner { deep = 1 }
      }
    }
  }
  empty {}
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [labels["a.b"], template[0].limits] // theirs
  }
  provisioner "local-exec" { command = "true" }
}

resource "a_b" "all" {
  lifecycle { ignore_changes = all }
}

data "a_b" "c" { name = "x" }
"""


def test_what_a_block_sets(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(CODE)
    written = read_resource_code(tmp_path)
    assert set(written) == {"a_b.c", "a_b.all"}
    assert written["a_b.c"] == WrittenResource(
        frozenset(
            {
                ("name",),
                ("labels",),
                ("template", ""),
                ("template", "limits", ""),
                ("template", "limits", "cpu"),
                ("template", "env", ""),
                ("template", "env", "name"),
                ("template", "env", "inner", ""),
                ("template", "env", "inner", "deep"),
                ("empty", ""),
            }
        ),
        (("labels", "a.b"), ("template", 0, "limits")),
    )
    assert written["a_b.all"].ignores_all


def test_json_and_override_files_count_too(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "a_b" "c" {\n  name = "x"\n}\n')
    (tmp_path / "main_override.tf.json").write_text(
        '{"resource": {"a_b": {"c": {"size": 1, "lifecycle": {"ignore_changes": ["size", "t[0].u"]}}}}}'
    )
    (tmp_path / "README.md").write_text("no code")
    assert read_resource_code(tmp_path) == {
        "a_b.c": WrittenResource(frozenset({("name",), ("size",)}), (("size",), ("t", 0, "u")))
    }
    assert read_resource_code(tmp_path / "missing") == {}


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("all", [("all",)]),
        ("[]", []),
        ("[a, b.c, d[0].e]", [("a",), ("b", "c"), ("d", 0, "e")]),
        ('[tags["x,y"], # a, b\n  c,\n /* d, */ e]', [("tags", "x,y"), ("c",), ("e",)]),
        ('["a", "b[0].c"]', [("a",), ("b", 0, "c")]),
    ],
)
def test_ignore_changes(source: str, paths: list[tuple[str | int, ...]]) -> None:
    assert parse_ignored_paths(source) == paths
