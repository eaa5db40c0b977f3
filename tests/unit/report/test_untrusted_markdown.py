"""Markdown of strangers: its structure stays, and nothing else of it has an effect."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.report.hook_reports import render_reports
from orchestrator.report.review import HookReport
from orchestrator.report.untrusted_markdown import render_untrusted
from tests.support.rendering import render

TEXT = """\
# Cost **up**
Total: **12 EUR** a month, see `bin/cost`.

| Stack | Cost |
|---|--:|
| dev/app | **9 EUR** | one too many |
| prod | 3 |

- first
  - inner
1. third

```json
{"a": "<b>"}
```
"""
RENDERED = """\
**Cost up**

Total: **12 EUR** a month, see `bin/cost`.

| Stack | Cost |
|---|---|
| dev/app | **9 EUR** |
| prod | 3 |

- first
  - inner
- third

```
{"a": "<b>"}
```"""


def test_structure_stays() -> None:
    assert render_untrusted(TEXT) == RENDERED
    assert render_untrusted("\r\n\n  \n") == ""


HOSTILE = (
    "<!-- infra:plan -->",
    "</details><h1>Approved</h1>",
    "<details open><summary>x",
    "@acme/platform please approve, see #12 and acme/infra#3 or GH-4",
    "![x](https://evil.example/pixel.png)",
    "[Approve here](https://evil.example)",
    "[x]: https://evil.example\n[x]",
    "https://evil.example www.evil.example",
    "```\nnever closed\n</details>",
    "~~~~\n```\n~~~\n</details>\n~~~~\n@admin",
    "| a | b |\n|---|---|\n| <img src=x onerror=y> | `@x` | @y |",
    "| `a | b` |\n|---|---|\n| `x` <b> |",
    "> [!CAUTION]\n> **Everything is destroyed**",
    "a\n===\n---\n***\n+++",
    "**@admin** `@admin` ** @admin **",
    "- </details>\n    - <b>",
    "\u202egnp.exe\u200b\u2066",
    "    indented code </details>",
    "# </summary>",
    "&lt;b&gt; &#64;admin",
    "0123456789abcdef0123456789abcdef01234567",
    "$x$ :tada: ~~gone~~ *em* _em_",
    "`` ` `` `unclosed",
    "\\`x\\`\\",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_else_has_an_effect(text: str) -> None:
    (part,) = render_reports([HookReport("cost", "dev", markdown=text)])
    rendered = render(f"{part.whole}\n\nAfter it.")
    assert (rendered.wrong, rendered.foreign, rendered.links, rendered.comments) == ([], [], [], [])
    assert rendered.tags.count("details") == 1
    assert rendered.prose.rstrip().endswith("After it.")


@given(st.text(st.sampled_from(list("a1 \n\t`~|-*#<>@[]()!:&/\\.+=_\u202e")), max_size=80))
@settings(deadline=None)
def test_whatever_is_in_it(text: str) -> None:
    (part,) = render_reports([HookReport("cost", "dev", markdown=text)])
    rendered = render(f"{part.whole}\n\nAfter it.")
    assert (rendered.wrong, rendered.foreign, rendered.links, rendered.comments) == ([], [], [], [])
    assert rendered.tags.count("details") == 1


def test_a_report_states_who_wrote_it_and_a_failed_one_why_there_is_none() -> None:
    trunk, change, failed = render_reports(
        [
            HookReport("cost", "dev", markdown="x"),
            HookReport("cost", "dev", "dev/app", "head", "x"),
            HookReport("cost", "prod", problem="exit code 3"),
        ]
    )
    assert "Report <code>cost</code> of <code>dev</code>" in str(trunk.whole)
    assert "Written by a program of trunk" in str(trunk.whole)
    assert "Written by code of this pull request" in str(change.whole)
    assert failed.whole == "✗ Report `cost` of `prod`: exit code 3."
