"""Runs the hooks of trunk: before a plan, after an apply, and for a report.

What runs is named in trunk's infra.yaml, and its files are a checkout of that very commit outside of the
working tree: nothing that a branch brings can stand in their place.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import write_private
from orchestrator.config import Config
from orchestrator.config.hooks import Hook, HookEvent, HookOwner, changed_hooks
from orchestrator.errors import ConfigError, GitError, HookError, InfraError, InterruptedRunError
from orchestrator.masking import SecretSet
from orchestrator.process import Command, Supervisor
from orchestrator.report.model import APPLIED_RESULTS, RunFailure, StackReport
from orchestrator.repository.model import Project, Stack
from orchestrator.repository.trunk import config_at, trunk_commit
from orchestrator.terraform.environment import plain_environment

# How much of a program's output is read, in bytes, and shown of an apply's hook, in lines.
MOST_OUTPUT = 1 << 20
SHOWN_LINES = 5
MESSAGE_LENGTH = 300
DOCUMENT_VERSION = 1


@dataclass(frozen=True)
class TrunkHooks:
    """The hooks of trunk's infra.yaml at `commit`; `ignored` are the keys that differ in the checkout."""

    commit: str
    config: Config
    ignored: tuple[str, ...] = ()


def _read_trunk_hooks(project: Project, base: str | None = None) -> TrunkHooks | None:
    """The hooks of `base`, or of the commit at which the work at hand parted from trunk; None without trunk.

    Raises HookError where trunk's hooks cannot be read and the checkout has some.
    """
    try:
        commit = project.repository.resolve(base) if base else trunk_commit(project)
        config = config_at(project, commit) if commit else Config()
    except (GitError, ConfigError) as error:
        if not changed_hooks(project.config, Config()):
            return None
        raise HookError(f"Trunk's hooks cannot be read: {error.message}", advice=error.advice) from error
    return TrunkHooks(commit, config, changed_hooks(project.config, config)) if commit else None


@dataclass(frozen=True)
class HookCode:
    """The files that a program runs with; `outside` is where no program is taken from: the checkout."""

    folder: Path
    outside: Path | None


@dataclass(frozen=True)
class HookRun:
    """What a hook gets: the event, whose hook it is, and facts for `INFRA_HOOK_…`, by their names."""

    event: HookEvent
    owner: HookOwner
    stacks: Sequence[Mapping[str, Any]]
    facts: Mapping[str, str]


@dataclass(frozen=True)
class HookOutcome:
    """How a hook ended, masked: what is wrong, empty where nothing is, and what it printed."""

    problem: str
    output: str


@dataclass(frozen=True)
class HookProcess:
    """Runs one hook. `mask` hides secrets in a text, those given besides."""

    supervisor: Supervisor
    environ: Mapping[str, str] = field(repr=False)
    mask: Callable[[str, SecretSet], str]

    def run(self, hook: Hook, run: HookRun, code: HookCode) -> HookOutcome:
        """Run it to its end; raises InterruptedRunError alone."""
        secrets = SecretSet.of(self.environ[name] for name in hook.env if name in self.environ)
        with tempfile.TemporaryDirectory(prefix="infra-hook-") as folder:
            document = Path(folder, "input.json")
            write_private(document, json.dumps(_document(run), ensure_ascii=False).encode())
            try:
                command = self._command(hook, run, code, document)
                completed = self.supervisor.run(command)
            except InterruptedRunError:
                raise
            except InfraError as error:
                return HookOutcome(self._shortened(error.message, secrets), "")
        if completed.ended == "interrupted":
            raise InterruptedRunError(f"Interrupted during the hook {hook.name}.")
        output = self.mask(completed.text, secrets)
        if completed.ok:
            return HookOutcome("", output)
        late = completed.ended == "deadline"
        problem = f"it did not end in {hook.timeout:g} s" if late else f"exit code {completed.returncode}"
        lines = (completed.error_text.strip() or completed.text.strip()).splitlines()
        last = f": {lines[-1]}" if lines else ""
        return HookOutcome(self._shortened(f"{problem}{last}", secrets), output)

    def _command(self, hook: Hook, run: HookRun, code: HookCode, document: Path) -> Command:
        """The process: no shell, plain variables, the named ones, and what the hook is about."""
        program = Path(hook.command[0])
        outside = code.outside.resolve() if code.outside else None
        if outside and program.is_absolute() and program.resolve().is_relative_to(outside):
            raise HookError(f"{program} is in the checkout, where a branch can change it")
        if len(program.parts) > 1 and not program.is_absolute() and not (code.folder / program).exists():
            raise HookError(f"{program} does not exist in the files that it runs with")
        extra = {f"INFRA_HOOK_{name}": value for name, value in run.facts.items()} | {
            "INFRA_HOOK": run.event,
            "INFRA_HOOK_NAME": hook.name,
            "INFRA_HOOK_ENVIRONMENT": run.owner.environment,
            "INFRA_HOOK_STACK": run.owner.stack,
            "INFRA_HOOK_INPUT": str(document),
        }
        env = plain_environment(self.environ, passed=(*hook.env, "TRACEPARENT"), extra=extra, outside=outside)
        if len(program.parts) == 1 and shutil.which(program.name, path=env.get("PATH", os.defpath)) is None:
            raise HookError(f"there is no program {program} on PATH outside of the checkout")
        return Command(
            hook.command,
            code.folder,
            env,
            deadline=hook.timeout,
            title=f"hook {hook.name}",
            most_output=MOST_OUTPUT,
        )

    def _shortened(self, text: str, secrets: SecretSet) -> str:
        masked = " ".join(self.mask(text, secrets).split())
        return masked if len(masked) <= MESSAGE_LENGTH else f"{masked[: MESSAGE_LENGTH - 1]}…"


def _document(run: HookRun) -> dict[str, Any]:
    """The JSON that a hook finds at INFRA_HOOK_INPUT; masked, as its stacks are."""
    return {
        "version": DOCUMENT_VERSION,
        "event": run.event,
        "environment": run.owner.environment,
        "stack": run.owner.stack or None,
        "stacks": list(run.stacks),
        **{name.lower(): value or None for name, value in run.facts.items()},
    }


class HookRunner:
    """The hooks before plans and after applies of one run; safe to share between its threads."""

    def __init__(
        self, project: Project, process: HookProcess, facts: Mapping[str, str], base: str | None = None
    ) -> None:
        self._project = project
        self._process = process
        self._facts = facts
        self._base = base
        self._lock = threading.RLock()
        self._trunk: TrunkHooks | None = None
        self._is_read = False
        self._owner_locks: dict[HookOwner, threading.Lock] = {}
        self._problems: dict[HookOwner, str] = {}
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._failures: list[RunFailure] = []
        self._lines: list[str] = []

    def trunk(self) -> TrunkHooks | None:
        """The hooks of trunk; read when they are first requested."""
        with self._lock:
            if not self._is_read:
                self._trunk, self._is_read = _read_trunk_hooks(self._project, self._base), True
            return self._trunk

    def notes(self) -> tuple[str, ...]:
        """A sentence about hooks that only the checkout has."""
        trunk = self.trunk()
        keys = changed_hooks(self._project.config, Config()) if trunk is None else trunk.ignored
        if not keys:
            return ()
        where = f"trunk has at {trunk.commit[:10]}" if trunk else "trunk has, which is not known here"
        return (f"{', '.join(keys)} of infra.yaml: not run, since only hooks count that {where}.",)

    def before_plan(self, stack: Stack) -> None:
        """Run the environment's hooks, once a run, and the stack's own; HookError where one fails."""
        for owner in self._owners(stack):
            with self._lock:
                lock = self._owner_locks.setdefault(owner, threading.Lock())
            with lock:
                if owner not in self._problems:
                    self._problems[owner] = self._run_before(owner)
            if self._problems[owner]:
                raise HookError(
                    f"The hook {self._problems[owner]}",
                    advice=f"trunk's infra.yaml has it under `hooks.before_plan` of {owner.label}.",
                )

    def after_stack(self, stack: Stack, report: StackReport) -> None:
        """Run the stack's hooks if it was applied; one that fails is among the failures."""
        trunk = self.trunk()
        if report.result in APPLIED_RESULTS and trunk:
            self._run_after(trunk.config.stack_hooks(stack.environment, stack.id), [report])

    def after_environment(self, reports: Iterable[StackReport]) -> None:
        """Run the hooks of an environment some of whose stacks were applied."""
        applied = [report for report in reports if report.result in APPLIED_RESULTS]
        trunk = self.trunk()
        if applied and trunk:
            self._run_after(trunk.config.environment_hooks(applied[0].environment), applied)

    def take_failures(self) -> tuple[RunFailure, ...]:
        """The failures since the last call."""
        with self._lock:
            failures, self._failures = tuple(self._failures), []
            return failures

    def take_lines(self) -> tuple[str, ...]:
        """What hooks after applies printed since the last call."""
        with self._lock:
            lines, self._lines = tuple(self._lines), []
            return lines

    def close(self) -> None:
        """Remove the checkout of trunk's files."""
        with self._lock:
            if self._temporary is not None and self._trunk is not None:
                folder = Path(self._temporary.name, "code")
                with suppress(InfraError, OSError):  # what is in the way of it is the system's to tidy up
                    self._project.repository.remove_worktree(self._trunk.commit, folder)
                    self._temporary.cleanup()
                self._temporary = None

    def _owners(self, stack: Stack) -> tuple[HookOwner, ...]:
        """What has hooks before a plan of a stack: its environment, and itself."""
        trunk = self.trunk()
        if trunk is None:
            return ()
        config = trunk.config
        owners = config.environment_hooks(stack.environment), config.stack_hooks(stack.environment, stack.id)
        return tuple(owner for owner in owners if owner.hooks.before_plan)

    def _run_before(self, owner: HookOwner) -> str:
        """The first problem of the hooks before a plan; empty where all succeed."""
        for hook in owner.hooks.before_plan:
            outcome = self._run(hook, "before_plan", owner, ())
            if outcome.problem:
                return f"{hook.name} of {owner.label} failed: {outcome.problem}"
        return ""

    def _run_after(self, owner: HookOwner, reports: Sequence[StackReport]) -> None:
        for hook in owner.hooks.after_apply:
            outcome = self._run_to_end(hook, owner, reports)
            with self._lock:
                lines = [line for line in outcome.output.splitlines() if line.strip()]
                self._lines += [f"{hook.name} of {owner.label}: {line}" for line in lines[-SHOWN_LINES:]]
                if outcome.problem:
                    message = f"The hook {hook.name} of {owner.label} failed: {outcome.problem}"
                    advice = "What was applied stays applied and is recorded; the hook is not run again."
                    self._failures.append(RunFailure("HookError", message, advice, owner.stack))

    def _run_to_end(self, hook: Hook, owner: HookOwner, reports: Sequence[StackReport]) -> HookOutcome:
        """Run a hook after an apply, whose result an interrupt must not change."""
        try:
            return self._run(hook, "after_apply", owner, reports)
        except InterruptedRunError as error:
            return HookOutcome(error.message, "")

    def _run(
        self, hook: Hook, event: HookEvent, owner: HookOwner, stacks: Sequence[StackReport]
    ) -> HookOutcome:
        trunk = self.trunk()
        if trunk is None:
            raise ValueError("hooks of an unknown trunk")
        try:
            code = HookCode(self._folder(trunk.commit), self._project.repository.top)
        except (GitError, OSError) as error:
            return HookOutcome(f"trunk's files cannot be checked out: {error}", "")
        facts = {**self._facts, "BASE": trunk.commit}
        run = HookRun(event, owner, [report.document() for report in stacks], facts)
        return self._process.run(hook, run, code)

    def _folder(self, commit: str) -> Path:
        """The project's root in the checkout of trunk's files, made when it is first needed."""
        with self._lock:
            repository = self._project.repository
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="infra-hooks-")
            folder = Path(self._temporary.name, "code")
            return repository.add_worktree(commit, folder) / repository.prefix
