"""What a check remembers, how fast it asks, and what the schema says that only a provider sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.drift.check_all import DriftRequest
from orchestrator.drift.episodes import (
    add_history,
    compute_digest,
    explain_ending,
    mark_baseline,
    name_event,
    update_record,
)
from orchestrator.drift.model import Category, DriftedAttribute, DriftedResource, MatchedIgnoreRule
from orchestrator.drift.records import add_saved_history
from orchestrator.drift.report import StackDrift
from orchestrator.drift.throttle import Throttle, is_throttled
from orchestrator.engine.provider_schemas import computed_only
from orchestrator.errors import InterruptedRunError, TerraformError
from orchestrator.state.drift_store import DriftRecord
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import Diagnostic

RULE = MatchedIgnoreRule("*", "*", "known", "2030-01-01")


def attribute(category: Category = "reverted", after: Any = 2, **more: Any) -> DriftedAttribute:
    return DriftedAttribute("x", category, 1, after, 1, **more)


def drifted(*attributes: DriftedAttribute, address: str = "a_b.c") -> StackDrift:
    parts = attributes or (attribute(),)
    resource = DriftedResource(address, "a_b", "changed", parts[0].category, parts)
    return StackDrift("dev/app", "dev", "drifted", commit="c", resources=(resource,))


CLEAN = StackDrift("dev/app", "dev", "clean", commit="c")
ENTRY = LedgerEntry("dev/app", commit="c", fingerprint="f", run="R1")


def check(
    record: DriftRecord | None,
    stack_drift: StackDrift,
    at: str,
    entry: LedgerEntry = ENTRY,
    generation: str = "1",
) -> DriftRecord:
    return update_record(record, stack_drift, entry, generation, run="D", at=at)


def test_a_drift_begins_lasts_changes_ends_and_comes_back() -> None:
    first = check(None, drifted(), "2026-01-01T00:00:00Z")
    assert name_event(None, first) == "began"
    assert first.now
    assert first.now.resources[0].since == "2026-01-01T00:00:00Z"
    same = check(first, replace(drifted(), digest=""), "2026-01-02T00:00:00Z")
    assert name_event(first, same) == ""
    assert same.now
    assert same.now.began == "2026-01-01T00:00:00Z"
    other = check(same, replace(drifted(attribute(after=3)), digest="other"), "2026-01-03T00:00:00Z")
    assert name_event(same, other) == "changed"
    over = check(other, CLEAN, "2026-01-04T00:00:00Z")
    assert name_event(other, over) == "fixed outside"
    assert (over.now, over.past[0].ended) == (None, "2026-01-04T00:00:00Z")
    again = check(over, drifted(), "2026-01-05T00:00:00Z")
    assert again.now
    assert (again.now.came_back, again.now.began) == (1, "2026-01-05T00:00:00Z")
    elsewhere = check(over, drifted(address="a_b.other"), "2026-01-05T00:00:00Z")
    assert elsewhere.now
    assert elsewhere.now.came_back == 0
    assert add_history(drifted(), again).came_back == 1


def test_what_could_not_be_checked_ends_nothing() -> None:
    first = check(None, drifted(), "2026-01-01T00:00:00Z")
    failed = check(first, StackDrift("dev/app", "dev", "unchecked", "why"), "2026-01-02T00:00:00Z")
    assert failed == replace(first, tried_at="2026-01-02T00:00:00Z", reason="why")
    assert check(failed, drifted(), "2026-01-03T00:00:00Z").reason == ""


def test_a_stack_that_was_destroyed_does_not_drift_for_ever() -> None:
    first = check(None, drifted(), "2026-01-01T00:00:00Z")
    stack_drift = StackDrift("dev/app", "dev", "destroyed", "it was destroyed")
    over = check(first, stack_drift, "2026-01-02T00:00:00Z", replace(ENTRY, result="destroyed"))
    assert (over.now, over.result, over.past[0].how, over.past[0].by) == (
        None,
        "destroyed",
        "destroyed",
        "R1",
    )
    assert add_saved_history(stack_drift, over, name_event(first, over)).ended == "destroyed"
    assert (over.digest, over.severity, over.counts) == ("", "", {}), "nothing of it drifts any more"
    assert name_event(first, over) == "destroyed"
    assert (
        check(over, stack_drift, "2026-01-03T00:00:00Z", replace(ENTRY, result="destroyed")).past == over.past
    )


def test_a_stack_that_was_clean_and_then_destroyed_never_drifted() -> None:
    first = check(None, StackDrift("dev/app", "dev", "clean"), "2026-01-01T00:00:00Z")
    stack_drift = StackDrift("dev/app", "dev", "destroyed", "it was destroyed")
    over = check(first, stack_drift, "2026-01-02T00:00:00Z", replace(ENTRY, result="destroyed"))
    memory = add_saved_history(stack_drift, over, name_event(first, over))
    assert (memory.ended, memory.ended_by) == ("", "")
    assert (over.past, over.result, over.checked_at) == ((), "destroyed", first.checked_at)


FRESH = replace(ENTRY, result="applied")


def filled_in(after: Any = "x", before: Any = None, **more: Any) -> DriftedAttribute:
    return DriftedAttribute("x", "unmanaged", before, after, after, **more)


def test_what_a_provider_fills_in_after_an_apply_is_the_baseline() -> None:
    first = mark_baseline(drifted(filled_in()), None, FRESH)
    assert (first.result, first.counts["baseline"], first.resources[0].category) == ("clean", 1, "baseline")
    record = check(None, first, "2026-01-01T00:00:00Z", FRESH)
    assert list(record.baseline) == ["a_b.c x"]
    again = mark_baseline(drifted(filled_in()), record, FRESH)
    assert again.result == "clean"
    results = check(record, again, "2026-01-02T00:00:00Z", FRESH)
    assert results.baseline == record.baseline
    assert mark_baseline(drifted(filled_in("other")), results, FRESH).result == "drifted"
    assert mark_baseline(drifted(filled_in(), address="a_b.new"), results, FRESH).result == "drifted"


NO_BASELINE = [
    (filled_in(), replace(FRESH, result="adopted"), "no apply of ours"),
    (filled_in(before="v"), FRESH, "it had a value"),
    (filled_in(is_merged=True), FRESH, "a label that somebody added"),
    (replace(filled_in(), category="reverted"), FRESH, "the plan changes it"),
]


@pytest.mark.parametrize(("part", "entry", "why"), NO_BASELINE)
def test_what_is_no_baseline(part: DriftedAttribute, entry: LedgerEntry, why: str) -> None:
    assert mark_baseline(drifted(part), None, entry).result == "drifted", why


def test_what_drifted_before_an_apply_is_no_baseline_after_it() -> None:
    record = check(None, drifted(filled_in()), "2026-01-01T00:00:00Z", FRESH)
    later = replace(FRESH, run="R2")
    assert mark_baseline(drifted(filled_in()), record, later).result == "drifted"
    other = replace(drifted(filled_in()).resources[0], address="a_b.other")
    both = replace(drifted(filled_in()), resources=(drifted(filled_in()).resources[0], other))
    baseline = mark_baseline(both, record, later)
    assert [resource.category for resource in baseline.resources] == ["unmanaged", "baseline"]


def test_what_was_not_checked_has_no_baseline() -> None:
    failed = StackDrift("dev/app", "dev", "unchecked", "why")
    assert mark_baseline(failed, None, FRESH) is failed


APPLIED = replace(ENTRY, run="R2")
CHANGED = replace(ENTRY, run="R2", fingerprint="g")
ENDINGS = [
    # class, entry then, generation then, how
    ("reverted", ENTRY, "1", "fixed outside"),
    ("reverted", APPLIED, "2", "reverted by an apply"),
    ("reverted", CHANGED, "2", "code changed"),
    ("unapplied", APPLIED, "2", "reverted by an apply"),
    ("codified", APPLIED, "2", "accepted"),
    ("unmanaged", ENTRY, "2", "accepted"),
    ("codified", CHANGED, "2", "code changed"),
    ("codified", ENTRY, "1", "fixed outside"),
]


@pytest.mark.parametrize(("category", "entry", "generation", "how"), ENDINGS)
def test_what_ended_a_drift(category: Category, entry: LedgerEntry, generation: str, how: str) -> None:
    before = check(None, drifted(attribute(category)), "2026-01-01T00:00:00Z")
    after = check(before, CLEAN, "2026-01-02T00:00:00Z", entry, generation)
    assert after.past[-1].how == how


def test_a_correction_and_a_rule_end_it_by_their_own_names() -> None:
    before = check(None, drifted(), "2026-01-01T00:00:00Z")
    corrected = replace(before, remediation="reverted by R9")
    assert explain_ending(corrected, CLEAN, "R1", "f", "1") == "reverted by R9"
    covered = replace(drifted(attribute(rule=RULE)), result="clean")
    assert explain_ending(before, covered, "R1", "f", "1") == "covered by a rule"


def test_the_digest_is_of_what_somebody_should_look_at() -> None:
    assert compute_digest(CLEAN) == ""
    digest = compute_digest(drifted())
    assert digest == compute_digest(drifted()) != compute_digest(drifted(attribute(after=3)))
    assert compute_digest(drifted(attribute("noise"))) == ""
    assert compute_digest(drifted(attribute(), attribute("noise", after="other"))) == digest
    assert compute_digest(drifted(attribute(rule=RULE))) == ""


def test_a_shard_has_every_so_manyth_stack() -> None:
    stacks = tuple("abcdefg")
    parts = [DriftRequest(stacks, shard=(number, 3)).of_shard() for number in (1, 2, 3)]
    assert parts == [("a", "d", "g"), ("b", "e"), ("c", "f")]


# How fast


@pytest.mark.parametrize(
    ("text", "throttled"),
    [
        ("googleapi: Error 429: Quota exceeded for quota metric 'Read requests'", True),
        ("Error 403: Rate Limit Exceeded, rateLimitExceeded", True),
        ("rpc error: code = ResourceExhausted desc = RESOURCE_EXHAUSTED", True),
        ("unexpected status code: 429", True),
        ("googleapi: Error 403: forbidden", False),
        ("port 4290 is closed", False),
    ],
)
def test_what_is_too_much(text: str, throttled: bool) -> None:
    error = TerraformError("plan failed", diagnostics=(Diagnostic("error", "Error reading", text),))
    assert is_throttled(error) is throttled


def test_a_pause_is_for_all_and_there_are_only_so_many() -> None:
    pace = Throttle(pauses=(0.05, 0.05))
    assert pace.slow_down(0)
    notes: list[str] = []
    pace.wait(notes.append)
    assert notes == ["asked too much: waiting 0 s"]
    assert pace.slow_down(1)
    assert not pace.slow_down(2)
    assert pace.slow_down(0), "another stack has its own"


def test_no_pause_is_longer_than_what_is_left() -> None:
    assert not Throttle(budget=0.01, pauses=(15.0,)).slow_down(0)
    assert Throttle(budget=0.0).is_used_up
    assert not Throttle().is_used_up


def test_a_pause_ends_with_the_run() -> None:
    pace = Throttle(pauses=(30.0,), interrupted=lambda: True)
    pace.slow_down(0)
    with pytest.raises(InterruptedRunError):
        pace.wait(lambda text: None)


def test_what_only_the_provider_sets() -> None:
    block = {
        "attributes": {
            "id": {"computed": True},
            "name": {"required": True},
            "mode": {"optional": True, "computed": True},
            "nested": {"nested_type": {"attributes": {"etag": {"computed": True}, "a": {"optional": True}}}},
        },
        "block_types": {"t": {"block": {"attributes": {"uid": {"computed": True}, "b": {"optional": True}}}}},
    }
    assert set(computed_only(block)) == {"id", "nested.etag", "t.uid"}
