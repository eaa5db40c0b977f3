"""The layout that all comments on pull requests share: what is always shown, a table, details, a limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.report.escape import code, link
from orchestrator.report.fitting import DocumentPart, Omissions, byte_size, fit_items, fit_parts
from orchestrator.report.markdown import alert, table
from orchestrator.report.model import StackReport
from orchestrator.report.words import join_words, plural

LIMIT = 65_536
# Reserved for the sentence about omissions, and for the note that marks a plan as outdated.
RESERVE = 1_000
LEGEND = "in a diff `!` is Terraform's `~`"
# Of the limit: what each list at the top may take, in bytes.
SHARE = 12
SHORT_COMMIT = 12
HEADER = ("Stack", "Result", "Changes")
RESULTS = {
    "failed": "✗ failed",
    "mismatch": "✗ differs",
    "blocked": "✗ refused",
    "interrupted": "✗ interrupted",
    "locked": "✗ locked",
    "unchecked": "✗ not planned",
    "aborted": "✗ not reached",
    "waiting": "… waits",
    "skipped": "↷ skipped",
    "unchanged": "= no changes",
    "applied": "✓ applied",
    "destroyed": "✓ destroyed",
}


@dataclass(frozen=True)
class CommentContent:
    """The parts of a comment, in the order in which they appear.

    `top` and `bottom` are always shown; `rows` of the table and `blocks` with details are left out where
    they do not fit. `below_table` is one line below the table. `url` links to the run with the whole text.
    """

    top: Sequence[str]
    rows: Sequence[str]
    blocks: Sequence[DocumentPart]
    bottom: Sequence[str]
    url: str
    below_table: str = ""

    def render(self, limit: int) -> str:
        """Markdown of at most `limit` bytes. What does not fit is left out as a whole and counted."""
        always = [part for part in (*self.top, *self.bottom) if part]
        header = table(HEADER, ())
        room = limit - RESERVE - sum(map(byte_size, always)) - byte_size(header)
        fitted = fit_parts(self.rows, self.blocks, room)
        grid = "\n".join([header, *fitted.rows]) if fitted.rows else ""
        omissions = _describe_omissions(fitted.cut, self.url)
        parts = [*self.top, grid, self.below_table, omissions, *fitted.blocks, *self.bottom]
        return "\n\n".join(part for part in parts if part) + "\n"


def _describe_omissions(cut: Omissions, url: str) -> str:
    """A sentence with the number of parts left out, and a link to the whole text."""
    if not cut:
        return ""
    parts: Sequence[str] = [
        f"{plural(cut.texts, 'diff')} ({plural(cut.lines, 'line')})" if cut.texts else "",
        f"the details of {plural(cut.blocks, 'stack')}" if cut.blocks else "",
        f"{plural(cut.rows, 'row')} of the table" if cut.rows else "",
    ]
    where = f" {link('The whole text is in the run', url)}." if url else ""
    return f"✂ **Cut to fit the limit:** {', '.join(part for part in parts if part)}.{where}"


def render_losses(reports: Sequence[StackReport], when: str, room: int) -> Iterator[str]:
    """An alert about what these stacks destroy or replace, in about `room` bytes; nothing where none goes."""
    deleted, replaced = (
        sum(report.counts.get(key, 0) for report in reports) for key in ("delete", "replace")
    )
    parts = [
        f"{plural(deleted, 'resource')} destroyed" if deleted else "",
        f"{plural(replaced, 'resource')} replaced" if replaced else "",
    ]
    if not any(parts):
        return
    items = [
        f"- {code(report.id)} {verb} {code(change['address'])}"
        for verb, alone in (("destroys", True), ("replaces", False))
        for report in reports
        for change in report.changes
        if "delete" in change["actions"] and (tuple(change["actions"]) == ("delete",)) == alone
    ]
    head = f"**{join_words([part for part in parts if part])} {when}:**"
    yield alert("CAUTION", [head, "", *fit_items(items, room)] if items else [head])


def format_duration(seconds: float) -> str:
    """A span of time for people: `90 s`, `30 min`, `2 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h".replace(".0 ", " ")


def describe_result(report: StackReport) -> str:
    """A result with its sign; for a plan its most severe action."""
    if report.result != "changed":
        return RESULTS[report.result]
    if report.is_destructive:
        return "⚠ destroys" if report.counts["delete"] else "⚠ replaces"
    if report.counts["update"]:
        return "~ changes"
    if report.counts["create"]:
        return "+ creates"
    return "→ state only" if any(report.counts.values()) else "~ outputs only"


def keep_on_one_line(words: str) -> str:
    """Replace spaces by no-break spaces, for a narrow column."""
    return words.replace(" ", "\u00a0")
