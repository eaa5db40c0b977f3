"""`infra catalog check`: every template with its sample answers, through all checks and to a plan."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, GitError, InfraError, InterruptedRunError, SandboxError, UsageError

if TYPE_CHECKING:
    from orchestrator.catalog.samples import CheckedSample
    from orchestrator.process import Completed, Supervisor

_GIT_SECONDS = 60.0
_COMMAND_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class CatalogCheckOptions(JsonOptions):
    """The options of `infra catalog check`."""

    names: tuple[str, ...]
    without_tests: bool


@click.command(
    epilog="""\b
Examples:
  infra catalog check             all templates
  infra catalog check queue       one template
"""
)
@click.argument("names", nargs=-1, metavar="[TEMPLATE]...")
@click.option("--no-tests", "without_tests", is_flag=True, help="Do not run the tests of modules.")
@json_option
@with_options(CatalogCheckOptions)
def check(app: App, options: CatalogCheckOptions) -> int:
    """Make a stack of each template and check it: lint, guard, module tests, and a plan on the sandbox.

    Works in a temporary copy of the project without its stacks. Each sample.yaml or
    sample-NAME.yaml beside the template's copier.yml has the answers of one stack; other questions take their
    defaults. Exits with 1 for problems.

    Without a name, checks all templates but that of a repository.
    """
    from orchestrator.catalog.creation import write_files
    from orchestrator.catalog.entries import find_entry, list_entries
    from orchestrator.catalog.samples import (
        SAMPLE,
        CheckedSample,
        Sample,
        copy_without_stacks,
        list_samples,
        render_sample,
        select_environment,
    )
    from orchestrator.cli.demo import serve_infra
    from orchestrator.process import Supervisor
    from orchestrator.sandbox.demo import repository

    project = app.project(needs_stacks=False)
    entries = [find_entry(project, name) for name in dict.fromkeys(options.names)]
    if any(entry.kind == "project" for entry in entries):
        raise UsageError(
            "A template of a repository has no stack to check.",
            advice="`infra new project NAME --folder DIR` makes one: plan it there.",
        )
    entries = entries or [entry for entry in list_entries(project) if entry.kind != "project"]
    environment = select_environment(project)
    results = []
    for entry in entries:
        try:
            results += [CheckedSample(sample) for sample in list_samples(project, entry)]
        except InfraError as error:
            results.append(CheckedSample(Sample(entry, SAMPLE, {})))
            results[-1].add("render", error.message)
    supervisor = Supervisor()
    with (
        supervisor.handling_signals(),
        tempfile.TemporaryDirectory(prefix="infra-catalog-") as temporary,
        serve_infra() as infra,
    ):
        # Its name is the repository's on the sandbox's GitHub.
        folder = Path(temporary).resolve() / "catalog"
        folder.mkdir()
        copy_without_stacks(project, folder)
        for result in [result for result in results if not result.problems]:
            try:
                write_files(folder, render_sample(project, result.sample, environment))
            except InfraError as error:
                result.add("render", error.message)
        if rendered := [result for result in results if not result.problems]:
            copy = _ProjectCopy(app, folder, repository.environment(app.environ), supervisor, infra)
            copy.commit(project.trunk_branch, rendered, environment)
            copy.check(rendered, with_tests=not options.without_tests)
    return _print_result(app, results)


@dataclass(frozen=True)
class _ProjectCopy:
    """A copy of the project in a folder, and how commands run in it: `infra` is the start of their argv."""

    app: App
    folder: Path
    environ: Mapping[str, str]
    supervisor: Supervisor
    infra: tuple[str, ...]

    def commit(self, trunk: str, checked: Sequence[CheckedSample], environment: str) -> None:
        """Commits the copy as its trunk, with the modules that the samples need and without the samples."""
        from orchestrator.catalog.samples import locate_samples, remove_other_modules
        from orchestrator.repository.loading import load

        self._git("init", "--quiet", f"--initial-branch={trunk}")
        loaded = load(self.folder)
        locate_samples(loaded, checked, environment)
        remove_other_modules(loaded, checked)
        self._git(
            "add", "--all", "--force", "--", ".", ":!.infra", *(f":!{result.path}" for result in checked)
        )
        self._git("commit", "--quiet", "--no-verify", "--allow-empty", "--message", "The project")

    def check(self, checked: Sequence[CheckedSample], *, with_tests: bool) -> None:
        """Runs all checks, each for all samples at once, and adds what they find.

        Terraform runs only for samples that the guard accepts.
        """
        from orchestrator.catalog.samples import assign_problems

        assign_problems(checked, "guard", self._run("guard", *(result.stack for result in checked)))
        if not (valid := self._keep_valid(checked)):
            return
        assign_problems(valid, "lint", self._run("lint", "--simulated"))
        if with_tests and any(result.modules for result in valid):
            assign_problems(valid, "test", self._run("test", "--simulated", "--all"))
        if valid := self._keep_valid(valid):
            self._plan(valid)

    def _keep_valid(self, checked: Sequence[CheckedSample]) -> list[CheckedSample]:
        """The samples without problems; the folders of the others are removed."""
        for result in checked:
            if result.problems:
                shutil.rmtree(self.folder / result.path)
        return [result for result in checked if not result.problems]

    def _plan(self, checked: Sequence[CheckedSample]) -> None:
        from orchestrator.catalog.samples import assign_plans, assign_problems
        from orchestrator.cli.demo import run_sandbox
        from orchestrator.cli.support.sandbox_project import prepare_sandbox
        from orchestrator.sandbox import attach

        streams = (self.app.stdin, self.app.stdout, self.app.stderr)
        with run_sandbox(self.app, self.folder) as info:
            try:
                info = prepare_sandbox(App(self.environ, *streams, folder=str(self.folder)), info)
            except SandboxError as error:
                for result in checked:
                    result.add("plan", error.message)
                return
            stacks = [result.stack for result in checked]
            document = self._run("plan", *stacks, environ=attach.environment(info, self.environ))
        assign_problems(checked, "plan", document)
        assign_plans(checked, document)

    def _run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Runs `infra ARGUMENTS --json`; its document."""
        self.app.note(f"infra {arguments[0]}")
        done = self._execute((*self.infra, *arguments, "--json"), environ or self.environ, _COMMAND_SECONDS)
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise InfraError(f"`infra {arguments[0]} --json` printed no JSON: {done.error_text}") from error
        return document

    def _git(self, *arguments: str) -> None:
        done = self._execute(("git", *arguments), self.environ, _GIT_SECONDS)
        if not done.ok:
            raise GitError(f"git {arguments[0]} failed: {done.error_text.strip()}")

    def _execute(self, argv: tuple[str, ...], environ: Mapping[str, str], seconds: float) -> Completed:
        from orchestrator.process import Command

        done = self.supervisor.run(Command(argv, self.folder, environ, deadline=seconds))
        if done.ended == "interrupted":
            raise InterruptedRunError("Interrupted; the copy of the project is gone.")
        return done


def _print_result(app: App, results: Sequence[CheckedSample]) -> int:
    code = int(Exit.OK if all(result.is_valid for result in results) else Exit.ERROR)
    if app.json:
        return app.emit("catalog check", code, samples=[result.document() for result in results])
    for result in results:
        planned = "" if result.created is None else f", {result.created} to create"
        verdict = "valid" if result.is_valid else "has problems"
        app.write(f"{result.sample.entry.name} ({result.sample.name}) {verdict}{planned}")
        for check, message in result.problems:
            app.write(f"  {check}: {message}")
    return code
