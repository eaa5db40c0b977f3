"""Runs the checks of an environment, and repeats them while it soaks."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.config.checks import Check, CommandCheck, HttpCheck
from orchestrator.errors import InfraError, InterruptedRunError
from orchestrator.process import Command, Supervisor

# How much of an answer's body is read, in bytes.
BODY_LIMIT = 1 << 20
# Seconds between two rounds of checks while an environment soaks.
SOAK_ROUND = 60.0
# The longest sleep before a look whether the run was interrupted, in seconds.
NAP = 0.5
# Results of Terraform's check blocks that are no failure.
PASSING = ("pass", "unknown")
MESSAGE_LENGTH = 300


@dataclass(frozen=True)
class CheckOutcome:
    """How one check ended; `message` is masked and says what is wrong."""

    name: str
    ok: bool
    message: str = ""


@dataclass(frozen=True)
class CheckRunner:
    """Runs an environment's checks.

    `root` is where programs run, with `env` as their whole environment. `state` gives a stack's state as
    Terraform wrote it, None where there is none. `clock` gives seconds that only grow, `sleep` waits.
    """

    environment: str
    checks: Sequence[Check]
    root: Path
    env: Mapping[str, str] = field(repr=False)
    supervisor: Supervisor
    mask: Callable[[str], str]
    state: Callable[[str], bytes | None]
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def run(self, stacks: Sequence[str]) -> tuple[CheckOutcome, ...]:
        """Run every check once, with its own retries; Terraform's check blocks are those of `stacks`.

        Raises InterruptedRunError.
        """
        return tuple(self._run(check, stacks) for check in self.checks)

    def soak(self, seconds: float) -> tuple[CheckOutcome, ...]:
        """Wait, repeating the checks; returns those that failed. The first failure ends the wait.

        Terraform's check blocks are not repeated: only an apply changes them. Raises InterruptedRunError.
        """
        until = self.clock() + seconds
        while (remaining := until - self.clock()) > 0:
            self._wait(min(remaining, SOAK_ROUND))
            failed = tuple(outcome for outcome in self.run(()) if not outcome.ok)
            if failed:
                return failed
        return ()

    def _run(self, check: Check, stacks: Sequence[str]) -> CheckOutcome:
        if isinstance(check, HttpCheck):
            return self._http(check)
        if isinstance(check, CommandCheck):
            return self._command(check)
        return self._blocks(check.name, stacks)

    def _http(self, check: HttpCheck) -> CheckOutcome:
        """Ask until the answer is right, at most as often as configured."""
        problem = probe(check)
        for _ in range(check.retries):
            if not problem:
                break
            self._wait(check.every)
            problem = probe(check)
        return CheckOutcome(check.name, not problem, self._shortened(problem))

    def _command(self, check: CommandCheck) -> CheckOutcome:
        title = f"check {check.name}"
        command = Command(check.command, self.root, self.env, deadline=check.timeout, title=title)
        try:
            completed = self.supervisor.run(command)
        except InterruptedRunError:
            raise
        except InfraError as error:
            return CheckOutcome(check.name, ok=False, message=self._shortened(error.message))
        if completed.ended == "interrupted":
            raise InterruptedRunError(f"Interrupted during the check {check.name}.")
        if completed.ok:
            return CheckOutcome(check.name, ok=True)
        timed_out = completed.ended == "deadline"
        problem = (
            f"it did not end in {check.timeout:g} s" if timed_out else f"exit code {completed.returncode}"
        )
        lines = (completed.error_text.strip() or completed.text.strip()).splitlines()
        last = f": {lines[-1]}" if lines else ""
        return CheckOutcome(check.name, False, self._shortened(f"{problem}{last}"))

    def _blocks(self, name: str, stacks: Sequence[str]) -> CheckOutcome:
        """Terraform's own checks, as the states have them after the apply."""
        failed = []
        for stack in stacks:
            raw = self.state(stack)
            failed += [f"{stack}: {block}" for block in failed_blocks(json.loads(raw) if raw else {})]
        return CheckOutcome(name, not failed, self._shortened("; ".join(failed)))

    def _shortened(self, text: str) -> str:
        masked = " ".join(self.mask(text).split())
        return masked if len(masked) <= MESSAGE_LENGTH else masked[: MESSAGE_LENGTH - 1] + "…"

    def _wait(self, seconds: float) -> None:
        until = self.clock() + seconds
        while (remaining := until - self.clock()) > 0:
            if self.supervisor.interrupted:
                raise InterruptedRunError(f"Interrupted while {self.environment} was being checked.")
            self.sleep(min(remaining, NAP))


def probe(check: HttpCheck) -> str:
    """Ask once: what is wrong with the answer; empty when it is right."""
    request = urllib.request.Request(check.url, headers={"User-Agent": "infra"})  # noqa: S310 - http(s) only
    try:
        with _opener().open(request, timeout=check.timeout) as answer:
            return _problem(check, answer.status, answer.read(BODY_LIMIT))
    except urllib.error.HTTPError as error:
        with error:
            return _problem(check, error.code, error.read(BODY_LIMIT))
    except urllib.error.URLError as error:
        return f"no answer: {error.reason}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer: {error or type(error).__name__}"


def failed_blocks(state: dict[str, Any]) -> list[str]:
    """The `check` blocks of a state (Terraform's own JSON) that do not pass, each with its messages."""
    failed = []
    for block in state.get("check_results") or ():
        if block.get("object_kind") != "check" or block.get("status") in PASSING:
            continue
        messages = [
            text for result in block.get("objects") or () for text in result.get("failure_messages") or ()
        ]
        failed.append(
            " ".join([f"{block.get('config_addr')}:", *(messages or ["it could not be evaluated"])])
        )
    return failed


def _problem(check: HttpCheck, status: int, body: bytes) -> str:
    if status != check.status:
        return f"answered {status}, not {check.status}"
    if check.contains and check.contains.encode() not in body:
        return f"its answer does not hold {check.contains!r}"
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A check says which status is right; a redirect is an answer like any other and is not followed."""

    def redirect_request(self, *_: object) -> None:
        """Nothing: the answer itself is the result."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect())
