"""Opens the run of a command: finds Terraform, makes the folders, gives the run its three parts."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orchestrator.engine.cli_configuration import cli_configuration_of, with_cli_configuration
from orchestrator.engine.context import RunContext
from orchestrator.engine.folders import Folders
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.ports import Masked, Progress
from orchestrator.engine.states import States
from orchestrator.engine.terraform_runner import TerraformRunner, binaries_for
from orchestrator.engine.worktrees import Commits
from orchestrator.masking import Masker
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.project.model import Project
from orchestrator.report.model import RunInfo
from orchestrator.terraform.client import Client


@dataclass(frozen=True)
class Session:
    """The parts of one run, for functions that need several of them; opened by `open_session`.

    `commits` are the other commits of the repository that the run is in.
    """

    context: RunContext
    terraform: TerraformRunner
    memory: Memory
    commits: Commits = field(default_factory=Commits)

    def with_project(self, project: Project) -> Session:
        """The same run with another view of the project: the same stacks under other rules, or newer code."""
        return replace(
            self,
            context=replace(self.context, project=project),
            terraform=replace(self.terraform, project=project),
            memory=replace(self.memory, project=project),
        )

    def close(self) -> None:
        """Throw away what only this run needed, plan files first."""
        self.context.folders.forget_plans(self.context.info.id)


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
    masked = Masked(progress, masker.mask_text)
    context = RunContext(
        project=project,
        info=info,
        environ=environ,
        folders=folders,
        masker=masker,
        progress=masked,
        supervisor=supervisor,
        workers=workers or os.cpu_count() or 1,
        requested_workers=workers,
        secrets=masker.secrets_among(input_variables(environ, variables)),
    )
    client = Client(binaries.default, supervisor, folders.cache)
    terraform = TerraformRunner(project, info.id, environ, folders, masked, binaries, client, cli)
    return Session(context, terraform, Memory(project, states, Ledgers(project, states, environ)))


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
