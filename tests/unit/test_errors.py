"""What the operating system says becomes an error of ours, with what to do next."""

from __future__ import annotations

import errno

import pytest

from orchestrator.errors import FileError, NestingError, StateError, known_error


@pytest.mark.parametrize(
    ("number", "message", "advice"),
    [
        (errno.ENOSPC, "The disk is full: /x/y: no.", "Make room"),
        (errno.EDQUOT, "The disk is full: /x/y: no.", "Make room"),
        (errno.EROFS, "/x/y: no.", "make it writable"),
        (errno.EACCES, "/x/y: no.", "make it writable"),
        (errno.EMFILE, "/x/y: no.", "ulimit -n"),
        (errno.EIO, "/x/y: no.", "Look at the file"),
    ],
)
def test_what_the_system_reports(number: int, message: str, advice: str) -> None:
    error = FileError.of(OSError(number, "no", "/x/y"))
    assert error.message == message
    assert advice in error.advice


def test_only_what_is_known_is_ours() -> None:
    state_error = StateError("x")
    assert known_error(state_error) is state_error
    assert isinstance(known_error(RecursionError()), NestingError)
    assert known_error(OSError("odd")).message == "odd."
    with pytest.raises(ZeroDivisionError):
        known_error(ZeroDivisionError())
