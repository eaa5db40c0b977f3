"""`infra demo`: a change from a branch to production and a scheduled drift check, on the sandbox."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import with_options
from orchestrator.cli.terminal.demo_narrator import MARGIN, RichNarrator
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.process import Supervisor
    from orchestrator.sandbox.attach import Info

# Both: with one alone the terminal that the demo is started on would have a say.
PICTURE_WIDTH, PICTURE_HEIGHT = 100, 50


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The options of `infra demo`."""

    keep: bool
    directory: str | None
    svg: str | None


@click.command(
    epilog="""\b
Examples:
  infra demo                     everything, in a folder that goes away
  infra demo --keep --dir play   and leave the folder to play in
"""
)
@click.option("--keep", is_flag=True, help="Keep the folder.")
@click.option(
    "--dir", "directory", metavar="DIR", help="Create the repository in DIR, which must be new or empty."
)
@click.option("--svg", metavar="FILE", help="Also write an animated picture of the main scenes to FILE.")
@with_options(DemoOptions)
def command(app: App, options: DemoOptions) -> int:
    """Watch a real change go from a branch to production.

    Creates a platform, kills a machine during an apply, takes a pull request to production, completes a
    cancelled job, and finds a change that was made by hand. Git, Terraform and the state are real; Google's
    providers and GitHub are simulated. Needs no account and no network. Exits with 0 only if every step
    succeeds.
    """
    from orchestrator.cli.support.sandbox_project import prepare_sandbox
    from orchestrator.process import Supervisor
    from orchestrator.sandbox.demo import STORY, Stage, ending, play, repository

    began = time.monotonic()
    supervisor = Supervisor()
    console = app.console()
    picture = _picture_console() if options.svg else None
    narrator = RichNarrator(console, picture)
    with (
        supervisor.handling_signals(),
        _demo_folder(app, options.directory, options.keep) as folder,
        serve_infra() as infra,
    ):
        terraform = _describe_terraform(app, supervisor, folder)
        console.print(f"Repository {folder}, {terraform}.")
        repository.lay_out(folder, date.today())
        environ = {**repository.environment(app.environ), **_console_variables(console, picture)}
        with run_sandbox(app, folder) as info:

            def prepared() -> Info:
                return prepare_sandbox(App(environ, app.stdin, app.stdout, app.stderr, str(folder)), info)

            play(Stage(folder, environ, supervisor, narrator, info, prepared, infra), STORY)
        seconds = time.monotonic() - began
        console.print(
            f"\nEvery step succeeded, in {seconds:.0f} s ({narrator.seconds:.0f} s of them in commands)."
        )
        console.print(f"The portal of all this: {_keep_portal(folder / ending.PORTAL, options.keep)}")
        if options.keep:
            console.print(f"To play on: cd {folder}; infra sandbox up; infra sandbox exec -- infra plan")
    if options.svg and picture:
        _save_picture(picture, app.cwd / options.svg)
    return 0


@contextmanager
def _demo_folder(app: App, directory: str | None, keep: bool) -> Iterator[Path]:
    """The folder that the demo plays in; it goes away at the end, however that comes, unless it is kept."""
    if directory:
        folder = (app.cwd / directory).resolve()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty.", advice="Name a folder that is new or empty.")
        folder.mkdir(parents=True, exist_ok=True)
    else:
        # Its name is the repository's on the sandbox's GitHub.
        folder = Path(tempfile.mkdtemp(prefix="infra-demo-")).resolve() / "platform"
        folder.mkdir()
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder if directory else folder.parent, ignore_errors=True)


def _keep_portal(portal: Path, keep: bool) -> str:
    """The address of the portal's first page; it is moved out of a folder that goes away."""
    if not keep:
        portal = Path(shutil.move(portal, tempfile.mkdtemp(prefix="infra-portal-")))
    return (portal / "index.html").as_uri()


@contextmanager
def serve_infra() -> Iterator[tuple[str, ...]]:
    """How the demo's commands are started: on Linux forked from one process, so that none imports again."""
    from orchestrator.sandbox.demo.stage import INFRA

    if sys.platform != "linux":
        yield INFRA
        return
    from orchestrator.cli.support import prefork

    with prefork.serving() as path:
        yield prefork.client_argv(path)


@contextmanager
def run_sandbox(app: App, folder: Path, *, keep: bool = False) -> Iterator[Info]:
    """A sandbox that ends with this block, and with this process if it dies inside it; not with `keep`."""
    from orchestrator.sandbox import launch

    if keep:
        yield launch.start(folder / ".infra/sandbox", app.environ)[0]
        return
    reader, writer = os.pipe()
    try:
        info, _ = launch.start(folder / ".infra/sandbox", app.environ, hold=reader)
        try:
            yield info
        finally:
            launch.stop(info)
    finally:
        os.close(reader)
        os.close(writer)


def _describe_terraform(app: App, supervisor: Supervisor, folder: Path) -> str:
    """Which Terraform the demo runs, in words; BinaryError with an advice when there is none."""
    from orchestrator.terraform.binary import find_binary

    binary = find_binary(None, app.environ, supervisor, folder / ".infra/cache")
    return f"{binary.flavour} {binary.version} ({binary.source})"


def _console_variables(console: Console, picture: Console | None) -> dict[str, str]:
    """What makes commands print for the consoles that show what they print."""
    width = min(target.width for target in (console, picture) if target is not None) - len(MARGIN)
    coloured = console.is_terminal or picture is not None
    return {"COLUMNS": str(max(width, 60)), **({"FORCE_COLOR": "1"} if coloured else {})}


def _picture_console() -> Console:
    """A console that nobody sees and that remembers what it printed."""
    from rich.console import Console

    return Console(
        file=StringIO(),
        record=True,
        width=PICTURE_WIDTH,
        height=PICTURE_HEIGHT,
        force_terminal=True,
        color_system="truecolor",
    )


def _save_picture(picture: Console, path: Path) -> None:
    """Write the picture, with fonts of the machine that shows it: none is fetched from anywhere."""
    from rich._export_format import CONSOLE_SVG_FORMAT

    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    picture.save_svg(str(path), title="infra demo", code_format=plain)
