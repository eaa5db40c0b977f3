"""Building blocks of GitHub Markdown. Text passed to them must be escaped already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from orchestrator.report.escape import cell_code, code, fence, text

Alert = Literal["NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"]

# A value beside another one, in characters; the diff has it whole.
VALUE = 80


def alert(kind: Alert, lines: Iterable[str]) -> str:
    """A coloured quote; GitHub writes the kind above it, so that it does not depend on the colour."""
    return "\n".join([f"> [!{kind}]", *(f"> {line}" if line else ">" for line in lines)])


def details(summary: str, body: str, *, opened: bool = False) -> str:
    """A part that opens on a click. `summary` is HTML, `body` Markdown."""
    tag = "<details open>" if opened else "<details>"
    return f"{tag}<summary>{summary}</summary>\n\n{body}\n\n</details>"


def table(header: Sequence[str], rows: Iterable[str]) -> str:
    """A table; rows are made by `row`."""
    return "\n".join([row(header), f"|{'---|' * len(header)}", *rows])


def row(cells: Sequence[str]) -> str:
    """One row; cells must have no bare bar."""
    return f"| {' | '.join(cells)} |"


def value(content: Any, *, in_cell: bool = False) -> str:
    """A masked JSON value as code; a dash for nothing to show."""
    if content is None:
        return "—"
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return (cell_code if in_cell else code)(text or '""', VALUE)


def describe_location(location: Mapping[str, Any]) -> str:
    """`file:line` as code, empty where the file is not known."""
    if not location.get("file"):
        return ""
    return code(":".join(str(part) for part in (location["file"], location.get("line")) if part), 300)


def diagnostic(fields: Mapping[str, Any]) -> str:
    """One of Terraform's diagnostics: what, where, and its detail in a fence."""
    severe = fields.get("severity") != "warning"
    where = describe_location(fields)
    address = str(fields.get("address") or "")
    parts = [f"**{'Error' if severe else 'Warning'}:** {text(str(fields.get('summary', '')))}"]
    locations = [f"in {where}" if where else "", f"with {code(address)}" if address else ""]
    if any(locations):
        parts[0] += f" ({', '.join(part for part in locations if part)})"
    detail = str(fields.get("detail") or "").strip("\n")
    if detail:
        parts.append(fence(detail, "text"))
    return "\n\n".join(parts)
