"""Terraform's commands as methods: each runs one supervised process and returns its outcome."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.atomic_files import path_below
from orchestrator.process import Command, Completed, OnLine, OnStart, Supervisor
from orchestrator.terraform import command
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.diagnostics import diagnostic_from_json, init_required, lock_holder
from orchestrator.terraform.failures import command_error, end_diagnostics, locked_error
from orchestrator.terraform.init import Initializer, OnProgress, discard_init, effective_root
from orchestrator.terraform.journal import JOURNAL, event_text, read_journal, read_orphaned_apply
from orchestrator.terraform.model import (
    ApplyOutcome,
    CommandTimeouts,
    Diagnostic,
    LockHolder,
    PlanOptions,
    PlanOutcome,
    Workdir,
)
from orchestrator.terraform.plan_text import progress_text, without_progress
from orchestrator.terraform.rescue import require_no_errored_state, rescue_errored_state
from orchestrator.terraform.shadow import real_root
from orchestrator.terraform.warm.providers import WarmProviders

PLAN_FILE = "plan.tfplan"
PID_FILE = "pid.json"
# The commands that may use providers that stay running: those that neither apply nor install anything.
SCHEMA = "providers schema"
WARM_COMMANDS = frozenset({"plan", "show", "validate", SCHEMA})
# The line after which nothing but the lock's release is left to do; in text and in JSON.
RELEASING = b"Releasing state lock"
# What `terraform fmt` formats.
_FORMATTED = (".tf", ".tfvars", ".tftest.hcl", ".tfmock.hcl")


@dataclass(frozen=True)
class _Init:
    """How a stack was last initialised, so that it can be done again when Terraform asks for it."""

    key: str
    backend_config: Mapping[str, str]


def _nothing(text: str) -> None:
    """Ignores progress."""


class Client:
    """Runs Terraform for stacks, from many threads.

    Every method raises InterruptedRunError when the run was interrupted, ProcessError when a deadline passed,
    LockedError when the state is locked, and TerraformError when Terraform failed; only `apply` does not.
    """

    def __init__(
        self,
        binary: Binary,
        supervisor: Supervisor,
        cache_dir: Path,
        warm_providers: WarmProviders | None = None,
    ) -> None:
        self.binary = binary
        self._supervisor = supervisor
        self._warm_providers = warm_providers
        self._initializer = Initializer(binary, supervisor, cache_dir)
        self._inits: dict[Path, _Init] = {}
        self._roots: dict[tuple[Path, Path], Path] = {}

    def init(
        self,
        work: Workdir,
        key: str,
        backend_config: Mapping[str, str],
        *,
        on_progress: OnProgress = _nothing,
        force: bool = False,
    ) -> None:
        """Initialise, unless an earlier `init` holds. `key` hashes the root's and its modules' files."""
        self._inits[work.data_dir] = _Init(key, backend_config)
        root = self._initializer.run(work, key, backend_config, on_progress, force=force)
        self._roots[work.data_dir, work.root] = root

    def root(self, work: Workdir) -> Path:
        """Where Terraform runs: in the root, or in its shadow where the root has no whole lock file."""
        where = (work.data_dir, work.root)
        if where not in self._roots:
            self._roots[where] = effective_root(work)
        return self._roots[where]

    def plan(self, work: Workdir, options: PlanOptions, on_progress: OnProgress = _nothing) -> PlanOutcome:
        """Plan into `plan.tfplan` in the run's folder (0600). Neither locks nor writes a state by default."""
        plan_file = work.run_dir / PLAN_FILE
        plan_file.unlink(missing_ok=True)

        def report(stream: str, line: bytes) -> None:
            text = progress_text(line)
            if text:
                on_progress(text)

        argv = command.plan(options, plan_file)
        done = self._read(work, "plan", argv, deadline=work.timeouts.plan, ok=(0, 2), on_line=report)
        plan_file.chmod(0o600)
        return PlanOutcome(
            done.returncode == 2,
            plan_file,
            without_progress(done.stdout),
            done.seconds,
            peak_memory=done.peak_memory,
        )

    def show_json(self, work: Workdir, plan_file: Path | None = None) -> bytes:
        """A plan file, or the state, as JSON: sensitive values are in clear."""
        return self._read(work, "show", command.show_json(plan_file)).stdout

    def apply(
        self,
        work: Workdir,
        plan_file: Path,
        on_event: Callable[[str], None] = _nothing,
        *,
        parallelism: int | None = None,
        lock_timeout: str | None = None,
        on_line: Callable[[bytes], None] | None = None,
        on_start: OnStart | None = None,
        inputs: PlanOptions | None = None,
    ) -> ApplyOutcome:
        """Apply a saved plan, its events into `journal.jsonl`. It outlives us.

        `on_line` gets the journal's lines, raw, as they come; `on_start` is called once the process exists.
        `inputs` has the variables to give again, see `command.apply`.

        A failed apply is an outcome, not an exception. Raises StateError when the unsaved state of an earlier
        one lies in the root.
        """
        root = self.root(work)
        require_no_errored_state(root)

        def report(stream: str, line: bytes) -> None:
            text = event_text(line)
            if text:
                on_event(text)
            if on_line and stream == "stdout":
                on_line(line)

        argv = command.apply(plan_file, parallelism=parallelism, lock_timeout=lock_timeout, inputs=inputs)
        done = self._supervisor.run(
            Command(
                (*self.binary_of(work).argv, *argv),
                root,
                self._env(work),
                deadline=work.timeouts.apply,
                grace=work.timeouts.finish,
                phase_deadlines=((RELEASING, work.timeouts.unlock),),
                files=work.run_dir,
                stdout_name=JOURNAL,
                pid_file=work.run_dir / PID_FILE,
                title=f"apply of {work.title}",
            ),
            report,
            on_start,
        )
        return self._applied(work, root, done)

    def outcome_left(self, work: Workdir) -> ApplyOutcome:
        """The outcome of an apply whose parent did not see it end, from the files that it wrote."""
        return self._applied(work, self.root(work), read_orphaned_apply(work))

    def _applied(self, work: Workdir, root: Path, done: Completed) -> ApplyOutcome:
        journal = read_journal(done.stdout.splitlines())
        diagnostics = list(journal.diagnostics)
        if not done.ok and not any(diagnostic.severity == "error" for diagnostic in diagnostics):
            diagnostics.extend(end_diagnostics(done))
        return ApplyOutcome(
            ok=done.ok,
            returncode=done.returncode,
            ended=done.ended,
            journal=work.run_dir / JOURNAL,
            seconds=done.seconds,
            peak_memory=done.peak_memory,
            diagnostics=tuple(
                replace(diagnostic, root=str(real_root(work.root))) for diagnostic in diagnostics
            ),
            created=journal.count("add", "create"),
            updated=journal.count("change", "update"),
            deleted=journal.count("remove", "delete"),
            imported=journal.count("import", "import"),
            finished=tuple(journal.finished),
            failed=tuple(journal.failed),
            unfinished=journal.unfinished,
            outputs=journal.outputs,
            locked=next(filter(None, (lock_holder(f"{d.summary}\n{d.detail}") for d in diagnostics)), None),
            rescued=rescue_errored_state(work, root),
        )

    def output(self, work: Workdir) -> dict[str, dict[str, Any]]:
        """Outputs of the state: name → {value, type, sensitive}; sensitive values are in clear."""
        outputs: dict[str, dict[str, Any]] = json.loads(self._read(work, "output", command.output()).stdout)
        return outputs

    def state_list(self, work: Workdir, addresses: Sequence[str] = ()) -> list[str]:
        """Addresses in the state."""
        return self._read(work, "state list", command.state_list(addresses)).text.splitlines()

    def state_show(self, work: Workdir, address: str) -> str:
        """One resource of the state as text; what is sensitive by its schema is hidden by Terraform."""
        return self._read(work, "state show", command.state_show(address)).text

    def state_pull(self, work: Workdir) -> bytes:
        """The whole state."""
        return self._read(work, "state pull", command.state_pull()).stdout

    def validate(self, work: Workdir) -> tuple[Diagnostic, ...]:
        """Errors and warnings of the configuration; none means that it is valid."""
        done = self._read(work, "validate", command.validate(), ok=(0, 1))
        diagnostics = json.loads(done.stdout).get("diagnostics") or []
        return tuple(
            replace(diagnostic_from_json(diagnostic), root=str(real_root(work.root)))
            for diagnostic in diagnostics
        )

    def providers_schema(self, work: Workdir) -> bytes:
        """`providers schema -json`."""
        return self._read(work, SCHEMA, command.providers_schema()).stdout

    def graph(self, work: Workdir) -> str:
        """Which resources depend on which, as `terraform graph` prints it."""
        return self._read(work, "graph", command.graph()).text

    def fmt_check(
        self, folder: Path, env: Mapping[str, str], paths: Sequence[Path] = (), *, diff: bool = False
    ) -> tuple[tuple[str, ...], str]:
        """Files below `paths` that are not formatted, or with `diff` how they should be.

        No `init` is needed. Gives (files, text): one of the two is empty.
        """
        done = self._fmt(folder, env, command.fmt_check(expand_dangling_folders(paths), diff=diff), ok=(0, 3))
        return ((), done.text) if diff else (tuple(done.text.splitlines()), "")

    def fmt(self, folder: Path, env: Mapping[str, str], paths: Sequence[Path] = ()) -> tuple[str, ...]:
        """Format the files below `paths`; gives those that were changed, relative to `folder`.

        Raises ProjectError, before anything is written, where a link leads out of `folder`.
        """
        for path in paths:
            for file in (
                path,
                *(file for file in _formatted_files(path) if file.is_symlink() and file.exists()),
            ):
                path_below(folder, os.path.relpath(file, folder))
        return tuple(
            self._fmt(folder, env, command.fmt(expand_dangling_folders(paths)), ok=(0,)).text.splitlines()
        )

    def _fmt(
        self, folder: Path, env: Mapping[str, str], argv: Sequence[str], *, ok: Sequence[int]
    ) -> Completed:
        limit = CommandTimeouts().quick
        done = self._supervisor.run(
            Command((*self.binary.argv, *argv), folder, env, deadline=limit, title="fmt")
        )
        if done.returncode not in ok:
            raise command_error("fmt", folder, limit, done)
        return done

    def run_raw(
        self,
        work: Workdir,
        arguments: Sequence[str],
        *,
        on_line: OnLine | None = None,
        on_start: OnStart | None = None,
        terminal: bool = False,
        color: bool = True,
        deadline: float | None = None,
    ) -> Completed:
        """Any Terraform command in a stack's root. Its exit code is the caller's concern.

        One that writes the lock file runs in the checkout, since that is what it is requested. One that
        changes state never asks and has no input, writes to files and outlives us. With `terminal`
        one that only reads, or is interactive, gets our terminal and nothing is captured. Without `color` it
        prints no colours. `deadline` is in seconds.
        """
        root = self.root(work)
        if command.writes_lock_file(arguments):
            root = real_root(work.root)
            discard_init(work)
        # Not in `arguments`: where an option belongs depends on the command.
        env = {**self._env(work), **({} if color else {"TF_CLI_ARGS": "-no-color"})}
        built = _raw_command(self.binary_of(work).argv, arguments, work, root, env, terminal=terminal)
        return self._supervisor.run(replace(built, deadline=deadline), on_line, on_start)

    def _read(
        self,
        work: Workdir,
        name: str,
        argv: Sequence[str],
        *,
        deadline: float | None = None,
        ok: Sequence[int] = (0,),
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run a command that only reads; once more after an `init` when it asks for one."""
        limit = work.timeouts.quick if deadline is None else deadline
        for again in (False, True):
            built = Command(
                (*self.binary_of(work).argv, *argv),
                self.root(work),
                self._env(work),
                deadline=limit,
                phase_deadlines=((RELEASING, work.timeouts.unlock),),
                title=f"{name} of {work.title}",
            )
            done = self._run_attached(built, work, name, ok, on_line)
            if done.returncode in ok:
                return done
            last = self._inits.get(work.data_dir)
            if again or last is None or not init_required(done.error_text):
                break
            self.init(work, last.key, last.backend_config, force=True)
        raise command_error(f"{name} of {work.title}", work.root, limit, done, stack=work.title)

    def _run_attached(
        self, built: Command, work: Workdir, name: str, ok: Sequence[int], on_line: OnLine | None
    ) -> Completed:
        """Run a command with the providers that stay running, and again without them if that went wrong."""
        warm = self._warm_providers
        if warm is None or name not in WARM_COMMANDS:
            return self._supervisor.run(built, on_line)
        with warm.attach(built.cwd, work.data_dir, built.env, whole_schema=name == SCHEMA) as attachment:
            done = self._supervisor.run(replace(built, env={**built.env, **attachment.env}), on_line)
            problem = attachment.problem(done.stdout + done.stderr, ok=done.returncode in ok)
        if not problem or done.ended != "exited":
            return done
        warm.note_problem(built.cwd, problem)
        return self._supervisor.run(built, on_line)

    def close(self) -> None:
        """End the providers that stayed running."""
        if self._warm_providers is not None:
            self._warm_providers.close()

    def binary_of(self, work: Workdir) -> Binary:
        """The Terraform that runs there."""
        return work.binary or self.binary

    def _env(self, work: Workdir) -> dict[str, str]:
        return {**work.env, "TF_DATA_DIR": str(work.data_dir)}


def _raw_command(
    program: Sequence[str],
    arguments: Sequence[str],
    work: Workdir,
    root: Path,
    env: Mapping[str, str],
    *,
    terminal: bool,
) -> Command:
    """One that changes state never asks, has no input, writes to files and outlives us.

    With `terminal` any other gets our terminal.
    """
    title = f"{' '.join(arguments[:2])} of {work.title}"
    if command.changes_state(arguments):
        return Command(
            (*program, *command.without_input(arguments)),
            root,
            env,
            files=work.run_dir,
            pid_file=work.run_dir / PID_FILE,
            phase_deadlines=((RELEASING, work.timeouts.unlock),),
            grace=work.timeouts.finish,
            title=title,
        )
    return Command((*program, *arguments), root, env, stdin="inherit" if terminal else "none", title=title)


def expand_dangling_folders(paths: Sequence[Path]) -> list[Path]:
    """Paths for `terraform fmt`: in place of a folder that holds a link to nothing, the files below it.

    Terraform would stop at such a link, and say nothing of the other files.
    """
    chosen: list[Path] = []
    for path in paths:
        files = list(_formatted_files(path)) if path.is_dir() else []
        has_dangling = any(not file.exists() for file in files)
        chosen += [file for file in files if file.exists()] if has_dangling else [path]
    return chosen


def _formatted_files(folder: Path) -> Iterator[Path]:
    """What `terraform fmt -recursive` looks at."""
    for parent, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_FORMATTED) and not name.startswith("."):
                yield Path(parent, name)


__all__ = [
    "ApplyOutcome",
    "Client",
    "CommandTimeouts",
    "Diagnostic",
    "LockHolder",
    "PlanOptions",
    "PlanOutcome",
    "Workdir",
    "locked_error",
]
