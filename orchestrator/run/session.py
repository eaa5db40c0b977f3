"""One run's belongings: the project, the Terraform it uses, the folders, the rules that hold for all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.engine.ports import Masked, Progress
from orchestrator.errors import BinaryError, InfraError, ProjectError, StateError, UsageError
from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.masking import NO_SECRETS, Masker, SecretSet
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.project import graph
from orchestrator.project.given import secret_values
from orchestrator.project.model import Project, Stack
from orchestrator.project.select import select
from orchestrator.report.model import RunInfo, RunReport, StackReport
from orchestrator.run.cli_configuration import cli_configuration_of, with_cli_configuration
from orchestrator.run.folders import Folders
from orchestrator.run.ledgers import Ledgers
from orchestrator.run.origin import is_ci
from orchestrator.run.states import States
from orchestrator.run.worktrees import Commits
from orchestrator.terraform.binaries import Binaries, Constraint, version_file
from orchestrator.terraform.binary import Binary, binary_in, find_binary
from orchestrator.terraform.cli_configuration import (
    IMPLIED_FOLDER,
    CliConfiguration,
    without_implied_folder,
)
from orchestrator.terraform.client import Client, Diagnostic, PlanOptions, Timeouts, Workdir
from orchestrator.terraform.environment import child_environment


@dataclass(frozen=True)
class Session:
    """Everything a run needs, made once by `open_session` and shared by its threads."""

    project: Project
    binaries: Binaries
    client: Client
    supervisor: Supervisor
    masker: Masker
    folders: Folders
    states: States
    ledgers: Ledgers
    progress: Progress
    environ: Mapping[str, str]
    info: RunInfo
    workers: int
    asked_workers: int | None = None
    secrets: SecretSet = NO_SECRETS
    cli: CliConfiguration = field(default_factory=CliConfiguration)
    began: float = field(default_factory=time.monotonic)
    commits: Commits = field(default_factory=Commits)
    _roots: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def select(self, names: Sequence[str], cwd: Path | None = None) -> tuple[str, ...]:
        """The stacks that names on the command line mean; UsageError for one that means nothing."""
        return select(self.project, names, cwd)

    def one(self, name: str) -> Stack:
        """The one stack that a name means; UsageError when it means several."""
        found = self.select([name])
        if len(found) != 1:
            raise UsageError(
                f"{name} means {len(found)} stacks.", advice=f"Name one: {', '.join(found[:5])}."
            )
        self.project.require(found)
        return self.project.stacks[found[0]]

    def workdir(self, stack: Stack, run: str | None = None) -> Workdir:
        """Where Terraform runs for a stack, and with what environment; `run` is an earlier one's id."""
        settings = self.project.config.environment(stack.environment)
        return Workdir(
            root=self.project.root / stack.path,
            data_dir=self.folders.data(stack.id),
            run_dir=self.folders.run(run or self.info.id, stack.id),
            env=child_environment(
                self.environ_in(self.project.root / stack.path),
                passed=settings.env,
                # Whatever the checkout has selected, and whatever our own environment says.
                extra={"TF_WORKSPACE": stack.workspace},
                sandbox=bool(self.environ.get("INFRA_SANDBOX")),
            ),
            timeouts=Timeouts(
                plan=settings.timeouts.plan, apply=settings.timeouts.apply, unlock=settings.timeouts.unlock
            ),
            binary=self.binary_of(stack),
        )

    def binary_of(self, stack: Stack) -> Binary:
        """The Terraform that runs in a stack; BinaryError when none fits what its code asks for."""
        return self.binaries.choose(constraints_of(self.project, stack), self.project.root / stack.path)

    def environ_in(self, folder: Path) -> Mapping[str, str]:
        """Our environment for a Terraform that runs in a folder: a `terraform.d` there never counts."""
        if self.cli.text is not None or not os.path.lexists(folder / IMPLIED_FOLDER):
            return self.environ
        text = without_implied_folder(self.environ)
        return self.environ if text is None else with_cli_configuration(self.environ, self.folders, text)

    def init(self, stack: Stack, work: Workdir, *, shadow: bool = False) -> None:
        """`terraform init`, if anything it depends on has changed since the last one."""
        if stack.backend.kind == "cloud":
            raise ProjectError(
                f"{stack.id} has a `cloud` block: HCP Terraform plans and applies it by itself.",
                advice="Give it a backend that only keeps its state, such as gcs, or leave it out.",
                file=stack.path,
                stack=stack.id,
            )
        with self.alone_in(stack):
            self.client.init(
                work,
                self.project.init_key(stack.id),
                {} if shadow else stack.backend_config,
                on_progress=lambda text: self.progress.doing(stack.id, text),
            )

    def plan_options(self, stack: Stack, options: PlanOptions) -> PlanOptions:
        """The options of the command line with the variable files that infra.yaml gives the stack."""
        files = tuple(self.project.root / name for name in stack.var_files)
        return replace(options, var_files=files)

    def workers_in(self, environment: str) -> int:
        """How many stacks of an environment run at once: as asked, as configured, else one per core."""
        configured = self.project.config.environment(environment).parallelism
        return self.asked_workers or configured or self.workers

    @contextmanager
    def alone_in(self, stack: Stack) -> Iterator[None]:
        """Stacks that share a root directory never run `init` or `apply` at the same time."""
        with self._roots[str(stack.path)]:
            yield

    def check_state_version(self, stack: Stack) -> None:
        """Refuse a state that a newer Terraform wrote than the one at hand."""
        head = self.states.head(stack)
        binary = self.binary_of(stack)
        if head and head.terraform_version and binary.is_older_than(head.terraform_version):
            raise StateError(
                f"The state of {stack.id} was written by version {head.terraform_version}; "
                f"{binary.version} is at hand.",
                advice=f"Use {head.terraform_version} or newer: `terraform.binary` in infra.yaml, or PATH.",
                stack=stack.id,
            )

    def protected(self, stacks: Iterable[str]) -> tuple[str, ...]:
        """The protected environments among those of the stacks, in promotion order."""
        names = {self.project.stacks[id].environment for id in stacks}
        order = self.project.order
        return tuple(n for n in order.all if n in names and self.project.config.is_protected(n, order))

    def in_order(self, stacks: Iterable[str]) -> list[str]:
        """Stack ids in promotion order, and by name inside an environment; the order of every report."""
        places = {name: place for place, name in enumerate(self.project.order.all)}
        project = self.project.stacks
        return sorted(
            stacks, key=lambda id: (places[project[id].environment] if id in project else len(places), id)
        )

    def prerequisites(self, stacks: Iterable[str], *, destroy: bool) -> dict[str, set[str]]:
        """For each stack what must end before it starts: what it reads, or for `destroy` what reads it."""
        wanted = set(stacks)
        needs = self.project.prerequisites()
        if destroy:
            needs = {id: set(readers) for id, readers in graph.dependants(needs).items()}
        return graph.restrict(needs, wanted)

    def mask(self, text: str, secrets: SecretSet = NO_SECRETS) -> str:
        """A text without secrets: those given, those among the input variables, and what looks like one."""
        return self.masker.mask_text(text, self.secrets | secrets)

    def secrets_behind(self, stack: Stack) -> SecretSet:
        """What text about a stack may quote where no plan tells what is secret in it.

        That is what its secret variables hold, what its own state marks, and the sensitive outputs that it
        reads. What cannot be looked at tells nothing.
        """
        found = SecretSet.of(secret_values(self.project, stack, self.environ, self.masker.names.is_secret))
        upstreams = (self.project.stacks[edge.source] for edge in self.project.upstreams(stack.id))
        for one in (stack, *upstreams):
            with contextlib.suppress(InfraError, *MALFORMED):
                raw = self.states.raw(one)
                state = read_object(raw) if raw else {}
                if one is not stack:
                    state = {"outputs": state.get("outputs")}
                found |= self.masker.secrets_in_state(state)
        return found

    def masked_diagnostic(
        self, stack: Stack, diagnostic: Diagnostic, secrets: SecretSet = NO_SECRETS
    ) -> dict[str, Any]:
        """One of Terraform's diagnostics in the shape of `--json`, with secrets masked."""
        where = os.path.normpath(Path(stack.path) / diagnostic.file) if diagnostic.file else None
        return {
            "severity": diagnostic.severity,
            "summary": self.mask(diagnostic.summary, secrets),
            "detail": self.mask(with_code(diagnostic), secrets),
            "address": self.masker.mask_address(diagnostic.address) or None,
            "file": where,
            "line": diagnostic.line or None,
        }

    def report(
        self,
        command: str,
        stacks: Iterable[StackReport],
        *,
        detailed: bool = False,
        notes: Sequence[str] = (),
    ) -> RunReport:
        """The run so far as a report."""
        return RunReport(
            command,
            replace(self.info, seconds=time.monotonic() - self.began),
            tuple(stacks),
            detailed=detailed,
            interrupted=self.supervisor.interrupted,
            notes=tuple(notes),
        )

    def close(self) -> None:
        """Throw away what only this run needed, plan files first."""
        self.folders.forget_plans(self.info.id)


def with_code(diagnostic: Diagnostic) -> str:
    """What a diagnostic says, below the lines of code that it is about; text output has them in already."""
    if not diagnostic.snippet:
        return diagnostic.detail
    return f"  {diagnostic.line}: {diagnostic.snippet}\n\n{diagnostic.detail}".rstrip()


def open_session(
    project: Project,
    environ: Mapping[str, str],
    progress: Progress,
    *,
    workers: int | None = None,
    trigger: str = "local",
    variables: Sequence[str] = (),
    debug: Callable[[str], None] | None = None,
    ci_command: bool = False,
) -> Session:
    """Find Terraform, check versions, make the folders; raises before anything is touched.

    `debug` is told every command that was run. `ci_command` is true for `infra ci …`, whose project carries
    trunk's rules.
    """
    masker = Masker(project.config.masking)
    supervisor = Supervisor(trace_to(debug, masker) if debug else None)
    folders = Folders(project.root)
    folders.prepare()
    cli = cli_configuration_of(project, environ, ci_command=ci_command)
    environ = {name: value for name, value in environ.items() if name not in cli.withheld}
    if cli.text is not None:
        environ = with_cli_configuration(environ, folders, cli.text)
    binaries = binaries_for(project, environ, supervisor, folders)
    states = States(project, environ)
    now = datetime.now(UTC)
    info = RunInfo(
        # Milliseconds, so that the ids of runs sort as the runs began, also within one second.
        id=f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}",
        trigger=trigger,
        commit=project.commit or "",
        started=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        seconds=0.0,
    )
    folders.begin_run(info.id, now.timestamp())
    return Session(
        project=project,
        binaries=binaries,
        client=Client(binaries.default, supervisor, folders.cache),
        supervisor=supervisor,
        masker=masker,
        folders=folders,
        states=states,
        ledgers=Ledgers(project, states, environ),
        progress=Masked(progress, masker.mask_text),
        environ=environ,
        info=info,
        workers=workers or os.cpu_count() or 1,
        asked_workers=workers,
        cli=cli,
        secrets=masker.secrets_among(input_variables(environ, variables)),
    )


def trace_to(debug: Callable[[str], None], masker: Masker) -> Callable[[Command, Completed], None]:
    """What --debug prints of each command: its argv masked, the names of its environment, its time."""

    def trace(command: Command, done: Completed) -> None:
        argv = shlex.join(masker.mask_argv(command.argv))
        debug(f"+ {argv}  # {done.seconds:.2f} s, exit {done.returncode}, in {command.cwd}")
        debug(f"  environment: {' '.join(sorted(command.env))}")

    return trace


def input_variables(environ: Mapping[str, str], variables: Sequence[str]) -> dict[str, str]:
    """The input variables that come from the environment and the command line, by name."""
    given = {name.removeprefix("TF_VAR_"): v for name, v in environ.items() if name.startswith("TF_VAR_")}
    return given | dict(one.partition("=")[::2] for one in variables)


def binaries_for(
    project: Project, environ: Mapping[str, str], supervisor: Supervisor, folders: Folders
) -> Binaries:
    """The Terraforms to use; the default one fits what the project states as a whole.

    In CI a program below the repository is refused: a pull request could have put it there.
    """
    settings = project.config.terraform

    def open_binary(program: str | None) -> Binary:
        binary = find_binary(program, environ, supervisor, folders.cache, root=project.root)
        top = project.repository.top.resolve()
        if is_ci(environ) and binary.source == "configured" and binary.path.resolve().is_relative_to(top):
            raise BinaryError(
                f"{program} lies below the repository, and in CI no program of a checkout is run.",
                advice="Install Terraform on the runner, outside the checkout.",
                file="infra.yaml",
                key="terraform.binary",
            )
        return binary

    binaries = Binaries(
        open_binary(settings.binary),
        settings.binaries,
        open_binary,
        lambda binary, folder: binary_in(binary, folder, environ, supervisor, folders.cache),
    )
    return replace(
        binaries, default=binaries.choose(_project_constraints(project, project.root), project.root)
    )


def _project_constraints(project: Project, folder: Path) -> tuple[Constraint, ...]:
    """What infra.yaml and the nearest version file at or above a folder ask for."""
    wanted = project.config.terraform.version
    own = (Constraint(wanted, "terraform.version of infra.yaml"),) if wanted else ()
    file = version_file(project.root, folder)
    return (*own, file) if file else own


def constraints_of(project: Project, stack: Stack) -> tuple[Constraint, ...]:
    """All that is asked of the Terraform that runs in a stack."""
    code = (Constraint(text, f"required_version of {stack.path}") for text in stack.required_version)
    return (*_project_constraints(project, project.root / stack.path), *code)
