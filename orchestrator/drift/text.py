"""Formats drift as short phrases, used on a terminal, in Markdown and in JUnit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orchestrator.drift.leaves import is_zero
from orchestrator.drift.model import CATEGORIES, DriftedAttribute, DriftedResource
from orchestrator.drift.report import DriftReport, DriftResult, StackDrift
from orchestrator.masking import HIDDEN
from orchestrator.report.words import join_words, plural

# The meaning of each class for readers.
MEANING = {
    "reverted": "the next apply puts it back",
    "conflict": "the code wants a third value",
    "codified": "the code says so already",
    "ignored": "ignore_changes covers it",
    "baseline": "it is so since the first check after an apply",
    "noise": "it changes by itself",
    "unmanaged": "the code does not set it",
    "unapplied": "nothing changed outside since, and an apply is due",
}
LONGEST_VALUE = 120
MOST_MEMBERS = 5


def format_value(value: Any, limit: int = LONGEST_VALUE) -> str:
    """A value on one line: as JSON, with the middle of a long one left out."""
    if isinstance(value, str) and value == HIDDEN:
        return value
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= limit else f"{text[: limit - 21]}…{text[-20:]}"


def format_attribute(attribute: DriftedAttribute) -> str:
    """`labels.a: "x" → "y"`; for unapplied changes, the current and the planned value.

    Of a list only the members that came and went: `rule: + {"port": 80}, - {"port": 22}`.
    """
    if attribute.category == "unapplied":
        members = _format_members(attribute.after, attribute.planned)
        values = f"{format_value(attribute.after)}, to be {format_value(attribute.planned)}"
        return f"{attribute.path}: {members or values}"
    members = _format_members(attribute.before, attribute.after)
    values = f"{format_value(attribute.before)} → {format_value(attribute.after)}"
    words = f"{attribute.path}: {members or values}"
    if attribute.category == "conflict" and not attribute.sensitive:
        members = _format_members(attribute.after, attribute.planned)
        words += f", and the code wants {members or format_value(attribute.planned)}"
    return words


def _format_members(before: Any, after: Any) -> str:
    """The members of a list that came and went; empty for another value, or where only the order changed."""
    if not (isinstance(before, list | None) and isinstance(after, list | None)):
        return ""
    old, new = before or [], after or []
    parts = [f"- {format_value(_drop_zeros(member))}" for member in old if member not in new]
    parts += [f"+ {format_value(_drop_zeros(member))}" for member in new if member not in old]
    more = f", and {len(parts) - MOST_MEMBERS} more" if len(parts) > MOST_MEMBERS else ""
    return ", ".join(parts[:MOST_MEMBERS]) + more


def _drop_zeros(value: Any) -> Any:
    """A value without those parts of blocks that are null or the zero value of their type."""
    if isinstance(value, dict):
        parts = {name: _drop_zeros(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if not is_zero(part)}
    return [_drop_zeros(item) for item in value] if isinstance(value, list) else value


def describe_change(resource: DriftedResource) -> str:
    """What happened to a resource."""
    match resource.kind:
        case "deleted":
            again = (
                "the next apply makes it again" if resource.category == "reverted" else "the code has none"
            )
            return f"deleted outside; {again}"
        case "moved":
            return f"known as {resource.previous_address} to the state"
        case "unapplied":
            verb = (
                join_words([{"forget": "forgotten"}.get(word, f"{word}d") for word in resource.actions])
                or "imported"
            )
            because = (
                f", since the outputs of {join_words(list(resource.upstreams))} moved"
                if resource.upstreams
                else ""
            )
            return f"did not change outside, and is to be {verb}{because}"
        case _:
            return "changed outside"


def describe_author(resource: DriftedResource) -> str:
    """Who changed it and when, from the provider's data; empty when unknown."""
    return " ".join(
        part
        for part in (
            f"by {resource.who}" if resource.who else "",
            f"at {resource.when}" if resource.when else "",
        )
        if part
    )


def format_counts(stack: StackDrift) -> str:
    """`2 reverted, 1 noise`; what rules cover comes last."""
    counts = stack.counts
    parts = [f"{counts[name]} {name}" for name in (*CATEGORIES, "suppressed") if counts[name]]
    return ", ".join(parts)


def describe_since(stack: StackDrift) -> str:
    """`since 2026-11-20, 2nd time`; empty for what does not drift."""
    if stack.result != "drifted" or not stack.first_seen:
        return ""
    again = f", came back {plural(stack.came_back, 'time')}" if stack.came_back else ""
    return f"since {stack.first_seen[:10]}{again}"


def describe_hidden(stack: StackDrift) -> str:
    """A sentence with the number of hidden attributes; empty for none."""
    counts = stack.counts
    quiet = {
        "in noise": counts["noise"],
        "under ignore_changes": counts["ignored"],
        "in the baseline": counts["baseline"],
        "covered by rules": counts["suppressed"],
    }
    parts = [f"{number} {name}" for name, number in quiet.items() if number]
    return f"Not shown: {', '.join(parts)} (--show-ignored)." if parts else ""


def render_verdict(report: DriftReport) -> str:
    """The last line: how many stacks drifted, could not be checked, were clean."""
    words: tuple[tuple[DriftResult, str], ...] = (
        ("drifted", "drifted"),
        ("blocked", "blocked"),
        ("unchecked", "could not be checked"),
        ("skipped", "not reached"),
        ("destroyed", "destroyed"),
        ("clean", "clean"),
    )
    parts = [f"{count} {label}" for result, label in words if (count := report.count(result))]
    return f"{plural(len(report.stacks), 'stack')}: {', '.join(parts) or 'nothing to check'}"


def list_findings(report: DriftReport) -> Iterator[str]:
    """Further findings of a run: obsolete rules, stale stacks, missing reports, notes."""
    for rule in report.rules:
        yield rule.words
    for id_ in report.stale:
        yield f"{id_} was not checked for too long."
    yield from report.lost
    yield from report.notes
