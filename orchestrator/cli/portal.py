"""`infra portal build` and `infra portal serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import Duration, JsonOptions, json_option, with_options
from orchestrator.errors import InfraError, UsageError

if TYPE_CHECKING:
    from orchestrator.portal.build import PortalBuild
    from orchestrator.portal.folder import PortalFolder
    from orchestrator.portal.source import PortalGate

# Seconds for which requests to GitHub are tried again.
GATE_SECONDS = 5.0

EPILOG = """\b
Examples:
  infra portal build --out site        write the pages, or only those that have changed
  infra portal serve                   build it, and show it on this machine
  infra portal build --out site --json for a program
"""

since_option = click.option(
    "--since",
    type=Duration(),
    default="30d",
    show_default=True,
    metavar="DURATION",
    help="The window of the figures, which ends now.",
)


@dataclass(frozen=True, kw_only=True)
class PortalBuildOptions(JsonOptions):
    """The options of `infra portal build`; `since` is in seconds."""

    out: Path
    since: float


@dataclass(frozen=True, kw_only=True)
class PortalServeOptions:
    """The options of `infra portal serve`; `since` is in seconds."""

    port: int
    since: float


@click.group(epilog=EPILOG)
def command() -> None:
    """Build static pages about stacks, runs, drift and pull requests, or show them on this machine.

    What needs a person, environments by stacks, each stack, run and pull request, drift, flow and parity. The
    pages need no server and no script, load nothing from elsewhere, and hold no value that masking
    hides.
    """


@command.command("build", epilog=EPILOG)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder of the pages: new, empty, or one that this command made.",
)
@since_option
@json_option
@with_options(PortalBuildOptions)
def build(app: App, options: PortalBuildOptions) -> int:
    """Write the pages to a folder; those that have not changed are left as they are.

    Reads what is new in the buckets. Does not run Terraform, and writes nothing else.
    """
    folder, outcome = _build(app, app.cwd / options.out, options.since)
    index = folder.path.resolve() / "index.html"
    if options.as_json:
        return app.emit(
            "portal build",
            index=str(index),
            pages=outcome.pages,
            written=outcome.written,
            removed=outcome.removed,
        )
    app.write(f"{index}: {outcome.pages} pages, {outcome.written} files written, {outcome.removed} removed.")
    return 0


@command.command("serve", epilog=EPILOG)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8420, show_default=True, help="The port; 0 for any."
)
@since_option
@with_options(PortalServeOptions)
def serve(app: App, options: PortalServeOptions) -> int:
    """Build the pages in .infra/portal, and show them on 127.0.0.1 until Ctrl-C."""
    from orchestrator.engine.folders import Folders
    from orchestrator.portal.server import PortalServer
    from orchestrator.repository.git import Repository
    from orchestrator.repository.loading import find_root

    repository = Repository.open(app.cwd)
    folders = Folders(find_root(app.cwd, repository.top))
    folders.prepare()
    folder, _ = _build(app, folders.base / "portal", options.since)
    try:
        server = PortalServer(folder, options.port)
    except OSError as error:
        raise UsageError(
            f"Port {options.port} cannot be used: {error.strerror}.", advice="Name another one: --port 0"
        ) from error
    with server:
        app.write(f"{server.url} shows the portal; Ctrl-C ends it.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _build(app: App, path: Path, since: float) -> tuple[PortalFolder, PortalBuild]:
    """Reads everything and writes the pages; a folder of somebody else's is refused before."""
    from datetime import UTC, datetime, timedelta

    from orchestrator.cli.support.dataset import note_hidden, open_dataset
    from orchestrator.insight.metrics_source import days_of_history
    from orchestrator.portal.build import build_portal
    from orchestrator.portal.folder import PortalFolder
    from orchestrator.portal.source import read_source
    from orchestrator.repository.loading import no_garbage_collection

    if since <= 0:
        raise UsageError("--since 0s leaves nothing.", advice="For example: --since 30d")
    now, window = datetime.now(UTC).replace(microsecond=0), timedelta(seconds=since)
    project = app.project()
    folder = PortalFolder.open(path)
    with no_garbage_collection():
        with open_dataset(app, days=days_of_history(window), project=project) as session:
            source = read_source(session, project, app.environ, now, window, _read_gates(app))
            note_hidden(app, session)
        return folder, build_portal(source, folder)


def _read_gates(app: App) -> tuple[PortalGate, ...] | str:
    """The runs that wait for a reviewer on GitHub; why they are not known where that cannot be read."""
    from orchestrator.forge.factory import open_forge
    from orchestrator.forge.retry_policy import RetryPolicy
    from orchestrator.portal.source import PortalGate

    if not app.environ.get("GITHUB_TOKEN"):
        return "there is no GITHUB_TOKEN."
    try:
        with open_forge(app.environ, RetryPolicy(total=GATE_SECONDS)) as forge:
            return tuple(PortalGate(run.title, run.url, run.since) for run in forge.waiting_runs())
    except InfraError as error:
        return error.message
