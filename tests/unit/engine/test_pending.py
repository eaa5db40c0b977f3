"""What a stack is owed, and which outputs count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.engine.pending import outputs_hash, pending_reason
from orchestrator.repository.model import Edge
from orchestrator.state.records import LedgerEntry, Operation

DONE = LedgerEntry(
    "dev/app",
    commit="c" * 40,
    fingerprint="f1",
    upstreams={"dev/net": "h1"},
    result="applied",
)
OPERATION = Operation("R1", "apply", "applying", "ada", "desk", "c" * 40)


@pytest.mark.parametrize(
    ("entry", "fingerprint", "upstreams", "why"),
    [
        (DONE, "f1", {"dev/net": "h1"}, ""),
        (None, "f1", {}, "never applied"),
        (LedgerEntry("dev/app"), "f1", {}, "never applied"),
        (DONE, "f2", {"dev/net": "h1"}, "its code has changed since cccccccccc"),
        (replace(DONE, commit=f"{'c' * 40}+uncommitted"), "f2", {}, "changed since cccccccccc+uncommitted"),
        (DONE, "f1", {"dev/net": "h2"}, "outputs of dev/net have changed"),
        (replace(DONE, result="failed"), "f1", {"dev/net": "h1"}, "its last run failed"),
        (replace(DONE, result="interrupted"), "f1", {"dev/net": "h1"}, "interrupted"),
        (replace(DONE, result="destroyed"), "f1", {"dev/net": "h1"}, "destroyed"),
        (replace(DONE, operation=OPERATION), "f1", {"dev/net": "h1"}, "apply R1 is unfinished"),
        (replace(DONE, break_glass="fire"), "f1", {"dev/net": "h1"}, "past the rules: fire"),
        (replace(DONE, result="unchanged"), "f1", {"dev/net": "h1"}, ""),
        (replace(DONE, result="adopted"), "f1", {"dev/net": "h1"}, ""),
    ],
)
def test_pending(entry: LedgerEntry | None, fingerprint: str, upstreams: dict[str, str], why: str) -> None:
    reason = pending_reason(entry, fingerprint, upstreams)
    assert bool(reason) == bool(why)
    assert why in reason


def edge(*names: str, everything: bool = False) -> Edge:
    return Edge("dev/net", "dev/app", "remote_state", outputs=None if everything else frozenset(names))


def test_only_outputs_that_are_read_count() -> None:
    before = {"x": {"value": 1}, "y": {"value": 1}}
    after = {"x": {"value": 1}, "y": {"value": 2}}
    assert outputs_hash(before, [edge("x")]) == outputs_hash(after, [edge("x")])
    assert outputs_hash(before, [edge("x"), edge("y")]) != outputs_hash(after, [edge("x"), edge("y")])
    assert outputs_hash(before, [edge(everything=True)]) != outputs_hash(after, [edge(everything=True)])


def test_an_output_that_went_counts_and_its_type_and_marks_do_not() -> None:
    assert outputs_hash({}, [edge("x")]) != outputs_hash({"x": {"value": None}}, [edge("x")])
    marked = {"x": {"value": 1, "sensitive": True, "type": "number"}}
    assert outputs_hash({"x": {"value": 1}}, [edge("x")]) == outputs_hash(marked, [edge("x")])
