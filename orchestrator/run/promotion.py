"""Between two environments: what was applied must pass its checks, and keep passing them for a while."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.config.checks import Check, CommandCheck, HttpCheck
from orchestrator.errors import InfraError, InterruptedRunError
from orchestrator.process import Command
from orchestrator.run.pending import entries_of
from orchestrator.run.session import Session
from orchestrator.terraform.environment import child_environment

# Of an answer's body; what stands further down is not looked for.
BODY = 1 << 20
# While an environment soaks, its checks are made again so often, in seconds.
SOAK_ROUND = 60.0
# The longest sleep before a look whether the run was interrupted.
NAP = 0.5
# Results of Terraform's check blocks that do not stand in the way.
PASSING = ("pass", "unknown")
WORDS_LENGTH = 300


@dataclass(frozen=True)
class Checked:
    """One check and how it went; `words` are masked and say what was wrong."""

    name: str
    ok: bool
    words: str = ""


@dataclass(frozen=True)
class Promotion:
    """Looks whether an environment may be followed by the next one.

    `clock` gives seconds that only grow, `sleep` waits so many.
    """

    session: Session
    environment: str
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def check(self, applied: Sequence[str]) -> tuple[Checked, ...]:
        """Make every check once, with its own retries; `applied` are the stacks that this run changed."""
        checks = self.session.project.config.environment(self.environment).checks
        return tuple(self._one(check, applied) for check in checks)

    def soak(self) -> tuple[Checked, ...]:
        """Wait until the environment has been up as long as infra.yaml wants, checking all the time.

        Gives the checks that failed on the way; the first round with one ends the wait. The time counts from
        the newest apply in the ledger, so that a run which comes later waits for what is left of it.
        """
        until = self.clock() + self.soak_left()
        while (left := until - self.clock()) > 0:
            self._wait(min(left, SOAK_ROUND))
            failed = tuple(one for one in self.check(()) if not one.ok)
            if failed:
                return failed
        return ()

    def soak_left(self) -> float:
        """Seconds that the environment still has to soak."""
        wanted = self.session.project.config.environment(self.environment).soak
        if not wanted:
            return 0.0
        stacks = [stack.id for stack in self.session.project.of(self.environment)]
        times = [one.applied_at for one in entries_of(self.session, stacks).values() if one.applied_at]
        if not times:
            return 0.0
        now = self.session.ledgers.of(self.session.project.stacks[stacks[0]]).storage.now()
        return max(0.0, wanted - (now - datetime.fromisoformat(max(times))).total_seconds())

    def _one(self, check: Check, applied: Sequence[str]) -> Checked:
        if isinstance(check, HttpCheck):
            return self._http(check)
        if isinstance(check, CommandCheck):
            return self._command(check)
        return self._blocks(check.name, applied)

    def _http(self, check: HttpCheck) -> Checked:
        """Ask until the answer is right, or has been wrong often enough."""
        wrong = probe(check)
        for _ in range(check.retries):
            if not wrong:
                break
            self._wait(check.every)
            wrong = probe(check)
        return Checked(check.name, not wrong, self._short(wrong))

    def _command(self, check: CommandCheck) -> Checked:
        session = self.session
        settings = session.project.config.environment(self.environment)
        env = child_environment(
            session.environ,
            passed=settings.env,
            extra={"INFRA_ENVIRONMENT": self.environment},
            sandbox=bool(session.environ.get("INFRA_SANDBOX")),
        )
        title = f"check {check.name}"
        command = Command(check.command, session.project.root, env, deadline=check.timeout, title=title)
        try:
            done = session.supervisor.run(command)
        except InterruptedRunError:
            raise
        except InfraError as error:
            return Checked(check.name, ok=False, words=self._short(error.message))
        if done.ended == "interrupted":
            raise InterruptedRunError(f"Interrupted during the check {check.name}.")
        if done.ok:
            return Checked(check.name, ok=True)
        how = f"it did not end in {check.timeout:g} s" if done.ended == "deadline" else ""
        said = (done.error_text.strip() or done.text.strip()).splitlines()
        last = f": {said[-1]}" if said else ""
        return Checked(check.name, False, self._short(f"{how or f'exit code {done.returncode}'}{last}"))

    def _blocks(self, name: str, applied: Iterable[str]) -> Checked:
        """Terraform's own checks, as the states have them after the apply."""
        failed = []
        for id_ in applied:
            raw = self.session.states.raw(self.session.project.stacks[id_])
            failed += [f"{id_}: {one}" for one in failed_blocks(json.loads(raw) if raw else {})]
        return Checked(name, not failed, self._short("; ".join(failed)))

    def _short(self, text: str) -> str:
        masked = " ".join(self.session.mask(text).split())
        return masked if len(masked) <= WORDS_LENGTH else masked[: WORDS_LENGTH - 1] + "…"

    def _wait(self, seconds: float) -> None:
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0:
            if self.session.supervisor.interrupted:
                raise InterruptedRunError(f"Interrupted while {self.environment} was being checked.")
            self.sleep(min(left, NAP))


def probe(check: HttpCheck) -> str:
    """Ask once: what is wrong with the answer; empty when it is right."""
    request = urllib.request.Request(check.url, headers={"User-Agent": "infra"})  # noqa: S310 - http(s) only
    try:
        with _opener().open(request, timeout=check.timeout) as answer:
            return _judged(check, answer.status, answer.read(BODY))
    except urllib.error.HTTPError as error:
        with error:
            return _judged(check, error.code, error.read(BODY))
    except urllib.error.URLError as error:
        return f"no answer: {error.reason}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer: {error or type(error).__name__}"


def failed_blocks(state: dict[str, Any]) -> list[str]:
    """The `check` blocks of a state (Terraform's own JSON) that do not pass, each with what it says."""
    found = []
    for block in state.get("check_results") or ():
        if block.get("object_kind") != "check" or block.get("status") in PASSING:
            continue
        said = [text for one in block.get("objects") or () for text in one.get("failure_messages") or ()]
        found.append(" ".join([f"{block.get('config_addr')}:", *(said or ["it could not be evaluated"])]))
    return found


def _judged(check: HttpCheck, status: int, body: bytes) -> str:
    if status != check.status:
        return f"answered {status}, not {check.status}"
    if check.contains and check.contains.encode() not in body:
        return f"its answer does not hold {check.contains!r}"
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A check says which status is right; one that moved elsewhere is told, not followed."""

    def redirect_request(self, *_: object) -> None:
        """Nothing: the answer itself is the result."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect())
