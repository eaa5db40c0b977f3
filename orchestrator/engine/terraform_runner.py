"""How Terraform runs in the stacks of one run: which binary, in which folder, with what environment."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.engine.cli_configuration import with_cli_configuration
from orchestrator.engine.folders import Folders
from orchestrator.engine.origin import is_ci
from orchestrator.engine.ports import Progress
from orchestrator.errors import BinaryError, ProjectError
from orchestrator.process import Supervisor
from orchestrator.repository.backends import elsewhere_finding
from orchestrator.repository.model import Project, Stack
from orchestrator.state.backends import backend_kind
from orchestrator.terraform.binaries import Binaries, Constraint, version_file
from orchestrator.terraform.binary import Binary, binary_in, find_binary
from orchestrator.terraform.cli_configuration import (
    IMPLIED_FOLDER,
    CliConfiguration,
    without_implied_folder,
)
from orchestrator.terraform.client import Client, CommandTimeouts, PlanOptions, Workdir
from orchestrator.terraform.environment import GO_TUNING, child_environment, in_sandbox


@dataclass(frozen=True)
class TerraformRunner:
    """Runs Terraform for the stacks of a project, under one run's id; safe from many threads."""

    project: Project
    run_id: str
    environ: Mapping[str, str]
    folders: Folders
    progress: Progress
    binaries: Binaries
    client: Client
    cli: CliConfiguration = field(default_factory=CliConfiguration)
    go_tuning: Mapping[str, str] = field(default_factory=lambda: GO_TUNING)
    _roots: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def workdir(self, stack: Stack, run: str | None = None) -> Workdir:
        """Where Terraform runs for a stack, and with what environment; `run` is an earlier one's id."""
        settings = self.project.config.environment(stack.environment)
        return Workdir(
            root=self.project.root / stack.path,
            data_dir=self.folders.data(stack.id),
            run_dir=self.folders.run(run or self.run_id, stack.id),
            env=self.environment(stack),
            timeouts=CommandTimeouts(
                plan=settings.timeouts.plan, apply=settings.timeouts.apply, unlock=settings.timeouts.unlock
            ),
            binary=self.binary_of(stack),
        )

    def environment(self, stack: Stack) -> dict[str, str]:
        """The variables that a stack's Terraform gets."""
        config = self.project.config
        is_simulated = in_sandbox(self.environ)
        passed = config.environment(stack.environment).env
        return child_environment(
            self.environ_in(self.project.root / stack.path),
            passed=(*passed, *(config.sandbox.variables if is_simulated else ())),
            # Whatever the checkout has selected, and whatever our own environment says.
            extra={"TF_WORKSPACE": stack.workspace},
            sandbox=is_simulated,
            tuning=self.go_tuning,
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
        backend = backend_kind(stack.backend.kind)
        elsewhere = elsewhere_finding(stack)
        if elsewhere:
            raise ProjectError(
                elsewhere.message, advice=elsewhere.advice, file=elsewhere.file, stack=stack.id
            )
        with self.alone_in(stack):
            self.client.init(
                work,
                self.project.init_key(stack.id),
                {} if shadow else backend.arguments(stack.backend_config, self.project.root),
                on_progress=lambda text: self.progress.doing(stack.id, text),
            )

    def plan_options(self, stack: Stack, options: PlanOptions) -> PlanOptions:
        """The options of the command line with the variable files that infra.yaml gives the stack."""
        files = tuple(self.project.root / name for name in stack.var_files)
        return replace(options, var_files=(*files, *options.given_var_files))

    @contextmanager
    def alone_in(self, stack: Stack) -> Iterator[None]:
        """Stacks that share a root directory never run `init` or `apply` at the same time."""
        with self._roots[str(stack.path)]:
            yield


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
    version = project.config.terraform.version
    own = (Constraint(version, "terraform.version of infra.yaml"),) if version else ()
    file = version_file(project.root, folder)
    return (*own, file) if file else own


def constraints_of(project: Project, stack: Stack) -> tuple[Constraint, ...]:
    """All that is asked of the Terraform that runs in a stack."""
    code = (Constraint(text, f"required_version of {stack.path}") for text in stack.required_version)
    return (*_project_constraints(project, project.root / stack.path), *code)
