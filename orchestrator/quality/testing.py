"""`infra test`: runs the tests of modules in parallel, and skips those that passed and are unchanged."""

from __future__ import annotations

import json
import posixpath
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from orchestrator import __version__
from orchestrator.atomic_files import write_private
from orchestrator.engine.context import RunContext
from orchestrator.engine.folders import private
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, InterruptedRunError, TerraformError
from orchestrator.process import Completed
from orchestrator.quality.modules import (
    RunBlock,
    content_key,
    hollow_files,
    mocks_of,
    resource_providers,
    runs_of,
    test_files,
)
from orchestrator.report.modules import CheckedModule, CheckedRun, ModuleProblem, ModulesReport
from orchestrator.terraform.client import Diagnostic, Workdir
from orchestrator.terraform.environment import child_environment
from orchestrator.terraform.shadow import make_shadow
from orchestrator.terraform.testing import OutcomeOfTests, RunOutcome, event_text, read_testing

# Seconds that the tests of one module may take.
DEADLINE = 3600.0
NOTE_SIMULATED = (
    "On simulated providers: defaults and checks that only a provider, or its cloud, makes are not covered."
)


class Simulation(Protocol):
    """Simulated providers; `identity` changes with what they would answer."""

    @property
    def identity(self) -> str:
        """A hash of the recorded schemas and of what plays them."""

    def environment(self, module: str) -> Mapping[str, str]:
        """What attaches Terraform to a world of the module's own."""


@dataclass(frozen=True)
class ModuleTests:
    """One `infra test`. Without a simulation the providers are real."""

    session: Session
    simulation: Simulation | None = None
    again: bool = False

    def run(self, modules: Sequence[str]) -> ModulesReport:
        """Test the modules, several at once; results in the order of `modules`."""
        session = self.session
        context = session.context
        context.progress.begin(modules)
        try:
            done = run_in_order(list(modules), {}, self._module, workers=context.workers, skip=self._skip)
        finally:
            context.progress.end()
        info = replace(context.info, seconds=time.monotonic() - context.began)
        simulated = self.simulation is not None
        notes = (NOTE_SIMULATED,) if simulated and done else ()
        return ModulesReport(
            info, tuple(done.values()), simulated, notes, context.project.config.test_required
        )

    def _skip(self, module: str, results: Mapping[str, CheckedModule]) -> CheckedModule | None:
        if self.session.context.supervisor.interrupted:
            return CheckedModule(module, "interrupted", "the run was interrupted")
        return None

    def _module(self, module: str) -> CheckedModule:
        """One module, from its files to its result; whatever goes wrong is a result."""
        began = time.monotonic()
        try:
            result = self._load_result(module) or self._run_tests(module)
        except InterruptedRunError as error:
            result = CheckedModule(module, "interrupted", error.message)
        except InfraError as error:
            result = self._broken(module, error)
        if not result.cached:
            result = replace(result, seconds=time.monotonic() - began)
        self.session.context.progress.done(result)
        return result

    def _run_tests(self, module: str) -> CheckedModule:
        project = self.session.context.project
        files = test_files(project, module)
        if not files:
            return CheckedModule(
                module,
                "untested",
                "it has no tests",
                f"Add {module}/tests/NAME.tftest.hcl; `infra new module` shows how one looks.",
            )
        outcome, done = self._run(module)
        if done.ended == "interrupted":
            return CheckedModule(
                module, "interrupted", "the run was interrupted", problems=self._leftovers(module, outcome)
            )
        lines = {(file, run.name): run for file in files for run in runs_of(project, file)}
        result = self._result(module, outcome, done, lines)
        if result.result == "passed":
            self._save_result(result)
        return result

    def _run(self, module: str) -> tuple[OutcomeOfTests, Completed]:
        """`init` and `test` in a copy of the module, so that the checkout gets no `.terraform`."""
        session = self.session
        context = session.context
        work = module_workdir(context, module, self._environment(module))
        session.terraform.client.init(
            work,
            content_key(context.project, module),
            {},
            on_progress=lambda text: context.progress.doing(module, text),
        )

        def read_line(stream: str, line: bytes) -> None:
            text = event_text(line)
            if text:
                context.progress.doing(module, text)

        done = session.terraform.client.run_raw(work, ("test", "-json"), on_line=read_line, deadline=DEADLINE)
        return read_testing(done.stdout.splitlines()), done

    def _environment(self, module: str) -> dict[str, str]:
        """What Terraform gets; input variables of this machine would make results differ from another's."""
        environ = self.session.terraform.environ_in(self.session.context.project.root / module)
        base = {k: v for k, v in environ.items() if not k.startswith("TF_VAR_")}
        extra = self.simulation.environment(module) if self.simulation else {}
        return child_environment(base, extra=extra)

    def _result(
        self, module: str, outcome: OutcomeOfTests, done: Completed, lines: Mapping[tuple[str, str], RunBlock]
    ) -> CheckedModule:
        """What the outcome means."""
        runs = tuple(self._checked(module, run, lines) for run in outcome.runs)
        problems = self._problems(module, outcome.errors) + self._leftovers(module, outcome)
        failed = sum(run.status in ("fail", "error") for run in runs)
        checked_module = CheckedModule(module, "passed", runs=runs, problems=problems)
        if failed:
            return replace(checked_module, result="failed", reason=f"{failed} of {len(runs)} runs failed")
        if problems or not done.ok:
            reason = problems[0].summary if problems else f"`terraform test` ended with {done.returncode}"
            if done.ended == "deadline":
                reason = f"the tests did not end within {DEADLINE:g} seconds"
            return replace(
                checked_module, result="failed", reason=reason, problems=problems or self._error_problem(done)
            )
        return self._unless_hollow(checked_module)

    def _leftovers(self, module: str, outcome: OutcomeOfTests) -> tuple[ModuleProblem, ...]:
        """The real resources that Terraform created for a test and did not destroy."""
        if self.simulation or not outcome.leftovers:
            return ()
        project = self.session.context.project
        providers = resource_providers(project, module)
        files = {leftover.file: posixpath.join(module, leftover.file) for leftover in outcome.leftovers}
        mocks = {name: mocks_of(project, path) for name, path in files.items()}
        return tuple(
            ModuleProblem(
                f"Terraform created {leftover.address} for a test and could not destroy it: "
                "delete it by hand.",
                file=files[leftover.file] if leftover.file else None,
            )
            for leftover in outcome.leftovers
            if not mocks[leftover.file].is_mocked(leftover.address, providers)
        )

    def _unless_hollow(self, module: CheckedModule) -> CheckedModule:
        """The result, unless a test file passed because it asks nothing."""
        hollow = tuple(hollow_files(self.session.context.project, module.id))
        if not hollow:
            return module
        problems = tuple(
            ModuleProblem("No run in this file asserts anything.", "", file, line) for file, line in hollow
        )
        names = ", ".join(posixpath.relpath(file, module.id) for file, _ in hollow)
        return replace(
            module,
            result="hollow",
            reason=f"{names} asserts nothing",
            advice="Give its runs an `assert` block or `expect_failures`.",
            problems=problems,
        )

    def _checked(self, module: str, run: RunOutcome, lines: Mapping[tuple[str, str], RunBlock]) -> CheckedRun:
        file = posixpath.join(module, run.file)
        block = lines.get((file, run.name))
        problems = self._problems(module, run.errors)
        return CheckedRun(file, run.name, run.status, run.seconds, block.line if block else None, problems)

    def _problems(self, module: str, diagnostics: Iterable[Diagnostic]) -> tuple[ModuleProblem, ...]:
        """Diagnostics with paths from the project's root, secrets masked."""
        mask = self.session.context.mask
        return tuple(
            ModuleProblem(
                mask(diagnostic.summary),
                mask(diagnostic.detail),
                posixpath.normpath(posixpath.join(module, diagnostic.file)) if diagnostic.file else None,
                diagnostic.line or None,
            )
            for diagnostic in diagnostics
        )

    def _error_problem(self, done: Completed) -> tuple[ModuleProblem, ...]:
        text = self.session.context.mask(done.error_text.strip())
        return (ModuleProblem(text.splitlines()[0], text),) if text else ()

    def _broken(self, module: str, error: InfraError) -> CheckedModule:
        """A module whose tests could not be run."""
        diagnostics = error.diagnostics if isinstance(error, TerraformError) else ()
        problems = self._problems(
            module, [diagnostic for diagnostic in diagnostics if isinstance(diagnostic, Diagnostic)]
        )
        return CheckedModule(
            module, "failed", self.session.context.mask(error.message), error.advice, problems=problems
        )

    # Results of earlier runs

    def _memory(self, module: str) -> Path:
        binary = self.session.terraform.binaries.default
        mode = self.simulation.identity if self.simulation else ""
        parts = (
            content_key(self.session.context.project, module),
            binary.product,
            binary.version,
            mode,
            __version__,
        )
        name = sha256("\0".join((module, *parts)).encode()).hexdigest()
        return self.session.context.folders.cache / "tests" / f"{name}.json"

    def _load_result(self, module: str) -> CheckedModule | None:
        """The result of an earlier run of the same content; only what passed is cached."""
        if self.again:
            return None
        try:
            return CheckedModule.of({**json.loads(self._memory(module).read_bytes()), "cached": True})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _save_result(self, result: CheckedModule) -> None:
        memory = self._memory(result.id)
        private(memory.parent)
        write_private(memory, json.dumps(result.document()).encode())


def module_workdir(
    context: RunContext, module: str, env: Mapping[str, str], overrides: Mapping[str, str] | None = None
) -> Workdir:
    """A copy of a folder to work in, with folders of its own; `overrides` are files that are added to it."""
    name = f"module {module}"
    target = context.folders.shadow(name)
    root = make_shadow(context.project.root, Path(module), target, overrides or {})
    data_dir = target.with_name(target.name + ".data")
    return Workdir(root, data_dir, context.folders.run(context.info.id, name), env)
