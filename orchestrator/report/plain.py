"""Renders infra's own comments for a terminal, without hidden lines and HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from orchestrator.report.escape import code

_FENCE = re.compile(r"(`{3,})(?:[a-z]*)")
_SUMMARY = re.compile(r"<details(?: open)?><summary>(?P<summary>.*)</summary>")
_ALERT = re.compile(r"> \[!(?P<kind>[A-Z]+)\]")
_CODE = re.compile(r"<code>(?P<name>.*?)</code>")
_OURS = re.compile(r"</?(?:sub|p)>|</details>|<!-- infra:.*? -->")


def render_plain(body: str) -> str:
    """What opens on a click as a bold line with its content below; alerts with their kind in words.

    Only for texts of this package: others' HTML is not looked at.
    """
    lines = list(_lines(body.replace("\r\n", "\n").split("\n")))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _lines(lines: list[str]) -> Iterator[str]:
    fence = ""
    for line in lines:
        if fence:
            fence = "" if line == fence else fence
            yield line
        elif opens := _FENCE.fullmatch(line):
            fence = opens[1]
            yield line
        elif summary := _SUMMARY.fullmatch(line):
            yield f"**▸ {_names(summary['summary'])}**"
        elif match := _ALERT.fullmatch(line):
            yield from (f"> **{match['kind'].title()}**", ">")
        elif line.startswith(("<", "|")):
            yield _names(_OURS.sub("", line)).replace("<br>", " ")
        else:
            yield line.replace("<br>", " ")


def _names(line: str) -> str:
    """A line of HTML of ours with its names as Markdown has them."""
    return _CODE.sub(lambda match: code(html.unescape(match["name"])), line)
