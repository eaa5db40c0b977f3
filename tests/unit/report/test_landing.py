"""What is told after a merge, against golden text (`GOLDEN=write pytest` makes it anew) and by its rules."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.comparing import Difference
from orchestrator.project.model import Finding
from orchestrator.report import markers
from orchestrator.report.landing import LandedStack
from orchestrator.report.landing_comment import landing_comment, landing_summary, stale_notice, status_text
from orchestrator.report.pull_request import LIMIT
from orchestrator.report.review import EnvironmentRules
from tests.support import landings, reviews
from tests.support.landings import LANDINGS
from tests.support.rendering import render

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "landing"


@pytest.mark.parametrize("name", LANDINGS)
def test_golden(name: str) -> None:
    path, made = GOLDEN / f"{name}.md", landing_comment(LANDINGS[name]())
    if os.environ.get("GOLDEN") == "write":
        path.write_text(made, encoding="utf-8")
    assert made == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LANDINGS)
def test_it_is_whole_and_harmless(name: str) -> None:
    landing = LANDINGS[name]()
    for made in (landing_comment(landing), landing_summary(landing), landing_comment(landing, 9_000)):
        rendered = render(made)
        assert not rendered.wrong
        assert not rendered.foreign
    assert len(landing_comment(landing, 9_000).encode()) <= 9_000
    assert len(status_text(landing)) <= 140
    assert status_text(landing).isprintable()
    assert markers.is_marked(landing_comment(landing), markers.applied(landing.environment))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("applied", "✓ prod is done: 2 stacks applied, 1 created, 2 changed."),
        ("nothing", "✓ Nothing to do in prod: main owes it nothing."),
        ("mismatch", "✗ prod: 1 stack not as approved, so not applied; 1 stack applied, 1 changed."),
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
    assert status_text(LANDINGS[name]()) == words
    assert f"**{words}**" in landing_comment(LANDINGS[name]())


def test_a_mismatch_shows_both_values_and_both_ways_on() -> None:
    made = landing_comment(LANDINGS["mismatch"]())
    assert "| `20 → 100` | `50 → 100` |" in made
    assert "`settings[0].disk_size`<br>it was another value that was to be changed" in made
    assert "`infra ci approve prod`" in made
    assert "Held back until this is done: `prod-eu`." in made


def test_a_skipped_stack_is_named_with_advice_that_can_work() -> None:
    """A job's checkout has all of trunk, and nobody needs a laptop: neither is advised."""
    made = landing_comment(LANDINGS["superseded"]())
    assert "`prod/network` was skipped, superseded by `0a1b2c3d4e`. `main` does not have the commit" in made
    assert "comment `/infra apply prod --supersede 0a1b2c3d4e` to go over it" in made
    assert "--break-glass" not in made
    assert "`prod/dns` was skipped, superseded by `5e6f708192`. What `main` has is applied there" in made
    assert "git fetch" not in made
    assert "= 1 stack already as `main` wants." in made


def test_what_is_held_names_the_environment_and_how_to_go_on() -> None:
    made = landing_comment(LANDINGS["held"]())
    assert "staging has not passed: check smoke failed at `1f3d5b7a9c`." in made
    assert "`/infra apply staging`" in made


def test_a_gate_says_what_goes_and_where_to_approve() -> None:
    report = reviews.recorded("delete", "prod/legacy").report
    stack = LandedStack(replace(report, result="blocked"))
    made = landing_comment(
        landings.landing("gate", stack, gate_url="https://github.com/acme/infra/actions/runs/1")
    )
    assert "**2 resources destroyed if it is approved:**" in made
    assert "`prod-approval`" in made
    assert render(made).links.count("https://github.com/acme/infra/actions/runs/1") == 1


@pytest.mark.parametrize("state", ["blocked", "mismatch"])
def test_only_a_gate_that_there_is_is_named(state: str) -> None:
    """Where the rules refuse, no text speaks of a gate; where it has no reviewers, that is what to change."""
    told = {
        way: landing_comment(landings.landing(state, landings.landed("prod/a", state), way_out=way))
        for way in ("gate", "set up gate", "pull request")
    }
    assert all("`infra ci approve prod`" in text for text in told.values())
    assert "approve in the gate `prod-approval`" in told["gate"]
    assert "Give the environment `prod-approval` required reviewers" in told["set up gate"]
    assert "`unapproved: apply`" in told["set up gate"]
    assert "gate" not in told["pull request"]
    assert "prod-approval" not in told["pull request"]


def test_what_the_policy_refuses_is_told() -> None:
    found = Finding("error", "policy-protect", "a.b is protected.", "Keep it.", "main.tf", 3, "prod/a")
    made = landing_comment(
        landings.landing("blocked", landings.landed("prod/a", "blocked", findings=(found,)))
    )
    assert "- **✗ Refused** `a.b` is protected. (`main.tf:3`) [`policy-protect`]<br>→ Keep it." in made


def test_many_differences_are_cut_and_counted() -> None:
    found = [Difference(f"a.b[{number}]", "x", "1", "2", "why") for number in range(5_000)]
    made = landing_comment(landings.landing("mismatch", landings.landed("prod/a", "mismatch", *found)))
    shown = made.count("<br>why")
    assert len(made.encode()) <= LIMIT
    assert 100 < shown < 5_000
    assert f"and {5_000 - shown:,} differences more" in made
    assert not render(made).wrong


def test_a_failed_check_names_itself_first() -> None:
    made = landing_comment(LANDINGS["stopped"]())
    assert made.index("✗ **failed** health") < made.index("✓ smoke")


def test_others_are_told_that_their_plan_is_stale() -> None:
    made = stale_notice([reviews.EVIL, *(f"prod/{'x' * 150}{number}" for number in range(900))], "ab" * 20)
    rendered = render(made)
    assert markers.is_marked(made, markers.STALE)
    assert "`abababababab` was merged" in made
    assert " more" in made
    assert len(made.encode()) <= LIMIT
    assert not rendered.foreign
    assert not rendered.wrong


def test_stricter_rules_are_told_by_what_holds_now() -> None:
    made = stale_notice([], "ab" * 20, [EnvironmentRules("prod", protected=True, unapproved="refuse")])
    assert "**The rules are stricter now:**" in made
    assert "must approve the last commit. Without it, nothing is applied there." in made
    assert "The plan above is stale" not in made
