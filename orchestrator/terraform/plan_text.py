"""Splits the output of `terraform plan` into progress lines and the diff."""

from __future__ import annotations

import re

# The diff is indented: a line of a value in it is no progress, and is shown only when it is masked.
_DOING = re.compile(
    rb"^(\S.*): (Refreshing state|Reading|Still reading|Read complete|Preparing import)(?:\.\.\.| after)"
)
_VERBS = {
    b"Refreshing state": "refreshing",
    b"Reading": "reading",
    b"Still reading": "still reading",
    b"Preparing import": "importing",
}


def progress_text(line: bytes) -> str | None:
    """What a line says that Terraform is doing: "refreshing google_x.y". Never a value, not even an id."""
    match = _DOING.match(line)
    verb = _VERBS.get(match[2]) if match else None
    return f"{verb} {match[1].decode('utf-8', 'replace')}" if match and verb else None


def without_progress(stdout: bytes) -> bytes:
    """The text from the first line on that is not about progress."""
    lines = stdout.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line.strip() and not _DOING.match(line)), 0)
    return b"".join(lines[start:])
