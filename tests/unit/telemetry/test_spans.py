"""The ids of a span of another process."""

from __future__ import annotations

import pytest

from orchestrator.telemetry.spans import TraceParent

TEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_it_is_read_and_written() -> None:
    parent = TraceParent.parse(f" {TEXT}\n")
    assert parent is not None
    assert (str(parent), parent.is_sampled) == (TEXT, True)
    unsampled = TraceParent.parse(TEXT[:-1] + "0")
    assert unsampled is not None
    assert not unsampled.is_sampled


@pytest.mark.parametrize(
    "text",
    ["", "00-1-2-01", TEXT.upper(), TEXT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), f"{TEXT}-x"],
)
def test_what_is_none_is_passed_over(text: str) -> None:
    assert TraceParent.parse(text) is None
