"""What a step of the demo can do: run a command in view, look at what it did, and insist."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import InterruptedRunError, SandboxError
from orchestrator.process import Command, Completed, Supervisor, is_alive, read_pid_file
from orchestrator.sandbox import attach, control
from orchestrator.sandbox.cloud import WORLD
from orchestrator.sandbox.world import World

# An apply that is interrupted saves its state and gives its lock back in this time.
GRACE = 60.0
DEADLINE = 300.0
# Seconds between two looks at the world, for the moment to come.
LOOK = 0.05


class Narrator(Protocol):
    """Tells the demo to whoever watches."""

    def scene(self, title: str, text: str) -> None:
        """A step begins."""

    def command(self, text: str) -> None:
        """A command is run now."""

    def line(self, text: str, *, aside: bool) -> None:
        """A line that the command printed; `aside` for standard error, where progress goes."""

    def checked(self, text: str) -> None:
        """Something was looked at and is as it should be."""

    def took(self, seconds: float) -> None:
        """The command has ended, after so long."""


@dataclass
class Stage:
    """One performance: its repository, its sandbox and its audience. Every method raises when it must."""

    repository: Path
    environ: Mapping[str, str]
    supervisor: Supervisor
    narrator: Narrator
    info: attach.Info

    def infra(self, *arguments: str, expect: int = 0) -> None:
        """Run `infra ARGUMENTS` on the sandbox, in view; its exit code must be `expect`."""
        self.narrator.command(shlex.join(["infra", *arguments]))
        done = self._run(self._on_sandbox(arguments), shown=True)
        if done.returncode != expect:
            raise SandboxError(
                f"`{shlex.join(['infra', *arguments])}` ended with {done.returncode} and not {expect}.",
                advice="Its output above says why.",
            )

    def killed(self, *arguments: str, when: Callable[[], bool]) -> None:
        """Run `infra ARGUMENTS` in view; kill it and its Terraforms as soon as `when` holds."""
        self.narrator.command(shlex.join(["infra", *arguments]))
        pid_file = self.info.folder / "victim.json"
        pid_file.unlink(missing_ok=True)
        command = self._command(self._on_sandbox(arguments), pid_file)
        ended = threading.Event()
        killer = threading.Thread(target=self._kill, args=(pid_file, when, ended), daemon=True)
        killer.start()
        try:
            done = self.supervisor.run(command, self._show)
        finally:
            ended.set()
            killer.join()
        self._see(done, command)
        self.check(
            done.returncode == -signal.SIGKILL, "infra and its Terraform are dead: killed with SIGKILL"
        )

    def slow(self, scale: float) -> None:
        """Let the cloud take its time: the share of what a real one takes, 0 for none."""
        World(self.info.folder / "world" / WORLD).set_delays(scale)

    def asked(self, *arguments: str) -> dict[str, Any]:
        """What `infra ARGUMENTS --json` says, out of view."""
        done = self._run(self._on_sandbox([*arguments, "--json"]), shown=False)
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise SandboxError(f"`infra {arguments[0]} --json` printed no JSON: {done.error_text}") from error
        return document

    def git(self, *arguments: str) -> None:
        """Run git in view; it must succeed."""
        self.narrator.command(shlex.join(["git", *arguments]))
        done = self._run(["git", *arguments], shown=True)
        if not done.ok:
            raise SandboxError(f"git {arguments[0]} failed.", advice="Its output above says why.")

    def check(self, holds: bool, text: str) -> None:
        """Insist that something is so, and say it."""
        if not holds:
            raise SandboxError(f"The demo did not do what it says. This is not so: {text}")
        self.narrator.checked(text)

    def world(self, kind: str, place: str = "") -> list[str]:
        """The ids of the resources of a type that exist in the world, those with `place` in their id."""
        items = control.call(self.info, "world_list", type=kind)
        return sorted(item["id"] for item in items if place in item["id"])

    def resource(self, kind: str, identity: str) -> dict[str, Any]:
        """The attributes of a resource in the world."""
        attributes: dict[str, Any] = control.call(self.info, "world_show", name=f"{kind}/{identity}")[
            "attributes"
        ]
        return attributes

    def states(self) -> dict[str, int]:
        """How many resources each state in the bucket holds, by the object's name."""
        counts: dict[str, int] = control.call(self.info, "states")
        return counts

    def _on_sandbox(self, arguments: Sequence[str]) -> list[str]:
        infra = [sys.executable, "-P", "-m", "orchestrator"]
        return [*infra, "sandbox", "exec", str(self.info.folder), "--", "infra", *arguments]

    def _command(self, argv: Sequence[str], pid_file: Path | None = None) -> Command:
        return Command(
            argv=tuple(argv),
            cwd=self.repository,
            env=self.environ,
            grace=GRACE,
            deadline=DEADLINE,
            pid_file=pid_file,
        )

    def _run(self, argv: Sequence[str], *, shown: bool) -> Completed:
        command = self._command(argv)
        done = self.supervisor.run(command, self._show if shown else None)
        return self._see(done, command, shown=shown)

    def _see(self, done: Completed, command: Command, *, shown: bool = True) -> Completed:
        """How a command ended; raises when it was not by itself."""
        if done.ended == "interrupted":
            raise InterruptedRunError("Interrupted; the demo's sandbox is gone.")
        if done.ended == "deadline":
            raise SandboxError(f"`{shlex.join(command.argv)}` took more than {DEADLINE:.0f} s.")
        if shown:
            self.narrator.took(done.seconds)
        return done

    def _kill(self, pid_file: Path, when: Callable[[], bool], ended: threading.Event) -> None:
        """Wait until `when` holds, then kill what the pid files name: infra first, it must not see."""
        while not ended.wait(LOOK):
            if not when():
                continue
            runs = self.repository.glob(".infra/runs/*/*/pid.json")
            for recorded in filter(None, map(read_pid_file, [pid_file, *runs])):
                if is_alive(recorded.pid, recorded.started):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(recorded.pid, signal.SIGKILL)
            return

    def _show(self, stream: str, line: bytes) -> None:
        self.narrator.line(line.decode("utf-8", "replace"), aside=stream == "stderr")
