"""How drift is told in words, on a terminal, in Markdown and in JUnit alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orchestrator.masking import HIDDEN
from orchestrator.plan.drift_leaves import is_zero
from orchestrator.plan.drift_model import CATEGORIES, DriftedAttribute, DriftedResource
from orchestrator.report.drift import DriftReport, DriftResult, StackDrift
from orchestrator.report.words import listed, plural

# What each class means to whoever reads it.
MEANING = {
    "reverted": "the next apply puts it back",
    "conflict": "the code wants a third value",
    "codified": "the code says so already",
    "ignored": "ignore_changes covers it",
    "baseline": "it is so since the first check after an apply",
    "noise": "it changes by itself",
    "unmanaged": "the code does not set it",
    "owed": "nothing changed outside since, and an apply is due",
}
LONGEST_VALUE = 120
MOST_MEMBERS = 5


def value_words(value: Any, limit: int = LONGEST_VALUE) -> str:
    """A value on one line: as JSON, with the middle of a long one left out."""
    if isinstance(value, str) and value == HIDDEN:
        return value
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= limit else f"{text[: limit - 21]}…{text[-20:]}"


def attribute_words(one: DriftedAttribute) -> str:
    """`labels.a: "x" → "y"`; for what is owed, from what is to what the code wants.

    Of a list only the members that came and went: `rule: + {"port": 80}, - {"port": 22}`.
    """
    if one.category == "owed":
        members = _member_words(one.after, one.planned)
        return f"{one.path}: {members or f'{value_words(one.after)}, to be {value_words(one.planned)}'}"
    members = _member_words(one.before, one.after)
    told = f"{one.path}: {members or f'{value_words(one.before)} → {value_words(one.after)}'}"
    if one.category == "conflict" and not one.sensitive:
        members = _member_words(one.after, one.planned)
        told += f", and the code wants {members or value_words(one.planned)}"
    return told


def _member_words(before: Any, after: Any) -> str:
    """The members of a list that came and went; empty for another value, or where only the order changed."""
    if not (isinstance(before, list | None) and isinstance(after, list | None)):
        return ""
    old, new = before or [], after or []
    parts = [f"- {value_words(without_zeros(one))}" for one in old if one not in new]
    parts += [f"+ {value_words(without_zeros(one))}" for one in new if one not in old]
    more = f", and {len(parts) - MOST_MEMBERS} more" if len(parts) > MOST_MEMBERS else ""
    return ", ".join(parts[:MOST_MEMBERS]) + more


def without_zeros(value: Any) -> Any:
    """A value without those parts of blocks that are null or the zero value of their type."""
    if isinstance(value, dict):
        parts = {name: without_zeros(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if not is_zero(part)}
    return [without_zeros(one) for one in value] if isinstance(value, list) else value


def happened(one: DriftedResource) -> str:
    """What happened to a resource."""
    match one.kind:
        case "deleted":
            again = "the next apply makes it again" if one.category == "reverted" else "the code has none"
            return f"deleted outside; {again}"
        case "moved":
            return f"known as {one.previous_address} to the state"
        case "owed":
            verb = (
                listed([{"forget": "forgotten"}.get(word, f"{word}d") for word in one.actions]) or "imported"
            )
            because = f", since the outputs of {listed(list(one.upstreams))} moved" if one.upstreams else ""
            return f"did not change outside, and is to be {verb}{because}"
        case _:
            return "changed outside"


def told_by(one: DriftedResource) -> str:
    """Who and when, as the provider's data tell; empty when they do not."""
    return " ".join(
        part for part in (f"by {one.who}" if one.who else "", f"at {one.when}" if one.when else "") if part
    )


def counts_words(stack: StackDrift) -> str:
    """`2 reverted, 1 noise`; what rules cover comes last."""
    counts = stack.counts
    parts = [f"{counts[name]} {name}" for name in (*CATEGORIES, "suppressed") if counts[name]]
    return ", ".join(parts)


def since_words(stack: StackDrift) -> str:
    """`since 2026-11-20, 2nd time`; empty for what does not drift."""
    if stack.result != "drifted" or not stack.first_seen:
        return ""
    again = f", came back {plural(stack.came_back, 'time')}" if stack.came_back else ""
    return f"since {stack.first_seen[:10]}{again}"


def hidden_words(stack: StackDrift) -> str:
    """What is left out: noise, what is ignored, what rules cover; empty for nothing."""
    counts = stack.counts
    quiet = {
        "in noise": counts["noise"],
        "under ignore_changes": counts["ignored"],
        "in the baseline": counts["baseline"],
        "covered by rules": counts["suppressed"],
    }
    parts = [f"{number} {name}" for name, number in quiet.items() if number]
    return f"Not shown: {', '.join(parts)} (--show-ignored)." if parts else ""


def verdict(report: DriftReport) -> str:
    """The last line: how many stacks drifted, could not be checked, were clean."""
    words: tuple[tuple[DriftResult, str], ...] = (
        ("drifted", "drifted"),
        ("blocked", "blocked"),
        ("unchecked", "could not be checked"),
        ("skipped", "not reached"),
        ("destroyed", "destroyed"),
        ("clean", "clean"),
    )
    parts = [f"{count} {told}" for result, told in words if (count := report.count(result))]
    return f"{plural(len(report.stacks), 'stack')}: {', '.join(parts) or 'nothing to check'}"


def findings(report: DriftReport) -> Iterator[str]:
    """What else is to be said of a run: rules, stacks that nobody could check, what was not remembered."""
    for one in report.rules:
        yield one.words
    for id_ in report.stale:
        yield f"{id_} was not checked for too long."
    yield from report.lost
    yield from report.notes
