"""What is printed while a run works: waits for the bucket among the lines of the stacks."""

from __future__ import annotations

import io
import re

from rich.console import Console

from orchestrator.cli.app import App
from orchestrator.cli.main import run
from orchestrator.cli.terminal.progress import LiveProgress
from orchestrator.state.bucket_operations import WaitNotices, set_wait_listener

NOTICE = "Waiting for gs://states: reading dev/state/a[b]/default.tfstate (18 s, 384 KiB so far)."


class Stdout(io.StringIO):
    """A stream whose user waits for the bucket before each write."""

    def write(self, text: str) -> int:
        WaitNotices().notify(NOTICE)
        return super().write(text)


def test_off_a_terminal_a_wait_is_a_line_on_standard_error() -> None:
    stderr = io.StringIO()
    assert run(["completion", "bash"], App({}, io.StringIO(), Stdout(), stderr)) == 0
    assert set(stderr.getvalue().splitlines()) == {NOTICE}


def test_it_is_over_with_the_run() -> None:
    stderr = io.StringIO()
    run(["completion", "bash"], App({}, io.StringIO(), io.StringIO(), stderr))
    WaitNotices().notify(NOTICE)
    assert stderr.getvalue() == ""


def test_on_a_terminal_a_wait_is_a_line_above_the_running_stacks() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, no_color=True, legacy_windows=False)
    progress = LiveProgress(console, clock=lambda: 0.0)
    after: list[str] = []
    previous = set_wait_listener(after.append)
    try:
        progress.begin(["dev/a"])
        progress.doing("dev/a", "planning")
        WaitNotices().notify(NOTICE)
        progress.end()
        WaitNotices().notify("Waiting for something else.")
    finally:
        set_wait_listener(previous)
    assert NOTICE in re.sub(r"\x1b\[[0-9?;]*[A-Za-z]", "", screen.getvalue()).splitlines()
    assert after == ["Waiting for something else."]
