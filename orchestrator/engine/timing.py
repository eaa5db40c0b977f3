"""What `--timing` shows of a run: which commands Terraform ran, for how long, and with whose providers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from orchestrator.process import Command, Completed
from orchestrator.report.words import plural


class RunTiming:
    """Counts for one run; safe from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._count: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._notes: list[str] = []
        self._counts: Counter[str] = Counter()

    def trace(self, command: Command, done: Completed) -> None:
        """Count one program that has ended."""
        verb = next((word for word in command.argv[1:] if not word.startswith("-")), "")
        name = f"{Path(command.argv[0]).name} {verb}".strip()
        with self._lock:
            self._count[name] += 1
            self._seconds[name] += int(done.seconds * 1000)

    def note(self, text: str) -> None:
        """Keep a line, such as why a stack was planned with providers of its own."""
        with self._lock:
            self._notes.append(text)

    def count(self, text: str) -> None:
        """Count something that happens often, such as a plan file that was read."""
        with self._lock:
            self._counts[text] += 1

    def lines(self) -> list[str]:
        """Text for people: the longest first."""
        with self._lock:
            lines = [f"Timing: {self._clock() - self._began:.2f} s since the repository was read"]
            for name, milliseconds in sorted(self._seconds.items(), key=lambda item: (-item[1], item[0])):
                lines.append(f"  {name}: {plural(self._count[name], 'time')}, {milliseconds / 1000:.2f} s")
            lines += [f"  {count} {text}" for text, count in self._counts.items()]
            return lines + [f"  {note}" for note in self._notes]
