"""One stack in a comment: reasons, drift, moves and diagnostics, then Terraform's own diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.report.diff import color_diff, strip_preamble
from orchestrator.report.escape import code, fence, html_code, text
from orchestrator.report.fitting import DocumentPart, byte_size, fit_items, fit_lazy_items
from orchestrator.report.markdown import alert, describe_location, details, diagnostic, value
from orchestrator.report.review import StackReview
from orchestrator.report.words import format_changes, plural

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
    """True when a stack has details beyond its row in the table."""
    report = stack.report
    diff = report.diff or report.diagnostics or stack.drift or stack.checks
    return bool(diff or report.result == "changed" or (report.advice and report.result != "waiting"))


def render_stack(
    stack: StackReview, limit: int, *, open_lines: int, same_as: str = "", may_fit: bool = True
) -> DocumentPart:
    """The stack's part of the comment, whole and without its diff.

    `limit` is the whole document's, in bytes. A diff of at most `open_lines` lines may stand open, unless it
    is to the letter that of `same_as`, a stack above. Without `may_fit` the whole is not made at all.
    """
    before = list(_before(stack, limit))
    after = [f"→ {text(stack.report.advice)}"] if stack.report.advice else []
    diff = strip_preamble(stack.report.diff)
    lines = diff.count("\n") + 1 if diff else 0
    opened = lines <= min(open_lines, OPEN_LINES) and not same_as
    if same_as:
        before.append(f"The same diff as of {code(same_as)}:")
    summary = _render_summary_line(stack)
    if not diff:
        return DocumentPart(details(summary, "\n\n".join((*before, *after)), opened=opened), "")
    short = details(summary, "\n\n".join((*before, *_instead_of_diff(stack, diff, lines, limit), *after)))
    if not may_fit:
        return DocumentPart(None, short, lines)
    body = "\n\n".join((*before, fence(color_diff(stack.report.diff), "diff"), *after))
    return DocumentPart(details(summary, body, opened=opened), short, lines)


def _render_summary_line(stack: StackReview) -> str:
    """The line that opens a stack's part, in HTML."""
    words = {"deleted": "its code is deleted", "new": "new stack"}.get(stack.change, "")
    phrases = [format_changes(stack.report) or stack.report.result, words]
    return f"{html_code(stack.id)} · {', '.join(part for part in phrases if part)}"


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
    blocks = [diagnostic(_truncate_detail(fields, room // 2)) for fields in report.diagnostics]
    yield from fit_items(blocks, room, "And {count:,} more diagnostics.")
    for title, items in _lists(stack):
        if items:
            yield f"**{title}**"
            yield "\n".join(fit_items(items, limit // LIST_SHARE))


def _lists(stack: StackReview) -> Iterator[tuple[str, list[str]]]:
    """What is shown apart from the diff, with the title of each list."""
    changes = stack.report.changes
    planned = {change["address"]: change for change in changes}
    yield "Checks that do not pass", [f"- {text(check)}" for check in stack.checks]
    yield (
        "Changed outside of Terraform",
        [_drift_item(resource, planned.get(resource["address"])) for resource in stack.drift],
    )
    moves = [change for change in changes if change.get("previous_address") not in (None, change["address"])]
    yield (
        "Moved",
        [f"- {code(move['previous_address'])} → {code(move['address'])}" for move in moves],
    )
    yield "Imported into the state", [f"- {code(address)}" for address in stack.imported]
    forgotten = [change for change in changes if tuple(change["actions"]) == ("forget",)]
    yield (
        "Forgotten, not destroyed",
        [f"- {code(change['address'])}" for change in forgotten],
    )


def _reasons(stack: StackReview) -> str:
    """The chains of files through which the pull request affects the stack."""
    words = "Reads what changes" if stack.change == "dependent" else "Why"
    # The last link of each chain is the stack itself, which stands above.
    paths = dict.fromkeys(tuple(link for link in chain if link != stack.id) for chain in stack.reasons)
    whole = [" → ".join(map(code, chain)) for chain in paths if chain]
    chains, more = whole[:REASONS], len(whole[REASONS:])
    if not chains:
        return ""
    return f"{words}: {'; '.join(chains)}{f'; and {more} more' if more else ''}"


def render_finding_item(finding: Any) -> str:
    """A finding of the guard or of the policy as an item of a list: how bad, what, where, what to do."""
    words = {"error": "✗ Refused", "warning": "⚠ Warning"}.get(finding.severity, "Note")
    where = describe_location({"file": finding.file, "line": finding.line})
    parts = [
        f"- **{words}** {text(finding.message)}",
        f"({where})" if where else "",
        f"[{code(finding.code)}]",
    ]
    advice = f"<br>→ {text(finding.advice)}" if finding.advice else ""
    return " ".join(part for part in parts if part) + advice


def _drift_item(resource: Mapping[str, Any], planned: Mapping[str, Any] | None) -> str:
    """A resource that changed outside, its first attributes, and what of that the plan undoes."""
    name = code(resource["address"])
    if "delete" in resource["actions"]:
        again = planned is not None and "create" in planned["actions"]
        return f"- {name} was deleted; {'this plan makes it again' if again else 'this plan leaves it so'}"
    attributes = resource.get("attributes") or ()
    planned_attributes = {each["path"]: each for each in (planned or {}).get("attributes") or ()}
    items = [
        f"{code(each['path'])}: {value(each['before'])} → {value(each['after'])}"
        f" ({_undone(each, planned_attributes.get(each['path']))})"
        for each in attributes[:ATTRIBUTES]
    ]
    more = len(attributes) - len(items)
    parts = [", ".join(items), f"{plural(more, 'attribute')} more" if more > 0 else ""]
    return f"- {name}: {' and '.join(part for part in parts if part)}" if items else f"- {name}"


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
    changes = [change for change in stack.report.changes if tuple(change["actions"]) in VERBS]
    items = (f"- {VERBS[tuple(change['actions'])]} {code(change['address'])}" for change in changes)
    yield f"✂ _The diff is cut here: {plural(lines, 'line')}, {byte_size(diff):,} bytes._ What it does:"
    listing = fit_lazy_items(items, len(changes), limit // LIST_SHARE)
    yield "\n".join(listing) or text(", ".join(stack.report.outputs))


def _truncate_detail(fields: Mapping[str, Any], room: int) -> Mapping[str, Any]:
    """A diagnostic whose detail takes at most `room` bytes, whole lines, with what was cut."""
    lines = str(fields.get("detail") or "").strip("\n").split("\n")
    shortened: list[str] = []
    for line in lines:
        room -= 6 * len(line) + 2
        if room < 0:
            shortened.append(f"✂ {plural(len(lines) - len(shortened), 'line')} cut here")
            break
        shortened.append(line)
    return {**fields, "detail": "\n".join(shortened)}
