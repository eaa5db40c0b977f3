"""One stack of a pull request's plan: what is known about it, then Terraform's own diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.report.diff import actions_of, coloured
from orchestrator.report.escape import code, fence, html_code, text
from orchestrator.report.fitting import Block, bounded, bounded_of, size
from orchestrator.report.markdown import alert, details, diagnostic, place, value
from orchestrator.report.review import StackReview
from orchestrator.report.words import changes_in_words, plural

# A diff of at most so many lines is shown at once, as long as all that is open stays short.
OPEN_LINES = 25
ATTRIBUTES = 3
REASONS = 3
# Of the limit: what a stack may take for its lists and its diagnostics, in bytes.
LIST_SHARE, DIAGNOSTICS_SHARE = 40, 12

VERBS: Mapping[tuple[str, ...], str] = {
    ("create",): "+ create",
    ("update",): "~ change",
    ("delete",): "− destroy",
    ("delete", "create"): "∓ replace",
    ("create", "delete"): "± replace",
    ("create", "forget"): "± replace",
    ("forget",): "⊘ forget",
}


def has_details(stack: StackReview) -> bool:
    """True when there is more to say of a stack than its row in the table does."""
    report = stack.report
    told = report.diff or report.diagnostics or stack.drift or stack.checks
    return bool(told or report.result == "changed" or (report.advice and report.result != "waiting"))


def block(
    stack: StackReview, limit: int, *, open_lines: int, same_as: str = "", may_fit: bool = True
) -> Block:
    """The stack's part of the comment, whole and without its diff.

    `limit` is the whole document's, in bytes. A diff of at most `open_lines` lines may stand open, unless it
    is to the letter that of `same_as`, a stack above. Without `may_fit` the whole is not made at all.
    """
    before = list(_before(stack, limit))
    after = [f"→ {text(stack.report.advice)}"] if stack.report.advice else []
    diff = actions_of(stack.report.diff)
    lines = diff.count("\n") + 1 if diff else 0
    opened = lines <= min(open_lines, OPEN_LINES) and not same_as
    if same_as:
        before.append(f"The same diff as of {code(same_as)}:")
    summary = summary_of(stack)
    if not diff:
        return Block(details(summary, "\n\n".join((*before, *after)), opened=opened), "")
    short = details(summary, "\n\n".join((*before, *_instead_of_diff(stack, diff, lines, limit), *after)))
    if not may_fit:
        return Block(None, short, lines)
    shown = "\n\n".join((*before, fence(coloured(stack.report.diff), "diff"), *after))
    return Block(details(summary, shown, opened=opened), short, lines)


def summary_of(stack: StackReview) -> str:
    """The line that opens a stack's part, in HTML."""
    words = {"deleted": "its code is deleted", "new": "new stack"}.get(stack.change, "")
    told = [changes_in_words(stack.report) or stack.report.result, words]
    return f"{html_code(stack.id)} · {', '.join(part for part in told if part)}"


def _before(stack: StackReview, limit: int) -> Iterator[str]:
    """What stands above the diff."""
    report = stack.report
    if stack.provisional:
        upstreams = ", ".join(map(code, stack.provisional[:REASONS]))
        yield alert("NOTE", [f"Provisional: this may still change when {upstreams} is applied."])
    yield from filter(None, [_reasons(stack)])
    yield from (text(note) for note in report.notes)
    if report.reason and not report.diagnostics and report.result != "changed":
        yield text(report.reason)
    room = limit // DIAGNOSTICS_SHARE
    shown = [diagnostic(shortened_detail(one, room // 2)) for one in report.diagnostics]
    yield from bounded(shown, room, "And {count:,} more diagnostics.")
    for title, items in _lists(stack):
        if items:
            yield f"**{title}**"
            yield "\n".join(bounded(items, limit // LIST_SHARE))


def _lists(stack: StackReview) -> Iterator[tuple[str, list[str]]]:
    """What is shown apart from the diff, with the title of each list."""
    changes = stack.report.changes
    planned = {one["address"]: one for one in changes}
    yield "Checks that do not pass", [f"- {text(one)}" for one in stack.checks]
    yield (
        "Changed outside of Terraform",
        [_drift_item(one, planned.get(one["address"])) for one in stack.drift],
    )
    moves = [one for one in changes if one.get("previous_address") not in (None, one["address"])]
    yield (
        "Moved",
        [f"- {code(one['previous_address'])} → {code(one['address'])}" for one in moves],
    )
    yield "Imported into the state", [f"- {code(one)}" for one in stack.imported]
    forgotten = [one for one in changes if tuple(one["actions"]) == ("forget",)]
    yield (
        "Forgotten, not destroyed",
        [f"- {code(one['address'])}" for one in forgotten],
    )


def _reasons(stack: StackReview) -> str:
    """The chains of files by which the pull request reaches the stack."""
    words = "Reads what changes" if stack.change == "follower" else "Why"
    # The last link of each chain is the stack itself, which stands above.
    paths = dict.fromkeys(tuple(one for one in chain if one != stack.id) for chain in stack.reasons)
    whole = [" → ".join(map(code, chain)) for chain in paths if chain]
    chains, more = whole[:REASONS], len(whole[REASONS:])
    if not chains:
        return ""
    return f"{words}: {'; '.join(chains)}{f'; and {more} more' if more else ''}"


def finding_item(one: Any) -> str:
    """A finding of the guard or of the policy as an item of a list: how bad, what, where, what to do."""
    words = {"error": "✗ Refused", "warning": "⚠ Warning"}.get(one.severity, "Note")
    where = place({"file": one.file, "line": one.line})
    parts = [f"- **{words}** {text(one.message)}", f"({where})" if where else "", f"[{code(one.code)}]"]
    advice = f"<br>→ {text(one.advice)}" if one.advice else ""
    return " ".join(part for part in parts if part) + advice


def _drift_item(one: Mapping[str, Any], planned: Mapping[str, Any] | None) -> str:
    """A resource that changed outside, its first attributes, and what of that the plan undoes."""
    name = code(one["address"])
    if "delete" in one["actions"]:
        again = planned is not None and "create" in planned["actions"]
        return f"- {name} was deleted; {'this plan makes it again' if again else 'this plan leaves it so'}"
    attributes = one.get("attributes") or ()
    wanted = {each["path"]: each for each in (planned or {}).get("attributes") or ()}
    told = [
        f"{code(each['path'])}: {value(each['before'])} → {value(each['after'])}"
        f" ({_undone(each, wanted.get(each['path']))})"
        for each in attributes[:ATTRIBUTES]
    ]
    more = len(attributes) - len(told)
    parts = [", ".join(told), f"{plural(more, 'attribute')} more" if more > 0 else ""]
    return f"- {name}: {' and '.join(part for part in parts if part)}" if told else f"- {name}"


def _undone(drifted: Mapping[str, Any], planned: Mapping[str, Any] | None) -> str:
    """What a plan does to an attribute that changed outside."""
    if planned is None:
        return "this plan leaves it"
    hidden = drifted.get("sensitive") or planned.get("sensitive") or planned.get("unknown")
    return (
        "this plan sets it back"
        if not hidden and planned["after"] == drifted["before"]
        else "this plan changes it"
    )


def _instead_of_diff(stack: StackReview, diff: str, lines: int, limit: int) -> Iterator[str]:
    """What stands in place of a diff that is cut: how long it is, and which resources it was about."""
    told = [one for one in stack.report.changes if tuple(one["actions"]) in VERBS]
    items = (f"- {VERBS[tuple(one['actions'])]} {code(one['address'])}" for one in told)
    yield f"✂ _The diff is cut here: {plural(lines, 'line')}, {size(diff):,} bytes._ What it does:"
    listing = bounded_of(items, len(told), limit // LIST_SHARE)
    yield "\n".join(listing) or text(", ".join(stack.report.outputs))


def shortened_detail(given: Mapping[str, Any], room: int) -> Mapping[str, Any]:
    """A diagnostic whose detail takes at most `room` bytes, whole lines, with what was cut."""
    lines = str(given.get("detail") or "").strip("\n").split("\n")
    kept: list[str] = []
    for line in lines:
        room -= 6 * len(line) + 2
        if room < 0:
            kept.append(f"✂ {plural(len(lines) - len(kept), 'line')} cut here")
            break
        kept.append(line)
    return {**given, "detail": "\n".join(kept)}
