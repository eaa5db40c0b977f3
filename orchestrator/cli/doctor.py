"""`infra doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, GitError, UsageError

if TYPE_CHECKING:
    from orchestrator.report.doctor_check import DoctorCheck
    from orchestrator.repository.model import Project

EPILOG = """\b
Examples:
  infra doctor
  infra doctor --json
  GH_TOKEN="$(gh auth token)" infra doctor --github     the repository's settings and workflows too
  infra doctor --github --fix --reviewer acme/platform  and set what is missing there
"""

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red"), "unseen": ("?", "cyan")}


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(JsonOptions):
    """The options of `infra doctor`."""

    github: bool
    fix: bool
    reviewers: tuple[str, ...]
    auto_approve: bool


@click.command(epilog=EPILOG)
@click.option(
    "--github", is_flag=True, help="Also check the settings on GitHub, the workflows and CODEOWNERS."
)
@click.option("--fix", is_flag=True, help="With --github: set what is missing there, after a prompt.")
@click.option(
    "--reviewer",
    "reviewers",
    multiple=True,
    metavar="LOGIN|ORG/TEAM",
    help="With --fix: who may approve in gates; repeatable (default: owners of infra.yaml).",
)
@click.option("--auto-approve", is_flag=True, help="With --fix: skip the confirmation prompt.")
@json_option
@with_options(DoctorOptions)
def command(app: App, options: DoctorOptions) -> int:
    """Check Git, Terraform, versions, the bucket and the lock files. Exits with 1 if something is wrong.

    With --github, also checks that only reviewed changes can be applied from GitHub. A `?` marks what the
    token cannot see. With --fix, first sets environments, their branches and reviewers, the protection of
    trunk, and the permissions of workflows.
    """
    from orchestrator.quality.doctor import (
        APPROVAL,
        OWNER,
        VARIABLES,
        check_outside_project,
        run_checks,
    )

    if options.fix:
        _set_up_github(app, options)
    checks: list[DoctorCheck] = []
    unowned: list[DoctorCheck] = []
    try:
        project = app.project(needs_stacks=False)
        unowned = _check_owners(app, project)
        results = chain(
            run_checks(project, app.environ),
            [_check_sandbox(app)],
            unowned,
            _check_forge(app, project) if options.github else _check_workflow_installs(project),
        )
    except GitError:
        results = chain(check_outside_project(app.cwd))
    for check in results:
        checks.append(check)
        if not options.as_json:
            _print_check(app, check)
    errors = {check.name for check in checks if check.status == "error"}
    wrong = Exit.USAGE if unowned or errors & {APPROVAL, OWNER, VARIABLES} else Exit.ERROR
    code = int(wrong if errors else Exit.OK)
    return app.emit("doctor", code, checks=[asdict(check) for check in checks]) if options.as_json else code


def _set_up_github(app: App, options: DoctorOptions) -> None:
    """Sets what is missing on GitHub, and prints what is left to people."""
    from orchestrator.cli.support.github_setup import set_up_github

    if not options.github:
        raise UsageError("--fix sets what is missing on GitHub.", advice="Add --github.")
    project = app.project(needs_stacks=False)
    result = set_up_github(
        app, project, project.order.all, "", options.reviewers, is_confirmed=options.auto_approve
    )
    for note in result.notes:
        app.note(note)
    if not result.changed:
        app.note("Nothing has to be set on GitHub.")


def _print_check(app: App, check: DoctorCheck) -> None:
    """One check, with its place, its reason and what to do where it has them."""
    from rich.text import Text

    from orchestrator.forge.check import ForgeCheck

    console = app.console()
    sign, style = SIGNS[check.status]
    more = check if isinstance(check, ForgeCheck) else None
    location = ":".join(str(part) for part in (more.file, more.line) if part) if more else ""
    head = f"{location}: {check.message}" if location else check.message
    console.print(Text.assemble((f"{sign} ", style), (f"{check.name}: ", "bold"), head))
    if more and more.why:
        console.print(Text(f"  {more.why}"))
    if check.advice:
        console.print(Text(f"  → {check.advice}"))


def _check_workflow_installs(project: Project) -> Iterator[DoctorCheck]:
    """Workflows here that install infra without pins."""
    from orchestrator.forge.factory import check_workflow_installs

    yield from check_workflow_installs(project)


def _check_owners(app: App, project: Project) -> list[DoctorCheck]:
    """Why `approved_by: codeowners` cannot work, if it is configured and cannot."""
    from orchestrator.forge.owners import find_owner_problems
    from orchestrator.report.doctor_check import DoctorCheck

    return [
        DoctorCheck("owners", "error", problem.message, problem.advice)
        for problem in find_owner_problems(project, app.environ)
    ]


def _check_forge(app: App, project: Project) -> Iterator[DoctorCheck]:
    """How the repository is set up on GitHub."""
    from orchestrator.forge.factory import examine_forge

    yield from examine_forge(project, app.environ)


def _check_sandbox(app: App) -> DoctorCheck:
    """Whether what runs here runs on the sandbox, and whether that lives."""
    from orchestrator.cli.support.sandbox_project import sandbox_folder
    from orchestrator.report.doctor_check import DoctorCheck
    from orchestrator.sandbox import attach, launch

    folder = sandbox_folder(app, None)
    attached = bool(app.environ.get("INFRA_SANDBOX"))
    if attach.running(folder):
        where = "nothing here is real" if attached else "only `infra sandbox exec` uses it"
        return DoctorCheck("sandbox", "ok", f"it runs in {folder}: {where}")
    if attached:
        advice = "Start it again: `infra sandbox up`, outside of `infra sandbox exec`."
        return DoctorCheck(
            "sandbox", "error", f"we are attached to {folder}, where none runs any more", advice
        )
    missing = launch.missing_packages()
    if missing:
        return DoctorCheck("sandbox", "ok", f"not installed ({', '.join(missing)}): {launch.INSTALL}")
    return DoctorCheck("sandbox", "ok", "none runs; `infra sandbox up` starts one")
