"""Drift told to people and programs: severity, exit codes, Markdown that does nothing, JUnit, figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import fromstring

from orchestrator.drift import junit as drift_junit
from orchestrator.drift import markdown as drift_markdown
from orchestrator.drift.heartbeat import describe_heartbeat
from orchestrator.drift.history import StackHistory, compute_figures, format_duration
from orchestrator.drift.model import DriftedAttribute, DriftedResource, Kind, MatchedIgnoreRule
from orchestrator.drift.report import DriftReport, RuleFinding, StackDrift
from orchestrator.drift.text import describe_change, format_attribute, render_verdict
from orchestrator.report.model import RunInfo
from orchestrator.state.drift_store import DriftedResourceRecord, Episode, Heartbeat
from tests.support.junit import check_junit
from tests.support.rendering import render

RUN = RunInfo("R", "ci", "c" * 40, "2026-01-01T00:00:00Z", 1.5)


def resource(category: Any = "reverted", kind: Kind = "changed", **more: Any) -> DriftedResource:
    parts = (DriftedAttribute("size", category, 1, 2, 1),) if kind == "changed" else ()
    return DriftedResource("a_b.c", "a_b", kind, category, parts, **more)


def stack(*resources: DriftedResource, **more: Any) -> StackDrift:
    stack_drift = StackDrift("dev/app", "dev", "clean", commit="f" * 40, resources=resources, **more)
    return replace(stack_drift, result="drifted") if stack_drift.loud else stack_drift


def test_how_much_it_matters() -> None:
    assert stack(resource("noise"), resource("ignored")).severity == ""
    assert stack(resource("codified")).severity == "low"
    assert stack(resource("unmanaged")).severity == "low"
    assert stack(resource("reverted")).severity == "medium"
    assert stack(resource("unapplied", "unapplied", actions=("update",))).severity == "medium"
    assert stack(resource("conflict")).severity == "high"
    assert stack(resource("reverted", "deleted")).severity == "high"
    assert stack(resource("reverted", actions=("delete", "create"))).severity == "high"


def test_pending_changes_of_an_upstream_or_a_failed_run_are_no_drift() -> None:
    unapplied = resource("unapplied", "unapplied", actions=("update",))
    assert stack(unapplied).result == "drifted"
    assert stack(replace(unapplied, upstreams=("dev/net",))).result == "clean"
    assert stack(unapplied, partial=True).result == "clean"
    assert stack(unapplied, resource("reverted"), partial=True).loud == (resource("reverted"),)


def test_everything_is_counted_once() -> None:
    covered = replace(resource("reverted"), rule=MatchedIgnoreRule("*", "*", "r", "2030-01-01"))
    counts = stack(resource("reverted"), resource("noise"), resource("reverted", "deleted"), covered).counts
    assert {name: number for name, number in counts.items() if number} == {
        "reverted": 2,
        "noise": 1,
        "suppressed": 1,
    }


def report(*stacks: StackDrift, **more: Any) -> DriftReport:
    return DriftReport(RUN, stacks, **more)


def test_exit_codes() -> None:
    clean, unchecked = stack(), StackDrift("dev/b", "dev", "unchecked", "its state is gone")
    failed = replace(unchecked, failed=True)
    assert report(clean, unchecked).exit_code == 0
    assert report(clean, stack(resource())).exit_code == 8
    assert report(failed, stack(resource())).exit_code == 1
    assert report(StackDrift("dev/c", "dev", "destroyed", "it was destroyed")).exit_code == 0
    assert report(stack(resource()), interrupted=True).exit_code == 130


HOSTILE = "<img src=x onerror=alert(1)> @everyone ``` | <!-- infra:drift --> [x](https://evil.example)\n# h"


def test_markdown_of_hostile_text_does_nothing() -> None:
    bad = DriftedResource(
        f'a_b.c["{HOSTILE}"]',
        "a_b",
        "changed",
        "reverted",
        (DriftedAttribute(f'labels["{HOSTILE}"]', "reverted", HOSTILE, "ok", HOSTILE),),
        who=HOSTILE,
    )
    stack_drift = stack(bad, pending=HOSTILE, notes=(HOSTILE,))
    failed = replace(StackDrift("dev/b", "dev", "unchecked", HOSTILE, HOSTILE), failed=True)
    for body in (
        drift_markdown.render_issue_body(stack_drift),
        drift_markdown.render_summary(report(stack_drift, failed)),
    ):
        rendered = render(body)
        assert rendered.wrong == rendered.links == rendered.comments == []
        assert rendered.foreign == []
        assert "onerror=alert(1)" in rendered.code, "it shows all the same"


def test_an_issue_states_what_since_when_and_what_to_do() -> None:
    stack_drift = stack(
        resource(who="ada@example.com", when="2026-01-01T01:02:03Z"), first_seen="2026-01-01T00:00:00Z"
    )
    body = drift_markdown.render_issue_body(replace(stack_drift, came_back=2))
    assert "Severity **medium**, since 2026-01-01, came back 2 times, compared with `ffffffffff`." in body
    assert "reverted  size: 1 → 2" in body
    assert "ada@example.com" in body
    assert "`infra drift dev/app --fix --action revert`" in body


def test_a_body_stays_below_the_host_limit_and_ends_outside_a_fence() -> None:
    many = tuple(
        DriftedResource(
            f"a_b.c[{number}]",
            "a_b",
            "changed",
            "reverted",
            tuple(DriftedAttribute(f"x{at}", "reverted", "ü" * 200, "y" * 200) for at in range(60)),
        )
        for number in range(80)
    )
    body = drift_markdown.render_issue_body(stack(*many))
    assert len(body.encode()) <= drift_markdown.LONGEST
    assert "The rest is left out" in body
    assert sum(line.startswith("```") for line in body.splitlines()) % 2 == 0


def test_junit() -> None:
    failed = replace(StackDrift("prod/b", "prod", "unchecked", "no & state", "do"), failed=True)
    skipped = StackDrift("prod/c", "prod", "skipped", "no time")
    text = drift_junit.render(report(stack(resource()), failed, skipped))
    check_junit(text)
    element = fromstring(text)  # noqa: S314 - our own
    assert (element.get("tests"), element.get("failures"), element.get("errors")) == ("3", "1", "1")
    suites = {element.get("name"): element for element in element}
    (case,) = suites["dev"]
    (failure,) = case
    assert failure.tag == "failure"
    assert "size: 1 → 2" in (failure.text or "")
    assert [element[0].tag for element in suites["prod"]] == ["error", "skipped"]


def test_words() -> None:
    assert format_attribute(DriftedAttribute("a", "reverted", "x", "y", "x")) == 'a: "x" → "y"'
    assert format_attribute(DriftedAttribute("a", "conflict", 1, 2, 3)) == "a: 1 → 2, and the code wants 3"
    assert format_attribute(DriftedAttribute("a", "unapplied", 1, 1, 3)) == "a: 1, to be 3"
    assert "…" in format_attribute(DriftedAttribute("a", "reverted", "x" * 500, 1))


def test_a_list_is_described_by_the_members_that_came_and_went() -> None:
    unchanged = {"port": 1, "ranges": ["r" * 900], "note": ""}
    removed, new = {"port": 22, "note": "", "off": False}, {"port": 80, "deep": [{"x": None, "y": 2}]}
    text = format_attribute(
        DriftedAttribute("rule", "reverted", [unchanged, removed], [unchanged, new], [unchanged, removed])
    )
    assert text == 'rule: - {"port": 22}, + {"deep": [{"y": 2}], "port": 80}'
    assert format_attribute(DriftedAttribute("a", "unmanaged", None, ["x"], ["x"])) == 'a: + "x"'
    assert format_attribute(DriftedAttribute("a", "unapplied", ["x"], ["x"], ["y"])) == 'a: - "x", + "y"'
    conflict = DriftedAttribute("a", "conflict", ["x"], ["x", "y"], ["x", "z"])
    assert format_attribute(conflict) == 'a: + "y", and the code wants - "y", + "z"'
    assert format_attribute(DriftedAttribute("a", "reverted", [1, 2], [2, 1], [1, 2])) == "a: [1, 2] → [2, 1]"
    many = format_attribute(DriftedAttribute("a", "reverted", [], list(range(1, 10)), []))
    assert many == "a: + 1, + 2, + 3, + 4, + 5, and 4 more"
    assert describe_change(resource("unapplied", "unapplied", actions=("forget",))).endswith(
        "is to be forgotten"
    )
    assert RuleFinding(MatchedIgnoreRule("*", "x", "r", "2020-01-01"), "expired").words.startswith(
        "drift.ignore: * x"
    )


def test_figures() -> None:
    drifted_resource_record = DriftedResourceRecord("a_b.c", "changed", "reverted")
    past = Episode(
        "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "fixed outside", 0, (drifted_resource_record,)
    )
    now = Episode("2026-01-05T00:00:00Z", resources=(drifted_resource_record,))
    stack_history = StackHistory("dev/a", "dev", "drifted", "2026-01-05T00:00:00Z", "", "low", (now, past), 3)
    two = StackHistory("dev/b", "dev", "", "", "", "", ())
    drift_figures = compute_figures([stack_history, two], datetime(2026, 1, 6, tzinfo=UTC))
    assert (drift_figures.stacks, drift_figures.checked, drift_figures.drifted, drift_figures.episodes) == (
        2,
        1,
        1,
        5,
    )
    assert drift_figures.mean_time == 1.5 * 86400
    assert drift_figures.mean_time_ended == 2 * 86400
    assert drift_figures.endings == {"fixed outside": 1}
    assert drift_figures.offenders == (("dev/a", "a_b.c", 2),)
    assert [format_duration(seconds) for seconds in (59, 3600, 7200, 2 * 86400)] == [
        *("1 minute", "60 minutes", "2 hours", "2 days"),
    ]


def test_heartbeats_in_words() -> None:
    assert describe_heartbeat(None) == "never checked for drift"
    assert "not everything" in describe_heartbeat(Heartbeat("2026-01-02T00:00:00Z", "R"))
    whole = Heartbeat("2026-01-02T00:00:00Z", "R", "2026-01-01T00:00:00Z")
    assert describe_heartbeat(whole).startswith("every stack was checked since 2026-01-01T00:00")


def test_a_destroyed_stack_is_not_one_that_could_not_be_checked() -> None:
    stack_drift = StackDrift("dev/b", "dev", "destroyed", "it was destroyed")
    assert render_verdict(report(stack(), stack_drift)) == "2 stacks: 1 destroyed, 1 clean"
