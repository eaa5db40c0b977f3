"""Calls that somebody else decides the length of, such as a server that answers one byte at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class DeadlinePassedError(Exception):
    """A call has not ended in time; its thread goes on and ends with the process."""


def call_within(seconds: float, call: Callable[[], T], name: str) -> T:
    """What `call` returns or raises; DeadlinePassedError when that takes longer than `seconds`.

    `name` is that of its thread. A socket's time limit would bound each single read alone.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            results.append(call())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise DeadlinePassedError
    return results[0]
