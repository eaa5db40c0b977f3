"""A comment of ours in a terminal: nothing of its HTML is left, and nothing of its content is lost."""

from __future__ import annotations

import pytest

from orchestrator.report.landing_comment import landing_comment
from orchestrator.report.plain import plain
from orchestrator.report.pull_request import comment
from tests.support.landings import LANDINGS
from tests.support.rendering import render
from tests.support.reviews import EXAMPLES

# In these, HTML stands in names, which is what the test of hostile text is about.
BODIES = {
    **{f"plan {name}": comment(make()) for name, make in EXAMPLES.items() if name != "hostile"},
    **{f"landing {name}": landing_comment(make()) for name, make in LANDINGS.items() if name != "hostile"},
}


@pytest.mark.parametrize("name", BODIES)
def test_no_html_is_left(name: str) -> None:
    rendered = render(plain(BODIES[name]))
    assert not {"details", "summary", "sub", "br"} & set(rendered.tags)
    assert not rendered.comments
    assert not rendered.wrong


@pytest.mark.parametrize("name", BODIES)
def test_the_words_are_the_same(name: str) -> None:
    was, now = render(BODIES[name]), render(plain(BODIES[name]))
    assert now.code.split() == was.code.split()


def test_what_opens_and_what_warns_is_told_in_words() -> None:
    made = plain(comment(EXAMPLES["deletion"]()))
    assert "**▸ `prod/legacy` · 2 to destroy**" in made
    assert "> **Caution**\n>\n> **2 resources destroyed when this is applied:**" in made
    assert made.startswith("**2 stacks change")


def test_a_fence_is_left_alone() -> None:
    body = "```diff\n<details open><summary>x</summary>\n> [!NOTE]\n<br>\n```\n"
    assert plain(body) == body


def test_hostile_names_stay_names() -> None:
    rendered = render(plain(comment(EXAMPLES["hostile"]())))
    assert not rendered.wrong
    assert not {"img", "details", "script"} & set(rendered.tags)
