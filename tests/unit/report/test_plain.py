"""A comment of ours in a terminal: nothing of its HTML is left, and nothing of its content is lost."""

from __future__ import annotations

import pytest

from orchestrator.report.plain import render_plain
from orchestrator.report.plan_comment import render_comment
from orchestrator.report.rollout_comment import render_rollout_comment
from tests.support.environment_results import RESULTS
from tests.support.rendering import render
from tests.support.reviews import EXAMPLES

# In these, HTML stands in names, which is what the test of hostile text is about.
BODIES = {
    **{f"plan {name}": render_comment(make()) for name, make in EXAMPLES.items() if name != "hostile"},
    **{
        f"landing {name}": render_rollout_comment(make())
        for name, make in RESULTS.items()
        if name != "hostile"
    },
}


@pytest.mark.parametrize("name", BODIES)
def test_no_html_is_left(name: str) -> None:
    rendered = render(render_plain(BODIES[name]))
    assert not {"details", "summary", "sub", "br"} & set(rendered.tags)
    assert not rendered.comments
    assert not rendered.wrong


@pytest.mark.parametrize("name", BODIES)
def test_the_words_are_the_same(name: str) -> None:
    was, now = render(BODIES[name]), render(render_plain(BODIES[name]))
    assert now.code.split() == was.code.split()


def test_what_opens_and_what_warns_is_reported_in_words() -> None:
    plain = render_plain(render_comment(EXAMPLES["deletion"]()))
    assert "**▸ `prod/legacy` · 2 to destroy**" in plain
    assert "> **Caution**\n>\n> **2 resources destroyed when this is applied:**" in plain
    assert plain.startswith("**2 stacks change")


def test_a_fence_is_left_alone() -> None:
    body = "```diff\n<details open><summary>x</summary>\n> [!NOTE]\n<br>\n```\n"
    assert render_plain(body) == body


def test_hostile_names_stay_names() -> None:
    rendered = render(render_plain(render_comment(EXAMPLES["hostile"]())))
    assert not rendered.wrong
    assert not {"img", "details", "script"} & set(rendered.tags)
