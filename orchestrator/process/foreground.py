"""A program in the foreground of our terminal, which reads a text from us: a pager."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.job_tokens import without_token_requests


def feed_program(argv: Sequence[str], env: Mapping[str, str], text: bytes) -> int:
    """Runs a program with `text` as its standard input and our other streams; its exit code, as subprocess
    gives it.

    It stays in our process group: the terminal sends it window sizes and Ctrl-C, which we ignore meanwhile. A
    program that ends before it has read everything is no error. OSError or ValueError where it cannot be
    started. Only for the main thread.
    """
    with _ignoring_interrupts():
        process = subprocess.Popen(argv, env=without_token_requests(env), stdin=subprocess.PIPE)
        try:
            process.communicate(text)
        except BaseException:
            process.kill()
            process.wait()
            raise
    return process.returncode


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    # A function and not SIG_IGN, which the program would inherit.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
