"""`infra sandbox`: start, stop and look at a cloud in a folder, and run commands on it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, with_options
from orchestrator.cli.sandbox_faults import faults
from orchestrator.cli.sandbox_github import github
from orchestrator.cli.sandbox_rehearse import rehearse
from orchestrator.cli.sandbox_world import world
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.engine.session import Session
    from orchestrator.repository.model import Project
    from orchestrator.sandbox.attach import Info

DIRECTORY = click.argument("directory", metavar="[DIR]", required=False, type=click.Path(file_okay=False))
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class WithCommand(click.Command):
    """A command whose arguments after `--` are another program's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what follows the first `--` as it is, in `ctx.meta`."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["program"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The usage line, with what `--` introduces."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


@click.group(
    epilog="""\b
Examples:
  infra sandbox up                             start it (in .infra/sandbox)
  infra sandbox exec -- infra plan             rehearse on it, with no account anywhere
  infra sandbox exec --account prod:plan -- infra plan prod
  infra sandbox world list                     what exists in it
  infra sandbox github open BRANCH             rehearse a pull request
  infra sandbox down                           stop it; the folder keeps everything
"""
)
def command() -> None:
    """Run a simulated cloud in a folder, for tests and rehearsals.

    It has a Cloud Storage server, simulated providers, their resources (the world), and a GitHub, all on
    127.0.0.1. Nothing reaches a real cloud. DIR is .infra/sandbox of the project by default.
    """


@dataclass(frozen=True, kw_only=True)
class SandboxUpOptions(JsonOptions):
    """The options of `infra sandbox up`."""

    directory: str | None
    hold_fd: int | None


@command.command(
    epilog="""\b
Examples:
  infra sandbox up
  infra sandbox up ../scratch/cloud
"""
)
@DIRECTORY
@JSON
@click.option("--hold-fd", type=int, hidden=True, help="End when this pipe's writers are gone.")
@with_options(SandboxUpOptions)
def up(app: App, options: SandboxUpOptions) -> int:
    """Start the sandbox, with the buckets and accounts that the project names.

    Without DIR, uses the sandbox in .infra/sandbox.
    """
    from orchestrator.sandbox import attach, launch

    info, started = launch.start(folder_of(app, options.directory), app.environ, options.hold_fd)
    info = prepared(app, info, to_run=False)
    if options.as_json:
        return app.emit(app.command, sandbox={"new": started, **_public_document(info)})
    app.write(f"The sandbox is {'up' if started else 'already up'} in {info.folder} (pid {info.pid}).")
    app.write(f"GCS on {info.gcs_url}, {len(info.accounts)} accounts.")
    app.write(f"GitHub on {attach.url(info.github)}, for rehearsals: infra sandbox github --help")
    app.write("Next: infra sandbox exec -- infra plan")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxDownOptions:
    """The options of `infra sandbox down`."""

    directory: str | None


@command.command(
    epilog="""\b
Examples:
  infra sandbox down
"""
)
@DIRECTORY
@with_options(SandboxDownOptions)
def down(app: App, options: SandboxDownOptions) -> int:
    """Stop the sandbox. Its folder keeps all data.

    Without DIR, uses the sandbox in .infra/sandbox.
    """
    from orchestrator.sandbox import attach, launch

    folder = folder_of(app, options.directory)
    info = attach.running(folder)
    if info is None:
        app.write(f"No sandbox is running in {folder}.")
        return 0
    launch.stop(info)
    app.write(f"The sandbox in {folder} has ended.")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxStatusOptions(JsonOptions):
    """The options of `infra sandbox status`."""

    directory: str | None


@command.command(
    epilog="""\b
Examples:
  infra sandbox status
  infra sandbox status --json
"""
)
@DIRECTORY
@JSON
@with_options(SandboxStatusOptions)
def status(app: App, options: SandboxStatusOptions) -> int:
    """Show ports, accounts, buckets and the size of the world.

    Without DIR, uses the sandbox in .infra/sandbox.
    """
    from orchestrator.sandbox import attach, control

    info = attach.require(folder_of(app, options.directory))
    facts = control.call(info, "status")
    if options.as_json:
        return app.emit(app.command, sandbox={**_public_document(info), **facts})
    app.write(f"The sandbox in {info.folder} is up (pid {info.pid}).")
    app.write(f"GCS       {info.gcs_url}")
    for name, port in sorted(info.accounts.items()):
        app.write(f"          {attach.url(port)}  {name}")
    if info.github:
        app.write(f"GitHub    {attach.url(info.github)}  {info.repository}".rstrip())
    for source, port in sorted(facts["providers"].items()):
        app.write(f"Provider  {source}  {attach.LOOPBACK}:{port}")
    for name, objects in sorted(facts["buckets"].items()):
        app.write(f"Bucket    {name}  {objects} objects")
    app.write(f"World     {facts['world']} resources" + (", failures on" if facts["faults"] else ""))
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxExecOptions:
    """The options of `infra sandbox exec`."""

    directory: str | None
    account: str
    event: str | None
    run: int | None
    real: tuple[str, ...]


@command.command(
    name="exec",
    cls=WithCommand,
    epilog="""\b
Examples:
  infra sandbox exec -- infra plan
  infra sandbox exec -- terraform -chdir=infra/envs/dev/network plan
  infra sandbox exec --account prod:plan -- infra plan prod
  infra sandbox exec --event pull_request:1 -- infra ci plan
  infra sandbox exec --real hashicorp/aws -- infra plan dev
""",
)
@DIRECTORY
@click.option(
    "--real",
    multiple=True,
    metavar="PROVIDER",
    help="Use this real provider, with the endpoints in `sandbox.real` of infra.yaml.",
)
@click.option(
    "--account",
    metavar="ENV:ROLE",
    default="owner",
    show_default=True,
    help="Act as this account: its ROLE is plan, apply or drift.",
)
@click.option(
    "--event",
    metavar="EVENT[:N]",
    help="Run as a job of this GitHub event: pull_request:1, push, issue_comment:1, schedule.",
)
@click.option(
    "--run",
    type=click.IntRange(1),
    metavar="N",
    help="Run as another job of this run, which an event started before.",
)
@with_options(SandboxExecOptions)
def exec_(app: App, options: SandboxExecOptions) -> int:
    """Run a command on the sandbox. Its Terraform and infra reach nothing else.

    Without DIR, uses the sandbox in .infra/sandbox.
    """
    from orchestrator.sandbox import attach
    from orchestrator.sandbox.real import resolve_variables, use_real_providers

    argv: tuple[str, ...] = click.get_current_context().meta["program"]
    if not argv:
        raise UsageError("There is no command to run.", advice="Write it after `--`: exec -- infra plan")
    info = attach.require(folder_of(app, options.directory))
    declared = app.project(needs_stacks=False).config.sandbox.real if options.real else {}
    pointed = resolve_variables(declared, options.real, attach.addresses(info, options.account))
    info = prepared(app, info, pointed=pointed)
    environment = attach.environment(info, app.environ, options.account)
    if pointed:
        environment = use_real_providers(environment, pointed)
    if options.run and not options.event:
        raise UsageError("A run has an event.", advice="Add --event push, or how the run was started.")
    if options.event:
        from orchestrator.sandbox import jobs

        # The job that comments follows those that plan, in one run of the workflow.
        is_later_job = argv[:3] == ("infra", "ci", "comment")
        variables = jobs.job_variables(info, options.event, options.run or 0, continues=is_later_job)
        app.note(f"A job of run {variables['GITHUB_RUN_ID']}, on {variables['GITHUB_SHA'][:12]}.")
        environment |= variables
        _fetch_host_trunk(app, info)
    program, argv = _resolve_program(argv, environment)
    os.chdir(app.cwd)
    # The program takes our place: its terminal, its signals and its exit code are its own.
    os.execve(program, argv, environment)  # noqa: S606


@dataclass(frozen=True, kw_only=True)
class SandboxRecordOptions:
    """The options of `infra sandbox record`."""

    stacks: tuple[str, ...]
    directory: str | None


@command.command(
    epilog="""\b
Examples:
  infra sandbox record                 every stack of the project
  infra sandbox record dev/network     one stack
"""
)
@click.argument("stacks", metavar="[STACK]...", nargs=-1)
@click.option("--dir", "directory", metavar="DIR", type=click.Path(file_okay=False), help="The sandbox.")
@with_options(SandboxRecordOptions)
def record(app: App, options: SandboxRecordOptions) -> int:
    """Record the schemas of the real providers that stacks use, so that they can be simulated.

    Runs `terraform init` and `terraform providers schema`; run it where the providers can be installed.
    Without a name, for every stack.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.sandbox import attach

    if app.environ.get("INFRA_SANDBOX"):
        raise UsageError(
            "Here every provider is simulated already.",
            advice="Run `infra sandbox record` outside of `infra sandbox exec`.",
        )
    folder = folder_of(app, options.directory)
    with run_session(app) as session:
        chosen = (
            session.context.select(options.stacks, app.cwd)
            if options.stacks
            else tuple(session.context.project.stacks)
        )
        before = set((folder / "schemas").glob("*"))
        written: set[Path] = set()
        for stack in _covering_stacks(session.context.project, chosen):
            app.note(f"{stack}: recording the schemas of its providers")
            written |= set(_record_providers(session, stack, folder))
    for path in sorted(written):
        app.write(str(path))
    if not written:
        app.write("These stacks use no provider but Terraform's own: there is nothing to record.")
    if written & before and attach.running(folder):
        app.write("The sandbox plays what was recorded before until: infra sandbox down; infra sandbox up")
    return 0


command.add_command(world)
command.add_command(faults)
command.add_command(github)
command.add_command(rehearse)


def _resolve_program(argv: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The program's path and its arguments. `infra` is this infra, on PATH or not."""
    if argv[0] == "infra":
        return sys.executable, (sys.executable, "-P", "-m", "orchestrator", *argv[1:])
    program = shutil.which(argv[0], path=environment.get("PATH"))
    if program is None:
        raise UsageError(f"There is no program {argv[0]!r}.", advice="Name one on PATH, or by its path.")
    return program, argv


def folder_of(app: App, directory: str | None) -> Path:
    """The sandbox's folder: as given, else the one we are attached to, else the project's own."""
    from orchestrator.cli.support.sandbox_project import sandbox_folder

    return sandbox_folder(app, directory)


def prepared(app: App, info: Info, *, to_run: bool = True, pointed: Collection[str] = ()) -> Info:
    """Tell the sandbox what the project in the working folder needs; returns its description afterwards."""
    from orchestrator.cli.support.sandbox_project import prepare_sandbox

    return prepare_sandbox(app, info, to_run=to_run, pointed=pointed)


def _fetch_host_trunk(app: App, info: Info) -> None:
    """Before a job: `origin/TRUNK` of a clone whose origin is elsewhere becomes the sandbox's trunk.

    The next `git fetch` brings the real one back.
    """
    from orchestrator.cli.support.sandbox_project import find_trunk
    from orchestrator.repository.git import Repository
    from orchestrator.sandbox import control
    from orchestrator.sandbox.github.push import fetch_trunk

    repository = Repository.open(app.cwd)
    source = Path(control.call_github(info, "repository", name=info.repository))
    if str(source) in (repository.remote_url() or ""):
        return
    trunk, _ = find_trunk(app, repository)
    fetch_trunk(repository.root, source, trunk, app.environ)
    app.note(f"origin/{trunk} is the sandbox's trunk here until the next `git fetch`.")


def _public_document(info: Info) -> dict[str, Any]:
    """The sandbox in a JSON document, without its tokens."""
    document = info.document()
    del document["token"], document["github_token"], document["version"]
    return {"folder": str(info.folder), **document}


def _covering_stacks(project: Project, stacks: Sequence[str]) -> list[str]:
    """Stacks that together use every provider that `stacks` use, as few as come first."""
    chosen, covered = [], set[str]()
    for stack in stacks:
        used = set(project.types([stack]).providers)
        if used - covered:
            chosen.append(stack)
            covered |= used
    return chosen


def _record_providers(session: Session, stack: str, folder: Path) -> list[Path]:
    """Record one stack's providers in a shadow of its root: no backend is asked, nothing is written."""
    from orchestrator.engine.planner import shadow_workdir
    from orchestrator.sandbox import launch, schemas

    root = session.context.project.stacks[stack]
    work = shadow_workdir(session.terraform, root)
    session.terraform.init(root, work, shadow=True)
    launch.prepare_folder(folder)
    return schemas.record_schemas(session.terraform.client.providers_schema(work), folder / "schemas")
