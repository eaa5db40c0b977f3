"""The spans of a run as plain data: run, environments, stacks, Terraform's commands, resources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

AttributeValue = str | int | float | bool
Severity = Literal["INFO", "ERROR"]

_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")


@dataclass(frozen=True)
class TraceParent:
    """A span of another process: a trace id of 32 hexadecimal digits, a span id of 16, and whether it is
    sampled (https://www.w3.org/TR/trace-context/)."""

    trace_id: str
    span_id: str
    is_sampled: bool = True

    @classmethod
    def parse(cls, text: str) -> TraceParent | None:
        """A `traceparent`; None for what is none, such as one of zeros alone."""
        match = _TRACEPARENT.fullmatch(text.strip())
        if match is None or not int(match["trace"], 16) or not int(match["span"], 16):
            return None
        return cls(match["trace"], match["span"], bool(int(match["flags"], 16) & 1))

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


@dataclass(frozen=True)
class SpanLog:
    """A line about a span; masked."""

    time: int
    severity: Severity
    text: str


@dataclass(frozen=True)
class Span:
    """One span and those below it. `start` and `end` are nanoseconds since 1970; texts are masked.

    `error` is a class of error, empty where it ended well. Only the topmost has `links`.
    """

    name: str
    start: int
    end: int
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    error: str = ""
    children: tuple[Span, ...] = ()
    links: tuple[TraceParent, ...] = ()
    logs: tuple[SpanLog, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.start) / 1e9
