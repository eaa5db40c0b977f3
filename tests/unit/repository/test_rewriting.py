"""Other values in the code, byte for byte otherwise; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.repository.rewriting import RewriteError, Rewriter, render_value
from orchestrator.repository.tree import Tree

ROOT = "infra/envs/prod/app"
CODE = b"""# Kept   as it is.
resource "x_y" "z" {
  size  = 5 # five
  name  = "a" ; odd = 1
  flag  = true
  ports = ["80", 443]
  labels = { team = "a", "b c" = "d" }
  text  = "i-${var.size}"
  here  = <<EOT
hi
EOT
  given   = var.given
  default = var.unset
  none    = var.nowhere
  neg     = -5

  template {
    containers {
      image = "one"
    }
    containers {
      image = "two"
    }
  }
}

variable "unset" {
  default = "d"
}

resource "x_y" "many" {
  count = 2
  size  = 5
}

module "m" {
  source = "../../../modules/m"
  size   = 7
}
""".replace(b" ; odd = 1", b"")
MODULE = b'variable "size" {}\nresource "x_y" "in" {\n  size = var.size\n  fixed = 3\n}\n'
FILES = {
    f"{ROOT}/main.tf": CODE,
    f"{ROOT}/terraform.tfvars": b'given = "first"\n',
    f"{ROOT}/z.auto.tfvars": b'given   =   "second" # the last one counts\n',
    "infra/modules/m/main.tf": MODULE,
    "infra/shared.tfvars": b"other = 1\n",
}


def rewriter() -> Rewriter:
    return Rewriter(Tree(dict.fromkeys(FILES, "0"), FILES.__getitem__))


def written(path: str, old: Any, new: Any, address: str = "x_y.z") -> tuple[str, bytes]:
    """The file that a change touches, and its content then."""
    code_rewriter = rewriter()
    code_rewriter.set(ROOT, ["infra/shared.tfvars"], address, path, old, new)
    ((name, data),) = code_rewriter.files.items()
    return name.removeprefix(f"{ROOT}/"), data


@pytest.mark.parametrize(
    ("path", "old", "new", "was", "now"),
    [
        ("size", 5, 6, b"size  = 5 # five", b"size  = 6 # five"),
        ("size", "5", "6", b"size  = 5 # five", b'size  = "6" # five'),
        ("name", "a", 'q"\n${x}%{y}', b'name  = "a"', b'name  = "q\\"\\n$${x}%%{y}"'),
        ("flag", True, False, b"flag  = true", b"flag  = false"),
        ("neg", -5, 1.5, b"neg     = -5", b"neg     = 1.5"),
        ("ports", ["80", 443], ["81"], b'["80", 443]', b'["81"]'),
        ("ports[1]", 443, 444, b'["80", 443]', b'["80", 444]'),
        ("labels.team", "a", "ä", b'team = "a"', 'team = "ä"'.encode()),
        ('labels["b c"]', "d", "e", b'"b c" = "d"', b'"b c" = "e"'),
        ("template[0].containers[1].image", "two", "three", b'"two"', b'"three"'),
        ("default", "d", "e", b'default = "d"', b'default = "e"'),
    ],
)
def test_only_the_bytes_of_the_value_change(path: str, old: Any, new: Any, was: bytes, now: bytes) -> None:
    assert CODE.count(was) == 1
    assert written(path, old, new) == ("main.tf", CODE.replace(was, now))


def test_a_variable_gets_another_value_in_the_last_file_that_sets_it() -> None:
    assert written("given", "second", "third") == (
        "z.auto.tfvars",
        b'given   =   "third" # the last one counts\n',
    )


def test_through_a_module_to_the_arguments_of_its_caller() -> None:
    name, data = written("size", 7, 8, "module.m.x_y.in")
    assert (name, data) == ("main.tf", CODE.replace(b"size   = 7", b"size   = 8"))


def test_several_changes_of_one_file_keep_each_other() -> None:
    code_rewriter = rewriter()
    code_rewriter.set(ROOT, (), "x_y.z", "name", "a", "a longer one")
    code_rewriter.set(ROOT, (), "x_y.z", "neg", -5, 0)
    expected = CODE.replace(b'"a"\n', b'"a longer one"\n', 1).replace(b"-5", b"0")
    assert code_rewriter.files == {f"{ROOT}/main.tf": expected}


@pytest.mark.parametrize(
    ("address", "path", "old", "why"),
    [
        ("x_y.z", "size", 4, "the code says 5 by now"),
        ("x_y.z", "text", "i-1", "does not spell it out"),
        ("x_y.z", "here", "hi", "does not spell it out"),
        ("x_y.z", "missing", 1, "does not set it"),
        ("x_y.z", "none", 1, "var.nowhere is not set by a literal"),
        ("x_y.z", "template[0].containers[2].image", "x", "does not set it"),
        ("x_y.many[0]", "size", 5, "one of several"),
        ("x_y.many", "size", 5, "one of several"),
        ("x_y.gone", "size", 5, "does not have it"),
        ("module.m.x_y.in", "fixed", 3, "which others may use as well"),
        ("module.n.x_y.in", "fixed", 3, "not in this repository"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason(
    address: str, path: str, old: Any, why: str
) -> None:
    code_rewriter = rewriter()
    with pytest.raises(RewriteError, match=why):
        code_rewriter.set(ROOT, (), address, path, old, 9)
    assert code_rewriter.files == {}


def test_no_value_cannot_be_written() -> None:
    with pytest.raises(RewriteError):
        render_value(None)
    assert render_value("a\b\x7f\\\t\u202e") == '"a\\u0008\\u007f\\\\\\t\\u202e"'
    assert render_value({"a b": [1, {"c": True}]}) == '{ "a b" = [1, { "c" = true }] }'
