"""The operations of a scene: run a command in view, read its results, and check them."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import InterruptedRunError, SandboxError
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.sandbox import attach, control, jobs
from orchestrator.sandbox.cloud import WORLD
from orchestrator.sandbox.demo.interruption import Interruption, interrupt, interrupt_when, kill_all
from orchestrator.sandbox.demo.narrator import Narrator
from orchestrator.sandbox.world import World

# An apply that is interrupted saves its state and gives its lock back in this time.
GRACE = 60.0
DEADLINE = 300.0
INFRA = (sys.executable, "-P", "-m", "orchestrator")
# Shown once: every command on a sandbox prints it first.
GREETING = b"On the sandbox in "


@dataclass(frozen=True)
class DemoJob:
    """Where a command runs when that is not at somebody's keyboard: a job's variables, and its rights.

    `account` is `ENV:plan` and the like. Without `reports` it has no token for GitHub, as a job that runs
    Terraform has none that may write there. `who` is somebody who runs it and is no job.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    account: str = attach.OWNER
    reports: bool = True
    who: str = ""

    @property
    def words(self) -> str:
        """Who runs it, for people."""
        if self.who:
            return self.who
        return "a job" if self.account == attach.OWNER else f"a job as {self.account}"


@dataclass
class Stage:
    """One performance: its repository, its sandbox and its audience. Every method raises when it must.

    `prepare` tells the sandbox what the repository needs, and gives what the sandbox says of itself then.
    `command` is how `infra` is started where nobody kills it: by its argv without arguments.
    """

    repository: Path
    environ: Mapping[str, str]
    supervisor: Supervisor
    narrator: Narrator
    info: attach.Info
    prepare: Callable[[], attach.Info]
    command: tuple[str, ...] = INFRA
    _greeted: bool = False

    def make_ready(self) -> None:
        """Let the sandbox have what the repository, which is committed now, needs; it is at origin too."""
        self.info = self.prepare()
        folder = control.call_github(self.info, "repository", name=self.info.repository)
        self.git("remote", "add", "origin", folder, visible=False)

    # Commands

    def infra(
        self, *arguments: str, expect: int = 0, instead: int | None = None, job: DemoJob | None = None
    ) -> None:
        """Run `infra ARGUMENTS` on the sandbox, in view; it must exit with `expect`, or else `instead`."""
        self.narrator.command(shlex.join(["infra", *arguments]), job.words if job else "")
        done = self._run([*self.command, *arguments], self.environment_of(job), visible=True)
        if job and (run := job.variables.get("GITHUB_RUN_ID")):
            jobs.append_log(self.info, run, shlex.join(["infra", *arguments]), done.stdout + done.stderr)
        will_do = done.returncode in (expect, instead)
        self._require(will_do, arguments, f"ended with {done.returncode} and not {expect}")

    def run_and_kill(self, *arguments: str, when: Callable[[], bool]) -> None:
        """Run `infra ARGUMENTS` in view; kill it and its Terraforms as soon as `when` holds."""
        done = self._run_interrupted(arguments, when, kill_all, None)
        self.check(
            done.returncode == -signal.SIGKILL, "infra and its Terraform are dead: killed with SIGKILL"
        )

    def run_and_cancel(self, *arguments: str, when: Callable[[], bool], expect: int, job: DemoJob) -> None:
        """Run `infra ARGUMENTS` in view; interrupt it, and it alone, as soon as `when` holds."""
        done = self._run_interrupted(arguments, when, interrupt, job)
        self._require(done.returncode == expect, arguments, f"ended with {done.returncode} and not {expect}")

    def query_json(self, *arguments: str) -> dict[str, Any]:
        """Run `infra ARGUMENTS --json` out of view; its document."""
        done = self._run([*self.command, *arguments, "--json"], self.environment_of(), visible=False)
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise SandboxError(f"`infra {arguments[0]} --json` printed no JSON: {done.error_text}") from error
        return document

    def git(self, *arguments: str, visible: bool = True) -> None:
        """Run git, in view by default; it must succeed."""
        if visible:
            self.narrator.command(shlex.join(["git", *arguments]))
        done = self._run(["git", *arguments], self.environ, visible=visible)
        if not done.ok:
            raise SandboxError(f"git {arguments[0]} failed: {done.error_text}")

    def check(self, holds: bool, text: str) -> None:
        """Raise unless something holds, and show it."""
        if not holds:
            raise SandboxError(f"A check of the demo failed: {text}")
        self.narrator.checked(text)

    # The world and the bucket

    def set_delays(self, scale: float) -> None:
        """Set the share of a real cloud's delays that is simulated, 0 for none."""
        World(self.info.folder / "world" / WORLD).set_delays(scale)

    def world(self, kind: str, part: str = "") -> list[str]:
        """The ids of the resources of a type that exist in the world, those with `part` in their id."""
        items = control.call(self.info, "world_list", type=kind)
        return sorted(item["id"] for item in items if part in item["id"])

    def resource(self, kind: str, identity: str) -> dict[str, Any]:
        """The attributes of a resource in the world."""
        item = control.call(self.info, "world_show", name=f"{kind}/{identity}")
        attributes: dict[str, Any] = item["attributes"]
        return attributes

    def states(self) -> dict[str, int]:
        """How many resources each state in the bucket holds, by the object's name."""
        counts: dict[str, int] = control.call(self.info, "states")
        return counts

    def journals(self, stack: str) -> list[dict[str, Any]]:
        """The lines of the apply journals of a stack in this folder's runs."""
        paths = self.repository.glob(f".infra/runs/*/{stack.replace('/', '%2F')}/journal.jsonl")
        lines = [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]
        # The last one may be half written.
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    # GitHub

    def start_jobs(self, event: str) -> Mapping[str, str]:
        """The variables of the jobs that an event starts: `pull_request:1`, `push`."""
        return {**jobs.job_variables(self.info, event), "CI": "true"}

    def github(self, path: str) -> Any:
        """What GitHub answers about the repository: `issues/1/comments`."""
        return control.read_github(self.info, path)

    def token(self, login: str) -> str:
        """A token of somebody's own."""
        control.call_github(self.info, "introduce", repository=self.info.repository, login=login)
        token: str = control.call_github(self.info, "token", login=login)
        return token

    def next_second(self) -> None:
        """Wait until GitHub's clock, which has no parts of seconds, has moved on."""
        time.sleep(1.05 - time.time() % 1)

    # How a command is run

    def environment_of(self, job: DemoJob | None = None) -> dict[str, str]:
        """The environment of a command on the sandbox; of somebody who may do everything, without a job."""
        environment = attach.environment(self.info, self.environ, job.account if job else attach.OWNER)
        if job and not job.reports:
            del environment["GITHUB_TOKEN"]
        return {**environment, **(job.variables if job else {})}

    def _run_interrupted(
        self,
        arguments: Sequence[str],
        when: Callable[[], bool],
        interruption: Interruption,
        job: DemoJob | None,
    ) -> Completed:
        self.narrator.command(shlex.join(["infra", *arguments]), job.words if job else "")
        pid_file = self.info.folder / "victim.json"
        pid_file.unlink(missing_ok=True)
        with interrupt_when(pid_file, self.repository, when, interruption):
            return self._run([*INFRA, *arguments], self.environment_of(job), visible=True, pid_file=pid_file)

    def _run(
        self, argv: Sequence[str], env: Mapping[str, str], *, visible: bool, pid_file: Path | None = None
    ) -> Completed:
        """Run a program to its end; raises when it did not end by itself."""
        command = Command(
            tuple(argv), self.repository, env, grace=GRACE, deadline=DEADLINE, pid_file=pid_file
        )
        done = self.supervisor.run(command, self._show if visible else None)
        if done.ended == "interrupted":
            raise InterruptedRunError("Interrupted; the demo's sandbox is gone.")
        if done.ended == "deadline":
            raise SandboxError(f"`{shlex.join(argv)}` took more than {DEADLINE:.0f} s.")
        if visible:
            self.narrator.took(done.seconds)
        return done

    def _require(self, holds: bool, arguments: Sequence[str], what: str) -> None:
        if not holds:
            raise SandboxError(
                f"`{shlex.join(['infra', *arguments])}` {what}.", advice="Its output above says why."
            )

    def _show(self, stream: str, line: bytes) -> None:
        if line.startswith(GREETING):
            if self._greeted:
                return
            self._greeted = True
        text = line.decode("utf-8", "replace").replace(f"{self.repository}/", "")
        self.narrator.line(text, aside=stream == "stderr")
