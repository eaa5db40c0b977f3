"""Renders Markdown that somebody else wrote: its structure stays, everything else has no effect.

Headings, lists, tables, fenced code, bold text and inline code are kept. What else means something to GitHub
(HTML, links, images, mentions, references) is shown as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from orchestrator.report.escape import cell, cell_code, code, fence, text
from orchestrator.report.markdown import row
from orchestrator.report.markdown import table as render_rows

# The longest Markdown that is accepted, in bytes, and what one line of it may have, in characters.
LARGEST = 30_000
LONGEST_LINE = 2_000
DEEPEST_LIST = 4
MOST_COLUMNS = 12

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*")
_ITEM = re.compile(r"(\s*)(?:[-*+]|\d{1,6}[.)])\s+(.*)")
_RULE = re.compile(r"\s*\|?(?:\s*:?-+:?\s*\|)*\s*:?-+:?\s*\|?\s*")
# What ends a sentence right behind a marked part.
_STOP = re.compile(r"[.,;:]+(?=\s|$)")
_MARKED = re.compile(r"(\*\*[^*\n]+\*\*|`[^`\n]+`)")


def render_untrusted(markdown: str) -> str:
    """Markdown without any effect beyond its own place; empty for a text without content."""
    blocks = _blocks(markdown.replace("\r\n", "\n").split("\n"))
    return "\n\n".join(block for block in blocks if block)


def _blocks(lines: Sequence[str]) -> Iterator[str]:
    """The blocks of a text, each rendered; blank lines go between them."""
    at = 0
    while at < len(lines):
        line = lines[at]
        mark = _FENCE.match(line)
        if mark:
            end = _end_of_fence(lines, at, mark[1])
            yield fence("\n".join(lines[at + 1 : end]))
            at = end + 1
        elif _is_table(lines, at):
            end = _end_while(lines, at, lambda each: "|" in each)
            yield _table([lines[at], *lines[at + 2 : end]])
            at = end
        elif _ITEM.fullmatch(line):
            end = _end_while(lines, at, lambda each: _ITEM.fullmatch(each) is not None)
            yield "\n".join(_item(each) for each in lines[at:end])
            at = end
        else:
            heading = _HEADING.fullmatch(line)
            words = text(heading[1].replace("**", "").replace("`", ""), LONGEST_LINE) if heading else ""
            yield f"**{words}**" if words else _inline(line)
            at += 1


def _end_of_fence(lines: Sequence[str], start: int, mark: str) -> int:
    """The line that closes a fence, or the end of the text where none does."""
    closing = re.compile(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}\s*")
    return next((at for at in range(start + 1, len(lines)) if closing.fullmatch(lines[at])), len(lines))


def _end_while(lines: Sequence[str], start: int, belongs: Callable[[str], bool]) -> int:
    at = start
    while at < len(lines) and lines[at].strip() and belongs(lines[at]):
        at += 1
    return at


def _is_table(lines: Sequence[str], at: int) -> bool:
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return "|" in lines[at] and "|" in following and _RULE.fullmatch(following) is not None


def _table(lines: Sequence[str]) -> str:
    header, *body = (
        [cell_text.strip() for cell_text in line.strip().strip("|").split("|")] for line in lines
    )
    width = min(len(header), MOST_COLUMNS)
    rows = [[*cells, *[""] * width][:width] for cells in body]
    return render_rows(
        [_inline(name, in_cell=True) for name in header[:width]],
        [row([_inline(value, in_cell=True) for value in cells]) for cells in rows],
    )


def _item(line: str) -> str:
    match = _ITEM.fullmatch(line)
    if match is None:
        raise ValueError("not an item of a list")
    depth = min(len(match[1].expandtabs(4)) // 2, DEEPEST_LIST)
    return f"{'  ' * depth}- {_inline(match[2])}"


def _inline(line: str, *, in_cell: bool = False) -> str:
    """A line with its bold parts and its code kept, and the rest as prose."""
    rendered = ""
    for part in _MARKED.split(line[:LONGEST_LINE].strip()):
        stop = _STOP.match(part) if rendered else None
        rest = _part(part[stop.end() if stop else 0 :].strip(), in_cell=in_cell)
        rendered += (stop[0] if stop else "") + (f" {rest}" if rendered and rest else rest)
    return rendered


def _part(part: str, *, in_cell: bool) -> str:
    prose, as_code = (cell, cell_code) if in_cell else (text, code)
    if part.startswith("**") and part.endswith("**") and len(part) > 4:
        return f"**{prose(part[2:-2].strip(), LONGEST_LINE)}**"
    if part.startswith("`") and part.endswith("`") and len(part) > 2:
        return as_code(part[1:-1], LONGEST_LINE)
    return prose(part, LONGEST_LINE) if part else ""
