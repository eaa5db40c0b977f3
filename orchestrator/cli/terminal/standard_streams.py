"""Standard output and standard error that may be closed, full, or read by nobody, and never stop a run."""

from __future__ import annotations

import errno
import os
from typing import Any, TextIO, cast

from orchestrator.errors import FileError


class StandardStream:
    """A text stream whose failure is remembered instead of raised.

    What is written after a failure is dropped: an apply whose reader has gone (`infra apply | head`) ends as
    it would have, and is recorded. `failure` is the first `OSError`; that of a stream that `is_closed` comes
    with the first text.
    """

    def __init__(self, stream: TextIO, *, is_closed: bool = False) -> None:
        self._stream = stream
        self._is_closed = is_closed
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write as far as possible."""
        if self._is_closed and text and self.failure is None:
            self._fail(OSError(errno.EBADF, "it is closed"))
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush as far as possible."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Remember the failure; what Python still has buffered goes to the null device, as do children."""
        self.failure = error
        try:
            descriptor = self._stream.fileno()
        except OSError:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_stream(stream: TextIO | None, mode: str) -> TextIO:
    """A standard stream of `sys`, or the null device where it is None: closed before we began.

    The null device takes the free descriptor, which would else go to the next file of ours or of a child's.
    """
    if stream is not None:
        return stream
    return cast(TextIO, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def standard_stream(stream: TextIO, *, is_closed: bool = False) -> TextIO:
    """A `StandardStream`, for where a text stream is wanted."""
    return cast(TextIO, StandardStream(stream, is_closed=is_closed))


def has_failed(stream: TextIO) -> bool:
    """True when nothing that is written to `stream` arrives any more."""
    return isinstance(stream, StandardStream) and stream.failure is not None


def lost_output(stream: TextIO) -> FileError | None:
    """The error of a result that could not be written. A reader that has gone did not want the rest."""
    if not isinstance(stream, StandardStream):
        return None
    if stream.failure is None or isinstance(stream.failure, BrokenPipeError):
        return None
    reason = stream.failure.strerror or str(stream.failure)
    return FileError(
        f"Standard output could not be written: {reason}.",
        advice="Only the output is incomplete; `infra history` shows what a run did.",
    )
