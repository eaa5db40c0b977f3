"""Live progress: one line a stack on a terminal, plain lines elsewhere, nothing with --json."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.cli.app import App
from orchestrator.engine.ports import FinishedItem, Progress, SilentProgress
from orchestrator.state.bucket_operations import Listener, set_wait_listener

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

# A terminal shows at most this many running stacks; the rest is counted.
SHOWN = 12


def make_progress(app: App) -> Progress:
    """The progress that suits the stream: live lines, plain lines, or none."""
    if app.json or app.quiet:
        return SilentProgress()
    return LiveProgress(app.console(app.stderr)) if app.stderr.isatty() else PlainProgress(app.note)


@dataclass
class PlainProgress:
    """A line when a stack begins and one when it ends; for logs."""

    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _begun: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, stacks: Sequence[str]) -> None:
        """Prints nothing: a stack is named when it starts."""
        with self._lock:
            self._begun.clear()

    def doing(self, stack: str, text: str) -> None:
        """The first thing a stack does is its line; the rest would be noise in a log."""
        with self._lock:
            if stack not in self._begun:
                self._begun.add(stack)
                self.write(f"{stack}: {text}")

    def done(self, report: FinishedItem) -> None:
        """How the stack ended."""
        with self._lock:
            reason = f" ({report.reason.splitlines()[0]})" if report.reason else ""
            self.write(f"{report.id}: {report.result}{reason} in {report.seconds:.1f} s")

    def end(self) -> None:
        """Nothing to tidy."""


class LiveProgress:
    """One line a running stack, redrawn in place; gone when this part of the run is over."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, str]] = {}
        self._ended = 0
        self._total = 0
        self._live: Live | None = None
        self._previous_listener: Listener | None = None

    def begin(self, stacks: Sequence[str]) -> None:
        """Start drawing."""
        from rich.live import Live

        with self._lock:
            self._running.clear()
            self._ended, self._total = 0, len(stacks)
        self._live = Live(
            get_renderable=self._lines, console=self._console, refresh_per_second=8, transient=True
        )
        self._live.start()
        self._previous_listener = set_wait_listener(self._print)

    def doing(self, stack: str, text: str) -> None:
        """What a stack does now."""
        with self._lock:
            since = self._running.get(stack, (self._clock(), ""))[0]
            self._running[stack] = (since, text)

    def done(self, report: FinishedItem) -> None:
        """A stack leaves the list; the counter goes on."""
        with self._lock:
            self._running.pop(report.id, None)
            self._ended += 1

    def end(self) -> None:
        """Stop drawing and free the terminal."""
        if self._live and self._previous_listener:
            set_wait_listener(self._previous_listener)
            self._live.stop()
            self._live = None

    def _print(self, text: str) -> None:
        """A line above those that are redrawn."""
        from rich.text import Text

        self._console.print(Text(text))

    def _lines(self) -> RenderableType:
        """The picture of this moment."""
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            running, ended, total = dict(self._running), self._ended, self._total
        now = self._clock()
        grid = Table.grid(padding=(0, 2))
        for stack, (since, text) in list(running.items())[:SHOWN]:
            grid.add_row(Text(stack, style="bold"), Text(f"{now - since:5.1f} s"), Text(text, style="dim"))
        more = f", {len(running) - SHOWN} more running" if len(running) > SHOWN else ""
        grid.add_row(Text(f"{ended} of {total} done{more}", style="cyan"))
        return grid
