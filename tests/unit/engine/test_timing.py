"""What `--timing` shows."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.timing import RunTiming
from orchestrator.process import Command, Completed


def test_programs_are_counted_by_command_and_the_longest_is_first() -> None:
    times = iter((0.0, 12.5))
    timing = RunTiming(lambda: next(times))
    for verb, seconds in (("show", 0.5), ("plan", 2.0), ("plan", 1.25)):
        argv = ("/usr/bin/terraform", "-chdir=x", verb, "-json")
        timing.trace(Command(argv, Path(), {}), Completed(argv, 0, b"", b"", seconds))
    timing.note("a is planned with providers of its own: it died")
    assert timing.lines() == [
        "Timing: 12.50 s since the repository was read",
        "  terraform plan: 2 times, 3.25 s",
        "  terraform show: 1 time, 0.50 s",
        "  a is planned with providers of its own: it died",
    ]
