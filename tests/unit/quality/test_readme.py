"""Tables and examples of READMEs, made from the code."""

from __future__ import annotations

import pytest

from orchestrator.quality.readme import on_one_line, render_readme, stale_lines
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

README = """\
# m

<!-- example: examples/minimal/main.tf -->
old
<!-- /example -->

<!-- inputs -->
<!-- /inputs -->

Kept.

<!-- outputs -->
<!-- /outputs -->
"""
FILES = {
    "infra/modules/m/variables.tf": """
        variable "size" {
          description = "How big: small | large."
          type        = string
          default     = "small"
        }
        variable "settings" {
          description = "All of it."
          type = object({
            port = optional(number, 80) # the port
            tags = optional(list(string), [
              "a",
              "b",
            ])
          })
        }
        """,
    "infra/modules/m/outputs.tf": 'output "id" {\n  value = 1\n}\n',
    "infra/modules/m/examples/minimal/main.tf": 'module "m" {\n  source = "../.."\n}\n',
    "infra/modules/m/README.md": README,
}


def test_every_part_is_written_from_the_code(make_repo: MakeRepo) -> None:
    text = render_readme(load(make_repo(FILES).root), "infra/modules/m", README)

    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `settings` | All of it. | "
        '`object({ port = optional(number, 80), tags = optional(list(string), ["a", "b"]) })` | required |',
        '| `size` | How big: small \\| large. | `string` | `"small"` |',
        "| `id` |  |",
    ]
    assert 'source = "../../../modules/m"' in text
    assert "old" not in text
    assert "Kept." in text


def test_it_is_stale_until_it_was_written(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    text = render_readme(project, "infra/modules/m", README)

    assert list(stale_lines(README, text)) == [3, 7, 12]
    assert render_readme(project, "infra/modules/m", text) == text


def test_an_example_that_is_gone_is_left_as_it_was(make_repo: MakeRepo) -> None:
    text = "<!-- example: nowhere.tf -->\nkept\n<!-- /example -->\n"

    assert render_readme(load(make_repo(FILES).root), "infra/modules/m", text) == text


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{}", "{}"),
        ("[]", "[]"),
        ('{\n  a = "x,  y" # why\n\n  b = { c = 1 }\n}', '{ a = "x,  y", b = { c = 1 } }'),
        ("map(object({\n  a = string\n}))", "map(object({ a = string }))"),
        ("[\n  1,\n  2,\n]", "[1, 2]"),
        ("optional( number , 1 )", "optional(number, 1)"),
        ('{ "a/b" = true }', '{ "a/b" = true }'),
    ],
)
def test_an_expression_fits_on_one_line(source: str, line: str) -> None:
    assert on_one_line(source) == line
