"""Calls that end in time or are given up."""

from __future__ import annotations

import threading

import pytest

from orchestrator.deadline import DeadlinePassedError, call_within


def _fail() -> None:
    raise ValueError("no")


def test_what_a_call_returns_or_raises() -> None:
    assert call_within(60, lambda: 7, "seven") == 7
    assert call_within(60, lambda: None, "nothing") is None
    with pytest.raises(ValueError, match="no"):
        call_within(60, _fail, "fails")


def test_a_call_that_does_not_end_is_given_up() -> None:
    is_over = threading.Event()
    with pytest.raises(DeadlinePassedError):
        call_within(0.01, lambda: is_over.wait(60), "waits")
    is_over.set()
