"""Sanitizes untrusted text for a terminal or a job's log.

A terminal obeys control sequences. GitHub Actions obeys lines that begin with `::`, and `##[` anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from orchestrator.report.escape import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
    from rich.measure import Measurement
    from rich.segment import Segment

_COMMAND = re.compile(r"^([ \t]*)(?=::)", re.MULTILINE)
_OLD_COMMAND = "##["
_HIDDEN = re.compile(r"[^\x20-\x7e\n]")


def sanitize(text: str, *, in_job: bool) -> str:
    """Lines of text with hidden characters shown; in a job no line of it is a command to GitHub."""
    text = printable(text.replace("\r\n", "\n"), keep="\n\t")
    return _escape_workflow_commands(text) if in_job else text


def _escape_workflow_commands(text: str) -> str:
    """Text in which no line is a workflow command."""
    if "::" in text:
        text = _COMMAND.sub(r"\1> ", text)
    return text.replace(_OLD_COMMAND, "# #[")


def sanitize_json(document: Any) -> str:
    """A JSON document on several lines: the same values, with hidden characters in JSON's own escapes."""

    def escaped(match: re.Match[str]) -> str:
        return match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1]

    text = _HIDDEN.sub(escaped, json.dumps(document, indent=2, ensure_ascii=False))
    # No line of it begins with `::`; the other form is looked for anywhere.
    return text.replace(_OLD_COMMAND, "#\\u0023[")


class SanitizedLog:
    """A stream of a job for what is written on it line by line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write whole lines."""
        self._stream.write(_escape_workflow_commands(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class SanitizingHook:
    """Sanitizes what a rich console prints: the text, not the styles that rich adds."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """See rich's `RenderHook`."""
        return [Sanitized(renderable) for renderable in renderables]


@dataclass(frozen=True)
class Sanitized:
    """Something to print, with its hidden characters shown."""

    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _cleaned(console.render(self.inner, options))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement.get(console, options, self.inner)


def _cleaned(segments: Iterable[Segment]) -> Iterator[Segment]:
    from rich.segment import Segment

    for segment in segments:
        text = segment.text if segment.control else printable(segment.text, keep="\n\t")
        yield segment if text == segment.text else Segment(text, segment.style)
