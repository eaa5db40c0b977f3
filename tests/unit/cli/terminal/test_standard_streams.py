"""Standard streams that are closed, full, or read by nobody."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from orchestrator.cli import main
from orchestrator.cli.app import App
from orchestrator.cli.terminal.standard_streams import (
    StandardStream,
    has_failed,
    lost_output,
    open_stream,
    standard_stream,
)
from orchestrator.errors import Exit


class BrokenText(io.StringIO):
    """A stream that takes `room` writes, and then fails as a pipe or a disk does."""

    def __init__(self, code: int, room: int = 0) -> None:
        super().__init__()
        self.code, self.room = code, room

    def write(self, text: str) -> int:
        """Write, or fail."""
        if not self.room:
            raise OSError(self.code, os.strerror(self.code))
        self.room -= 1
        return super().write(text)


def test_what_is_written_after_a_failure_is_dropped_and_the_failure_remembered() -> None:
    """A run goes on whoever reads its output."""
    broken = BrokenText(errno.EPIPE, room=1)
    stream = StandardStream(broken)
    for line in ("a\n", "b\n", "c\n"):
        stream.write(line)
    stream.flush()
    assert broken.getvalue() == "a\n"
    assert isinstance(stream.failure, BrokenPipeError)


def test_a_stream_that_was_closed_before_is_the_null_device() -> None:
    """`sys.stdout` is None after `>&-`."""
    with open_stream(None, "w") as stream:
        assert Path(os.devnull).stat().st_rdev == os.fstat(stream.fileno()).st_rdev
        assert stream.write("text") == 4


def test_a_pipe_whose_reader_has_gone_is_replaced_for_what_is_still_buffered() -> None:
    """Python flushes at exit, and would complain of the pipe again."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        stream = standard_stream(pipe)
        stream.write("text")
        stream.flush()
        assert has_failed(stream)
        assert os.fstat(writing).st_rdev == Path(os.devnull).stat().st_rdev


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.EPIPE, ""), (errno.ENOSPC, "Standard output could not be written: No space left on device.")],
)
def test_only_a_reader_that_has_gone_did_not_want_the_rest(code: int, message: str) -> None:
    """A result that a full disk cut is an error."""
    stream = standard_stream(BrokenText(code))
    stream.write("result")
    lost = lost_output(stream)
    assert (lost.message if lost else "") == message


@pytest.mark.parametrize(
    ("out", "argv", "code", "text"),
    [
        (BrokenText(errno.EPIPE), ["version"], 0, ""),
        (BrokenText(errno.ENOSPC), ["schema"], 1, "error: Standard output could not be written"),
        (
            BrokenText(errno.ENOSPC),
            ["state", "lst", "--json"],
            3,
            "error: Standard output could not be written",
        ),
    ],
)
def test_a_command_keeps_its_exit_code_unless_its_result_is_lost(
    out: io.StringIO, argv: list[str], code: int, text: str
) -> None:
    """The first of the two that is more serious."""
    err = io.StringIO()
    assert main.run(argv, App(os.environ, io.StringIO(), standard_stream(out), err)) == code
    assert err.getvalue().startswith(text)
    assert bool(err.getvalue()) is bool(text)


def test_a_closed_standard_output_is_reported_only_where_something_was_to_be_written() -> None:
    err = io.StringIO()
    out = standard_stream(io.StringIO(), is_closed=True)
    assert main.run(["version"], App(os.environ, io.StringIO(), out, err)) == Exit.ERROR
    assert "Standard output could not be written: it is closed." in err.getvalue()
    assert lost_output(standard_stream(io.StringIO(), is_closed=True)) is None


@pytest.mark.parametrize("argv", [[], ["state"], ["ci"]])
def test_a_group_alone_shows_its_help(argv: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert main.run(argv, App(os.environ, io.StringIO(), out, err)) == 0
    assert out.getvalue().startswith("Usage: infra")
    assert err.getvalue() == ""


def test_an_error_on_a_broken_standard_error_keeps_its_exit_code() -> None:
    """The one boundary of errors prints, too."""
    app = App(os.environ, io.StringIO(), io.StringIO(), standard_stream(BrokenText(errno.EPIPE)))
    assert main.run(["pln"], app) == Exit.USAGE
