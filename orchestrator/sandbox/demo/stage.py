"""What a step of the demo can do: run a command in view, look at what it did, and insist."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import InterruptedRunError, SandboxError
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.sandbox import attach, control

# An apply that is interrupted saves its state and gives its lock back in this time.
GRACE = 60.0
DEADLINE = 300.0


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

    def _run(self, argv: Sequence[str], *, shown: bool) -> Completed:
        command = Command(
            argv=tuple(argv), cwd=self.repository, env=self.environ, grace=GRACE, deadline=DEADLINE
        )
        done = self.supervisor.run(command, self._show if shown else None)
        if done.ended == "interrupted":
            raise InterruptedRunError("Interrupted; the demo's sandbox is gone.")
        if done.ended == "deadline":
            raise SandboxError(f"`{shlex.join(argv)}` took more than {DEADLINE:.0f} s.")
        if shown:
            self.narrator.took(done.seconds)
        return done

    def _show(self, stream: str, line: bytes) -> None:
        self.narrator.line(line.decode("utf-8", "replace"), aside=stream == "stderr")
