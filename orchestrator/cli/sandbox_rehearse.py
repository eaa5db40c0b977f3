"""`infra sandbox rehearse`: a change of this repository through all environments, in a throw-away clone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import with_options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.sandbox.attach import Info


@dataclass(frozen=True, kw_only=True)
class SandboxRehearseOptions:
    """The options of `infra sandbox rehearse`."""

    branch: str | None
    directory: str | None
    keep: bool
    pages: str | None
    allow_destroy: bool


@click.command(
    name="rehearse",
    epilog="""\b
Examples:
  infra sandbox rehearse                           what is in the working tree, committed or not
  infra sandbox rehearse --pull-request my-branch  a branch
  infra sandbox rehearse --pages pages             write the pull request and the runs as HTML files
  infra sandbox rehearse --keep --dir play         leave the clone and its sandbox running, to look around
""",
)
@click.option("--pull-request", "branch", metavar="BRANCH", help="Rehearse this branch.")
@click.option(
    "--dir", "directory", metavar="DIR", help="Create the clone in DIR, which must be new or empty."
)
@click.option("--keep", is_flag=True, help="Keep the clone, with its sandbox running.")
@click.option("--pages", metavar="DIR", help="Write the pages of the pull request and of its runs to DIR.")
@click.option(
    "--allow-destroy", is_flag=True, help="Add the label that allows deletions to the pull request."
)
@with_options(SandboxRehearseOptions)
def rehearse(app: App, options: SandboxRehearseOptions) -> int:
    """Rehearse a change of this repository: plan, comment, approve, merge, apply in every environment.

    Works in a temporary clone, with your uncommitted changes, and never writes to this one. Providers and
    GitHub are simulated; Git and Terraform are real. Applies trunk first, so that the plan shows only the
    change. Needs no account, network or origin. Exits with 0 only if every step succeeds.
    """
    from orchestrator.cli.demo import run_sandbox, serve_infra
    from orchestrator.cli.support.sandbox_project import find_trunk, prepare_sandbox
    from orchestrator.cli.terminal.demo_narrator import RichNarrator
    from orchestrator.process import Supervisor
    from orchestrator.repository.git import Repository
    from orchestrator.sandbox import control
    from orchestrator.sandbox.demo import Stage
    from orchestrator.sandbox.demo.repository import environment
    from orchestrator.sandbox.github.push import repository_name
    from orchestrator.sandbox.rehearsal import RehearsalClone, RehearsalOptions, rehearse

    project = app.project(needs_stacks=False)
    repository = Repository.open(app.cwd)
    name = repository_name(repository.remote_url(), repository.top)
    variables = {key: value for key, value in app.environ.items() if key.startswith("TF_VAR_")}
    environ = {**environment(app.environ), **variables}
    supervisor, narrator = Supervisor(), RichNarrator(app.console())
    with (
        supervisor.handling_signals(),
        _clone_folder(app, options, name.rpartition("/")[2]) as folder,
        serve_infra() as infra,
    ):
        clone = RehearsalClone(repository.top, folder, environ, supervisor)
        commits = clone.make(find_trunk(app, repository), options.branch)
        root = folder / project.root.relative_to(repository.top)
        inside = App(environ, app.stdin, app.stdout, app.stderr, str(root))
        with run_sandbox(app, root, keep=options.keep) as info:

            def prepared() -> Info:
                return prepare_sandbox(inside, info)

            stage = Stage(root, environ, supervisor, narrator, prepared(), prepared, infra)
            clone.set_origin(control.call_github(stage.info, "repository", name=stage.info.repository))
            environments, is_new = _environments(inside, commits.head)
            number = rehearse(stage, commits, RehearsalOptions(environments, is_new, options.allow_destroy))
            if options.pages:
                for path in _write_pages(stage.info, number, app.cwd / options.pages):
                    app.write(f"wrote        {path}")
            narrator.checked(f"merged and applied in {', '.join(environments)}")
            if options.keep:
                app.write(f"The clone: {root}. The pages: infra sandbox github url, in that folder.")
    return 0


def _environments(app: App, head: str) -> tuple[tuple[str, ...], bool]:
    """The environments of the proposed commit in promotion order, and whether trunk has no stacks yet."""
    from orchestrator.repository.layout import require_stacks
    from orchestrator.repository.loading import load_commit

    project = app.project(needs_stacks=False)
    proposed = load_commit(project, head)
    require_stacks(proposed)
    if proposed.order.unordered:
        names = ", ".join(proposed.order.unordered)
        raise UsageError(
            f"The place of {names} in the promotion order is not known.",
            advice="List all environments in order under `environments:` in infra.yaml.",
        )
    return proposed.order.names, not project.stacks


@contextmanager
def _clone_folder(app: App, options: SandboxRehearseOptions, name: str) -> Iterator[Path]:
    """The clone's folder, which does not exist yet; it goes away at the end unless it is kept."""
    if options.directory:
        folder = (app.cwd / options.directory).resolve()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty.", advice="Name a folder that is new or empty.")
    else:
        folder = Path(tempfile.mkdtemp(prefix="infra-rehearsal-")).resolve() / name
    try:
        yield folder
    finally:
        if not options.keep:
            shutil.rmtree(folder if options.directory else folder.parent, ignore_errors=True)


def _write_pages(info: Info, number: int, folder: Path) -> list[str]:
    """The pages of a pull request and of all runs, as HTML files; their names."""
    from orchestrator.sandbox import attach, control

    folder.mkdir(parents=True, exist_ok=True)
    runs = control.read_github(info, "actions/runs")["workflow_runs"]
    pages: Mapping[str, str] = {
        f"pull-{number}.html": f"pull/{number}",
        **{f"run-{run['id']}.html": f"actions/runs/{run['id']}" for run in runs},
    }
    for name, path in pages.items():
        text = control.read_page(info, f"/{info.repository}/{path}")
        (folder / name).write_text(text.replace(attach.url(info.github), ""), encoding="utf-8")
    return [str(folder / name) for name in pages]
