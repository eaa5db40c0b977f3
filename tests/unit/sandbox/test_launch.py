"""What the start of the sandbox's process is waited for, with pipes alone."""

from __future__ import annotations

import os

from orchestrator.sandbox.launch import wait_until_ready


def test_a_pipe_that_another_process_holds_open_is_not_waited_for() -> None:
    """Two threads that start one at once: each process may inherit the other one's pipe."""
    reader, writer = os.pipe()
    os.write(writer, b'{"ready": ')
    os.write(writer, b"true}")
    assert wait_until_ready(reader) == {"ready": True}
    os.close(writer)
    os.close(reader)


def test_a_process_that_dies_without_a_word_is_distinguished() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    assert wait_until_ready(reader) == {}
    os.close(reader)
