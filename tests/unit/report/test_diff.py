"""Terraform's signs in the first column, and only Terraform's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report.diff import color_diff

RECORDED = Path(__file__).parents[2] / "data" / "plans"
CASES = sorted(path.parent.name for path in RECORDED.glob("*/diff.txt"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('  + resource "a" "b" {', '+   resource "a" "b" {'),
        ('      ~ name = "a" -> "b"', '!       name = "a" -> "b"'),
        ('      - name = "a" -> null', '-       name = "a" -> null'),
        ('-/+ resource "a" "b" {', '-/+ resource "a" "b" {'),
        ('+/- resource "a" "b" {', '! +/- resource "a" "b" {'),
        (' <= data "a" "b" {', ' <= data "a" "b" {'),
        ("  # a.b will be created", "  # a.b will be created"),
        (" - terraform_data.main", " - terraform_data.main"),
        ("+ forged", " + forged"),
        ("- forged", " - forged"),
        ("@@ forged @@", " @@ forged @@"),
        ("    }", "    }"),
    ],
)
def test_lines(line: str, expected: str) -> None:
    assert color_diff(f"head\n{line}\nend") == f"head\n{expected}\nend"


CHANGED = """
Terraform used the selected providers ...

Terraform will perform the following actions:

  # terraform_data.b will be updated in-place
  ~ resource "terraform_data" "b" {
      ~ input  = <<-EOT
          - one
          + - one
            - two
            + three
            EOT
        EOT
      + list   = [
          + <<-EOT
                - item
            EOT,
        ]
        id     = <<-EOT
            + raw
        EOT
    }
"""

COLOURED = """  # terraform_data.b will be updated in-place
!   resource "terraform_data" "b" {
!       input  = <<-EOT
-           one
+           - one
            - two
            + three
            EOT
        EOT
+       list   = [
+           <<-EOT
+               - item
+           EOT,
        ]
        id     = <<-EOT
            + raw
        EOT
    }"""


def test_what_looks_like_a_sign_inside_a_text_is_none() -> None:
    assert color_diff(CHANGED) == COLOURED


@pytest.mark.parametrize("case", CASES)
def test_nothing_but_signs_moves(case: str) -> None:
    """Without signs and spaces, the words are Terraform's own, in Terraform's order."""
    diff = (RECORDED / case / "diff.txt").read_text()
    rest = diff.partition("following actions:\n")[2] or diff
    marks = str.maketrans("", "", "+-~!/ \n")
    assert color_diff(diff).translate(marks) == rest.translate(marks)


@given(st.text(alphabet="+-~<=!@# /ab\n\tEOT", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert color_diff(text).count("\n") <= text.count("\n")
