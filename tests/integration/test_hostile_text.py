"""Texts of others in all that is posted and printed: branch, title, subject, names, errors, messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ci import CiProject, running
from tests.support.cli import InfraResult
from tests.support.merging import APPLY
from tests.support.rendering import render
from tests.support.secrets import text_of

pytestmark = pytest.mark.usefixtures("terraform_argv")

EVIL = (
    "</details>\n```\n~~~\n<img src=x onerror=alert(1)> @acme/admins #1 https://evil.example ![i](//evil.x)\n"
    "::set-output name=gate::false\n  ::add-mask::a\n::stop-commands::x\n##[set-output name=a]b\r::error::c\n"
    "<!-- infra:plan -->\n<!-- infra:told prod=x -->\n\u001b]0;owned\u0007\u202e"
)
NAME = "`@ada` <img src=x> ::error::y ##[debug]z"
HCL = EVIL.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace('"', '\\"')
HCL = re.sub("[\u001b\u0007\u202e]", lambda match: f"\\u{ord(match[0]):04x}", HCL)
BACKEND = 'terraform {\n  backend "gcs" {}\n}\n'
PLAIN = f"""{BACKEND}
resource "terraform_data" "x" {{
  for_each = toset(["{HCL}"])
  input    = "{HCL}"
}}
output "x" {{
  value = "{HCL}"
}}
check "c" {{
  assert {{
    condition     = length(terraform_data.x) == 0
    error_message = "{HCL}"
  }}
}}
"""
BROKEN = f"""{BACKEND}
variable "v" {{
  default = "{HCL}"
  validation {{
    condition     = length(var.v) < 3
    error_message = "{HCL}"
  }}
}}
resource "terraform_data" "x" {{
  input = var.v
}}
"""
REGO = """package main

warn contains msg if {
  some change in input.resource_changes
  msg := change.change.after.input
}
"""
CONFIG = """
version: 1
backend:
  gcs: {bucket: states}
environments:
  dev:
    checks: [{name: "::error::x", command: [printf, '%s', "::error::x <b> @ada\\n::set-output name=a::b"]}]
  prod: {}
"""
APP, BAD = f"infra/envs/dev/{NAME}/main.tf", "infra/envs/dev/bad/main.tf"


@pytest.fixture
def ci(steady_path: Path) -> Iterator[CiProject]:
    files = {"infra.yaml": CONFIG, "policies/a.rego": REGO, "infra/envs/prod/net/main.tf": BACKEND}
    with running(steady_path, files=files) as project:
        yield project


def is_quiet(ran: InfraResult) -> None:
    """Nothing that was printed commands a terminal, or the job that it was printed in."""
    for line in re.split(r"[\r\n]", ran.out + ran.err):
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line, line
    assert not set(ran.out + ran.err) & set("\u001b\u0007\r\u202e")


def is_text(body: str) -> None:
    """Nothing in a text that was posted acts."""
    rendered = render(body)
    assert not rendered.wrong
    assert not rendered.foreign
    assert not [link for link in rendered.links if "evil" in link]


def test_nothing_acts_that_others_wrote(ci: CiProject) -> None:
    branch = "a`b</details>@ada-$(id)#1"
    ci.github.commit(branch, {APP: PLAIN, BAD: BROKEN}, EVIL)
    number = ci.github.open(branch, EVIL.replace("\n", " "), body=EVIL)
    # Somebody writes what looks like ours before we do.
    forged = ci.github.comment(
        number, "ada", "<!-- infra:plan -->\n<!-- infra:head " + "a" * 40 + " -->\nFine."
    )
    job = ci.job(number)
    is_quiet(job("ci", "comment", "--started", code=0))
    is_quiet(job("ci", "plan", "--dry-run"))
    is_quiet(job("ci", "plan", "--json", code=1))
    is_quiet(job("ci", "plan", code=1))
    assert all(part in ci.github.comments(number)[1].body for part in ("::set-output", "\\u001b]0;owned"))
    comment, ours = ci.github.comments(number)
    assert (comment.id, comment.body.endswith("Fine.")) == (forged, True)
    is_text(ours.body)
    assert ours.body.count("<!-- infra:") == 2, "the marker and the head, each once"
    for check in ci.github.checks(ci.github.head(number)):
        is_text(check.summary)
        is_text(check.text)
        assert "\n" not in check.title
        assert not set(check.title + text_of(check.annotations)) & set("\u001b\u0007\u202e")
    for name in ("STEP_SUMMARY", "OUTPUT"):
        written = Path(job.env[f"GITHUB_{name}"]).read_text()
        assert not set(written) & set("\u001b\u0007\u202e")
    is_text(Path(job.env["GITHUB_STEP_SUMMARY"]).read_text())
    names = re.findall(r"^(\w+)<<[0-9a-f]{32}$", Path(job.env["GITHUB_OUTPUT"]).read_text(), re.MULTILINE)
    assert set(names) == {"changed", "affected", "stacks", "exit_code", "comment"}

    # On trunk: what is applied, and what is told of that.
    ci.github.commit(branch, {BAD: None}, "Take it back")
    ci.github.merge(number, "squash")
    push = ci.job(0, event="push", rights=APPLY, commit=ci.github.trunk)
    is_quiet(push("ci", "apply", "dev", code=0))
    is_text(ci.github.comments(number)[-1].body)
    assert ci.github.comments(number)[-1].body.startswith("<!-- infra:apply dev -->\n")
    for command in (
        ("status",),
        ("list",),
        ("history", f"dev/{NAME}"),
        ("validate",),
        ("output", f"dev/{NAME}"),
    ):
        is_quiet(push(*command, code=0))
