"""Hidden lines that identify infra's own comments and the head that a plan was made for."""

from __future__ import annotations

import re

PLAN = "<!-- infra:plan -->"
STALE = "<!-- infra:stale -->"

_HEAD = re.compile(r"<!-- infra:head ([0-9a-f]{7,64}) -->")
_NAME = re.compile(r"[^A-Za-z0-9._/-]")


def apply_marker(environment: str) -> str:
    """The marker of an environment's comment on a merged pull request."""
    return f"<!-- infra:apply {_NAME.sub('?', environment)} -->"


def is_marked(body: str, marker: str) -> bool:
    """True when a comment is the one that `marker` stands for: only its first line counts."""
    return body.split("\n", 1)[0].strip() == marker


def head_line(commit: str) -> str:
    """The hidden line with the head of a plan."""
    return f"<!-- infra:head {commit} -->" if re.fullmatch("[0-9a-f]{7,64}", commit) else ""


def parse_head(body: str) -> str:
    """The head of a comment's plan; empty when there is no such line."""
    lines = body.split("\n", 2)
    match = _HEAD.fullmatch(lines[1].strip()) if len(lines) > 1 else None
    return match[1] if match else ""
