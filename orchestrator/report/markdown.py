"""The few shapes of GitHub's Markdown that reports are made of. Words given to these are Markdown already."""

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


def value(given: Any, *, in_cell: bool = False) -> str:
    """A masked JSON value as code; a dash for nothing to show."""
    if given is None:
        return "—"
    shown = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return (cell_code if in_cell else code)(shown or '""', VALUE)


def place(given: Mapping[str, Any]) -> str:
    """`file:line` as code, empty where the file is not known."""
    if not given.get("file"):
        return ""
    return code(":".join(str(part) for part in (given["file"], given.get("line")) if part), 300)


def diagnostic(given: Mapping[str, Any]) -> str:
    """One of Terraform's diagnostics: what, where, and its detail in a fence."""
    severe = given.get("severity") != "warning"
    where = place(given)
    address = str(given.get("address") or "")
    parts = [f"**{'Error' if severe else 'Warning'}:** {text(str(given.get('summary', '')))}"]
    told = [f"in {where}" if where else "", f"with {code(address)}" if address else ""]
    if any(told):
        parts[0] += f" ({', '.join(part for part in told if part)})"
    detail = str(given.get("detail") or "").strip("\n")
    if detail:
        parts.append(fence(detail, "text"))
    return "\n\n".join(parts)
