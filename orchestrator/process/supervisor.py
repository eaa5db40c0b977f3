"""Runs children from many threads, and makes one Ctrl-C an orderly end for all of them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from orchestrator.errors import Exit, InterruptedRunError
from orchestrator.process.child import Child
from orchestrator.process.command import Command, Completed, OnLine, OnStart


class Supervisor:
    """Runs children, each in a session of its own; safe from many threads.

    The first interrupt is forwarded once to every child, and no new one is started; a second ends us at once
    and leaves alone what changes state. `trace` gets every command that has ended.
    """

    def __init__(self, trace: Callable[[Command, Completed], None] | None = None) -> None:
        self._trace = trace
        # Reentrant: a signal handler may run while this very thread holds it.
        self._lock = threading.RLock()
        self._children: dict[int, Child] = {}
        self._interrupted = False
        self._changed = False

    @property
    def interrupted(self) -> bool:
        """True once an interrupt was forwarded."""
        return self._interrupted

    @property
    def started_changes(self) -> bool:
        """True once a command that changes state was started."""
        return self._changed

    def run(
        self, command: Command, on_line: OnLine | None = None, on_start: OnStart | None = None
    ) -> Completed:
        """Run a command to its end; `on_line(stream, line)` is called from this thread as lines come.

        `on_start` is called once, when the process exists.

        Raises InterruptedRunError when the run was interrupted before, BinaryError or ProcessError when the
        program cannot be started, and what `on_line` raised.
        """
        child = self._start(command, on_line)
        try:
            if on_start is not None:
                on_start()
            while True:
                may_have_ended = child.pump()
                with self._lock:
                    # Looking and forgetting are one step: nobody signals a pid that is no longer ours.
                    if may_have_ended and child.reap():
                        del self._children[child.pid]
                        break
                    child.enforce()
        except BaseException:
            self._abandon(child)
            raise
        done = child.completed()
        if self._trace:
            self._trace(command, done)
        return done

    def _start(self, command: Command, on_line: OnLine | None) -> Child:
        with self._lock:
            if self._interrupted:
                raise InterruptedRunError(f"Interrupted before {command.name} was started.")
            child = Child(command, on_line)
            self._changed = self._changed or command.changes_state
            try:
                child.start()
            except BaseException:
                child.close()
                raise
            self._adopt(child)
            return child

    def _adopt(self, child: Child) -> None:
        self._children[child.pid] = child
        if self._interrupted:  # the signal came to this thread, while it was starting the child
            child.interrupt()

    def _abandon(self, child: Child) -> None:
        """We stop waiting for a child: it lives on if it changes state, else it ends now."""
        with self._lock:
            if self._children.pop(child.pid, None) is not None and not child.command.changes_state:
                child.kill()
                while not child.reap():
                    child.pump()
            child.close()

    def interrupt(self) -> None:
        """Forward exactly one SIGINT to every child; from now on new commands are refused."""
        with self._lock:
            if self._interrupted:
                return
            self._interrupted = True
            for child in self._children.values():
                child.interrupt()

    def kill(self) -> list[str]:
        """End what only reads; name what changes state and is left running, with its pid."""
        running = []
        with self._lock:
            self._interrupted = True
            for child in self._children.values():
                if child.command.changes_state:
                    running.append(f"{child.command.name} (pid {child.pid})")
                else:
                    child.kill()
        return sorted(running)

    @contextmanager
    def handling_signals(
        self,
        on_second: Callable[[list[str]], int | None] = lambda running: None,
        on_first: Callable[[], None] = lambda: None,
    ) -> Iterator[None]:
        """Within it, SIGINT, SIGTERM and SIGHUP are ours. Only for the main thread.

        The first one calls `interrupt`, then `on_first`. The second calls `kill`, then `on_second` with its
        list, and ends this process at once with the code that it returns; with None that is 7 if something
        that changes state was ever started, else 130. A SIGHUP is never the second one: a terminal that is
        closed sends several, of which the last ones are ignored. All are where they were before (`nohup`).
        """

        def handle(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGHUP:
                before[number] = signal.SIG_IGN
            if not self._interrupted:
                self.interrupt()
                on_first()
                return
            if number == signal.SIGHUP:
                return
            code: int | None = None
            try:
                code = on_second(self.kill())
            finally:
                usual = Exit.PARTIAL if self._changed else Exit.INTERRUPTED
                os._exit(usual if code is None else code)

        numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
