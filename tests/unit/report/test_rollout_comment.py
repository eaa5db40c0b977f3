"""What is told after a merge, against golden text (`GOLDEN=write pytest` makes it anew) and by its rules."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.digest_comparison import DigestDifference
from orchestrator.report import markers
from orchestrator.report.comment import LIMIT
from orchestrator.report.review import EnvironmentRules
from orchestrator.report.rollout import StackResult
from orchestrator.report.rollout_comment import (
    render_rollout_comment,
    render_rollout_summary,
    render_stale_notice,
    render_status,
)
from orchestrator.repository.model import Finding
from tests.support import environment_results, reviews
from tests.support.environment_results import RESULTS
from tests.support.rendering import render

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "rollout"


@pytest.mark.parametrize("name", RESULTS)
def test_golden(name: str) -> None:
    path, result = GOLDEN / f"{name}.md", render_rollout_comment(RESULTS[name]())
    if os.environ.get("GOLDEN") == "write":
        path.write_text(result, encoding="utf-8")
    assert result == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RESULTS)
def test_it_is_whole_and_safe(name: str) -> None:
    rollout_result = RESULTS[name]()
    for result in (
        render_rollout_comment(rollout_result),
        render_rollout_summary(rollout_result),
        render_rollout_comment(rollout_result, 9_000),
    ):
        rendered = render(result)
        assert not rendered.wrong
        assert not rendered.foreign
    assert len(render_rollout_comment(rollout_result, 9_000).encode()) <= 9_000
    assert len(render_status(rollout_result)) <= 140
    assert render_status(rollout_result).isprintable()
    assert markers.is_marked(
        render_rollout_comment(rollout_result), markers.apply_marker(rollout_result.environment)
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("applied", "✓ prod is done: 2 stacks applied, 1 created, 2 changed."),
        ("nothing", "✓ Nothing to do in prod: main has no pending change for it."),
        (
            "mismatch",
            "✗ prod: 1 stack differs from its approved plan and was not applied; 1 stack applied, 1 changed.",
        ),
        ("gate", "… prod waits for an approval of 1 stack."),
        ("blocked", "✗ prod: 1 stack refused."),
        ("failed", "✗ prod: 1 stack failed, 1 stack aborted; nothing was applied."),
        ("partial", "✗ prod is partly applied: 1 stack applied, 1 changed; 1 stack interrupted."),
        ("stopped", "✗ prod: 2 stacks applied, 1 created, 2 changed; 1 check failed."),
        ("newer", "… prod: 1 stack superseded by a newer change; 1 stack applied, 1 changed."),
        ("waiting", "… prod is not begun."),
        ("held", "… prod is not begun."),
        ("superseded", "✗ prod: 2 stacks skipped; nothing was applied."),
    ],
)
def test_the_verdict_is_one_sentence(name: str, words: str) -> None:
    assert render_status(RESULTS[name]()) == words
    assert f"**{words}**" in render_rollout_comment(RESULTS[name]())


def test_a_mismatch_shows_both_values_and_both_ways_on() -> None:
    text = render_rollout_comment(RESULTS["mismatch"]())
    assert "| `20 → 100` | `50 → 100` |" in text
    assert "`settings[0].disk_size`<br>the old value is not that of the approved plan" in text
    assert "`infra ci approve prod`" in text
    assert "These environments wait for it: `prod-eu`." in text


def test_a_skipped_stack_is_named_with_advice_that_can_work() -> None:
    """A job's checkout has all of trunk, and nobody needs a laptop: neither is advised."""
    text = render_rollout_comment(RESULTS["superseded"]())
    assert "`prod/network` was skipped, superseded by `0a1b2c3d4e`. `main` does not have the commit" in text
    assert "comment `/infra apply prod --supersede 0a1b2c3d4e` to go over it" in text
    assert "--break-glass" not in text
    assert "`prod/dns` was skipped, superseded by `5e6f708192`. What `main` has is applied there" in text
    assert "git fetch" not in text
    assert "= 1 stack already matches `main`." in text


def test_what_is_held_names_the_environment_and_how_to_go_on() -> None:
    text = render_rollout_comment(RESULTS["held"]())
    assert "staging has not passed: check smoke failed at `1f3d5b7a9c`." in text
    assert "`/infra apply staging`" in text


def test_a_gate_states_what_goes_and_where_to_approve() -> None:
    report = reviews.recorded("delete", "prod/legacy").report
    stack = StackResult(replace(report, result="blocked"))
    text = render_rollout_comment(
        environment_results.make_result(
            "gate", stack, gate_url="https://github.com/acme/infra/actions/runs/1"
        )
    )
    assert "**2 resources destroyed if it is approved:**" in text
    assert "`prod-approval`" in text
    assert render(text).links.count("https://github.com/acme/infra/actions/runs/1") == 1


@pytest.mark.parametrize("state", ["blocked", "mismatch"])
def test_only_a_gate_that_there_is_is_named(state: str) -> None:
    """Where the rules refuse, no text speaks of a gate; where it has no reviewers, that is what to change."""
    messages = {
        way: render_rollout_comment(
            environment_results.make_result(
                state, environment_results.make_stack("prod/a", state), way_out=way
            )
        )
        for way in ("gate", "set up gate", "pull request")
    }
    assert all("`infra ci approve prod`" in text for text in messages.values())
    assert "approve in the gate `prod-approval`" in messages["gate"]
    assert "Give the environment `prod-approval` required reviewers" in messages["set up gate"]
    assert "`unapproved: apply`" in messages["set up gate"]
    assert "gate" not in messages["pull request"]
    assert "prod-approval" not in messages["pull request"]


def test_what_the_policy_refuses_is_reported() -> None:
    finding = Finding("error", "policy-protect", "a.b is protected.", "Keep it.", "main.tf", 3, "prod/a")
    text = render_rollout_comment(
        environment_results.make_result(
            "blocked", environment_results.make_stack("prod/a", "blocked", findings=(finding,))
        )
    )
    assert "- **✗ Refused** `a.b` is protected. (`main.tf:3`) [`policy-protect`]<br>→ Keep it." in text


def test_many_differences_are_cut_and_counted() -> None:
    differences = [DigestDifference(f"a.b[{number}]", "x", "1", "2", "why") for number in range(5_000)]
    text = render_rollout_comment(
        environment_results.make_result(
            "mismatch", environment_results.make_stack("prod/a", "mismatch", *differences)
        )
    )
    count = text.count("<br>why")
    assert len(text.encode()) <= LIMIT
    assert 100 < count < 5_000
    assert f"and {5_000 - count:,} differences more" in text
    assert not render(text).wrong


def test_a_failed_check_names_itself_first() -> None:
    result = render_rollout_comment(RESULTS["stopped"]())
    assert result.index("✗ **failed** health") < result.index("✓ smoke")


def test_other_pull_requests_are_marked_as_stale() -> None:
    text = render_stale_notice(
        [reviews.EVIL, *(f"prod/{'x' * 150}{number}" for number in range(900))], "ab" * 20
    )
    rendered = render(text)
    assert markers.is_marked(text, markers.STALE)
    assert "`abababababab` was merged" in text
    assert " more" in text
    assert len(text.encode()) <= LIMIT
    assert not rendered.foreign
    assert not rendered.wrong


def test_stricter_rules_are_reported_with_the_rules_in_force_now() -> None:
    text = render_stale_notice([], "ab" * 20, [EnvironmentRules("prod", protected=True, unapproved="refuse")])
    assert "**The rules are stricter now:**" in text
    assert "must approve the last commit. Without it, nothing is applied there." in text
    assert "The plan above is stale" not in text
