"""`infra doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, GitError

if TYPE_CHECKING:
    from orchestrator.project.model import Project
    from orchestrator.run.doctoring import Check

EPILOG = """\b
Examples:
  infra doctor
  infra doctor --json
  GH_TOKEN="$(gh auth token)" infra doctor --github     the repository's settings and workflows too
"""

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red"), "unseen": ("?", "cyan")}


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(JsonOptions):
    """The options of `infra doctor`."""

    github: bool


@click.command(epilog=EPILOG)
@click.option("--github", is_flag=True, help="Look at the settings on GitHub, workflows and CODEOWNERS too.")
@json_option
@with_options(DoctorOptions)
def command(app: App, options: DoctorOptions) -> int:
    """Check git, Terraform, versions, the bucket and the lock files. Exit 1 when something is wrong.

    With --github also whether GitHub is set up so that a merge does what was reviewed and nothing else can.
    What the token may not see is marked `?`: it is neither right nor wrong.
    """
    from orchestrator.run.doctoring import examine, outside

    checks: list[Check] = []
    unowned: list[Check] = []
    try:
        project = app.project(needs_stacks=False)
        unowned = owners(app, project)
        found = chain(
            examine(project, app.environ),
            [sandbox(app)],
            unowned,
            on_github(app, project) if options.github else workflow_installs(project),
        )
    except GitError:
        found = chain(outside(app.cwd))
    for check in found:
        checks.append(check)
        if not options.as_json:
            show(app, check)
    wrong = Exit.USAGE if unowned else Exit.ERROR
    code = int(wrong if any(check.status == "error" for check in checks) else Exit.OK)
    return app.emit("doctor", code, checks=[asdict(check) for check in checks]) if options.as_json else code


def show(app: App, check: Check) -> None:
    """One check, with its place, its reason and what to do where it has them."""
    from rich.text import Text

    from orchestrator.ci.doctor.check import GitHubCheck

    console = app.console()
    sign, style = SIGNS[check.status]
    more = check if isinstance(check, GitHubCheck) else None
    place = ":".join(str(part) for part in (more.file, more.line) if part) if more else ""
    head = f"{place}: {check.message}" if place else check.message
    console.print(Text.assemble((f"{sign} ", style), (f"{check.name}: ", "bold"), head))
    if more and more.why:
        console.print(Text(f"  {more.why}"))
    if check.advice:
        console.print(Text(f"  → {check.advice}"))


def workflow_installs(project: Project) -> Iterator[Check]:
    """Workflows here that install infra without pins."""
    from orchestrator.ci.doctor.workflow_files import read_all
    from orchestrator.ci.doctor.workflows import installs

    for workflow in read_all(project.tree):
        yield from installs(workflow)


def owners(app: App, project: Project) -> list[Check]:
    """Why `approved_by: codeowners` cannot work, if it is configured and cannot."""
    from orchestrator.review.owners import problems
    from orchestrator.run.doctoring import Check

    return [Check("owners", "error", one.message, one.advice) for one in problems(project, app.environ)]


def on_github(app: App, project: Project) -> Iterator[Check]:
    """How the repository is set up on GitHub."""
    from orchestrator.ci.doctor.examining import examine_github

    yield from examine_github(project, app.environ)


def sandbox(app: App) -> Check:
    """Whether what runs here runs on the sandbox, and whether that lives."""
    from orchestrator.cli.sandbox_needs import sandbox_folder
    from orchestrator.run.doctoring import Check
    from orchestrator.sandbox import attach, launch

    folder = sandbox_folder(app, None)
    attached = bool(app.environ.get("INFRA_SANDBOX"))
    if attach.running(folder):
        where = "nothing here is real" if attached else "only `infra sandbox exec` uses it"
        return Check("sandbox", "ok", f"it runs in {folder}: {where}")
    if attached:
        advice = "Start it again: `infra sandbox up`, outside of `infra sandbox exec`."
        return Check("sandbox", "error", f"we are attached to {folder}, where none runs any more", advice)
    missing = launch.missing_packages()
    if missing:
        return Check("sandbox", "ok", f"not installed ({', '.join(missing)}): {launch.INSTALL}")
    return Check("sandbox", "ok", "none runs; `infra sandbox up` starts one")
