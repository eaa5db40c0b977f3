"""Opens the session of a command: finds Terraform, creates the folders, connects states and ledgers."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial

from orchestrator.config.model import TerraformSettings
from orchestrator.engine.admission import PeakMemory, StackAdmission, usable_memory
from orchestrator.engine.cli_configuration import cli_configuration_of, with_cli_configuration
from orchestrator.engine.context import RunContext
from orchestrator.engine.folders import Folders
from orchestrator.engine.hooks import HookProcess, HookRunner
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.origin import is_ci
from orchestrator.engine.plan_files import PlanFiles
from orchestrator.engine.ports import MaskedProgress, Progress, Telemetry
from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.states import States
from orchestrator.engine.terraform_runner import TerraformRunner, binaries_for
from orchestrator.engine.timing import RunTiming
from orchestrator.engine.worktrees import CommitSessions
from orchestrator.masking import Masker
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.process.machine import read_machine
from orchestrator.report.model import RunInfo
from orchestrator.repository.model import Project, Stack
from orchestrator.terraform.client import Client
from orchestrator.terraform.environment import go_tuning
from orchestrator.terraform.warm.host_folder import host_folder
from orchestrator.terraform.warm.providers import HostOptions, WarmProviders


@dataclass(frozen=True)
class Session:
    """The parts of one run, for functions that need several of them; opened by `open_session`.

    `commits` are the other commits of the repository that the run is in, `hooks` those of trunk; None where
    none are run. `free_memory` is what was free when the run began in KiB; None where that is unknown.
    `shares_providers` is true where providers stay running between commands that change nothing.
    """

    context: RunContext
    terraform: TerraformRunner
    memory: Memory
    commits: CommitSessions = field(default_factory=CommitSessions)
    hooks: HookRunner | None = None
    plan_files: PlanFiles = field(default_factory=PlanFiles)
    peak_memory: PeakMemory = field(default_factory=PeakMemory)
    free_memory: int | None = None
    shares_providers: bool = False

    def with_project(self, project: Project) -> Session:
        """The same run with another view of the project: the same stacks under other rules, or newer code."""
        return replace(
            self,
            context=replace(self.context, project=project),
            terraform=replace(self.terraform, project=project),
            memory=replace(self.memory, project=project),
        )

    def admission(self, *, own_providers: bool = False) -> StackAdmission:
        """Which stacks may run side by side; with `own_providers` each starts its own, as applies do."""
        owns = own_providers or not self.shares_providers
        return StackAdmission(
            cache(self._providers_of),
            self.context.project.config.terraform.limits,
            lambda providers: self.peak_memory.needed(providers, own_providers=owns),
            usable_memory(self.free_memory),
        )

    def record_memory(self, stack: Stack, peak: int, *, own_providers: bool = False) -> None:
        """Note how large the largest process of a stack's command was, in KiB."""
        owns = own_providers or not self.shares_providers
        self.peak_memory.record(self._providers_of(stack.id), peak, own_providers=owns)

    def _providers_of(self, stack: str) -> frozenset[str]:
        """The full source addresses of a stack's providers."""
        project = self.context.project
        return project.types([stack]).providers if stack in project.stacks else frozenset()

    def close(self) -> None:
        """Throw away what only this run needed: plan files, and providers that stayed running."""
        self.peak_memory.save()
        self.forget_plans()
        self.terraform.client.close()
        if self.hooks:
            self.hooks.close()

    def forget_plans(self) -> None:
        """Remove the run's plan files; other sessions of the run go on."""
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
    timing: RunTiming | None = None,
    telemetry: Telemetry | None = None,
    cold: bool = False,
    ci_command: bool = False,
    hook_base: str | None = None,
) -> Session:
    """Find Terraform, check versions, make the folders; raises before anything is touched.

    `debug` gets every command that was run, `timing` counts them, `telemetry` notes them. With `cold` no
    provider outlives a command. `ci_command` is true for `infra ci …`, whose project carries trunk's rules.
    `hook_base` is the commit whose hooks run, by default the one of trunk that the checkout has.
    """
    masker = Masker(project.config.masking)
    traces = [_make_trace(debug, masker)] if debug else []
    traces += [timing.trace] if timing else []
    traces += [telemetry.trace] if telemetry else []
    supervisor = Supervisor(partial(_call_all, traces) if traces else None)
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
        traceparent=telemetry.traceparent if telemetry else "",
    )
    folders.begin_run(info.id, now.timestamp())
    masked = MaskedProgress(telemetry.recording(progress) if telemetry else progress, masker.mask_text)
    machine = read_machine()
    context = RunContext(
        project=project,
        info=info,
        environ=environ,
        folders=folders,
        masker=masker,
        progress=masked,
        supervisor=supervisor,
        workers=workers or machine.width,
        requested_workers=workers,
        secrets=masker.secrets_among(_input_variables(environ, variables)),
        link_trace=telemetry.link if telemetry else lambda traceparent: None,
        trace_step=telemetry.step if telemetry else lambda stack, name, seconds, error: None,
    )
    warm_providers = None
    if project.config.terraform.warm != "off" and not cold:
        host = None if ci_command else provider_host(project.config.terraform, environ)
        listeners = [*([debug] if debug else []), *([timing.note] if timing else [])]
        warm_providers = WarmProviders(folders.cache, partial(_call_all, listeners), host)
    client = Client(binaries.default, supervisor, folders.cache, warm_providers)
    tuning = go_tuning(machine, context.workers)
    terraform = TerraformRunner(project, info.id, environ, folders, masked, binaries, client, cli, tuning)
    process = HookProcess(supervisor, environ, context.mask)
    facts = {"RUN": info.id, "COMMIT": info.commit}
    hooks = HookRunner(project, process, facts, hook_base)
    schemas = None if cold else ProviderSchemas(folders.cache, trusts_cache=not is_ci(environ))
    plan_files = PlanFiles(schemas, timing.count if timing else lambda text: None)
    memory = Memory(project, states, Ledgers(project, states, environ))
    return Session(
        context,
        terraform,
        memory,
        hooks=hooks,
        plan_files=plan_files,
        peak_memory=PeakMemory(folders.cache),
        free_memory=machine.free,
        shares_providers=warm_providers is not None,
    )


def provider_host(settings: TerraformSettings, environ: Mapping[str, str]) -> HostOptions | None:
    """Who keeps providers running between runs; nobody in CI, where jobs must share nothing."""
    if not settings.warm_idle or is_ci(environ):
        return None
    return HostOptions(host_folder(environ), settings.warm_idle)


def _call_all(functions: Sequence[Callable[..., None]], *arguments: object) -> None:
    for function in functions:
        function(*arguments)


def _make_trace(debug: Callable[[str], None], masker: Masker) -> Callable[[Command, Completed], None]:
    """What --debug prints of each command: its argv masked, the names of its environment, its time."""

    def trace(command: Command, done: Completed) -> None:
        argv = shlex.join(masker.mask_argv(command.argv))
        debug(f"+ {argv}  # {done.seconds:.2f} s, exit {done.returncode}, in {command.cwd}")
        debug(f"  environment: {' '.join(sorted(command.env))}")

    return trace


def _input_variables(environ: Mapping[str, str], variables: Sequence[str]) -> dict[str, str]:
    """The input variables that come from the environment and the command line, by name."""
    from_environ = {
        name.removeprefix("TF_VAR_"): v for name, v in environ.items() if name.startswith("TF_VAR_")
    }
    return from_environ | dict(variable.partition("=")[::2] for variable in variables)
