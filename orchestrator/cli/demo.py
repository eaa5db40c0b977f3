"""`infra demo`: from an empty cloud to production, and through a night, on a cloud in a folder."""

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

from orchestrator.cli.context import App
from orchestrator.cli.demo_narrator import MARGIN, RichNarrator
from orchestrator.cli.options import with_options
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
@click.option("--keep", is_flag=True, help="Leave the folder, to play in.")
@click.option("--dir", "directory", metavar="DIR", help="Make the repository here; DIR must be new or empty.")
@click.option("--svg", metavar="FILE", help="Also write a picture of the main scenes.")
@with_options(DemoOptions)
def command(app: App, options: DemoOptions) -> int:
    """Watch a real change go from a branch to production.

    A platform is made, a machine dies, a pull request is planned, merged and applied as it was approved, a
    cancelled job is caught up, and a night finds what was changed by hand. Real git, real Terraform and real
    state in a bucket, on simulated Google providers and a simulated GitHub: no cloud, no account, no network.
    Exits with 0 only if every step did what it says.
    """
    from orchestrator.cli.sandbox_needs import prepare
    from orchestrator.process import Supervisor
    from orchestrator.sandbox.demo import STORY, Stage, play, repository

    began = time.monotonic()
    supervisor = Supervisor()
    console = app.console()
    picture = picture_console() if options.svg else None
    narrator = RichNarrator(console, picture)
    with (
        supervisor.handling_signals(),
        demo_folder(app, options.directory, options.keep) as folder,
        infra_argv() as infra,
    ):
        terraform = find_terraform(app, supervisor, folder)
        console.print(f"Repository {folder}, {terraform}.")
        repository.lay_out(folder, date.today())
        environ = {**repository.environment(app.environ), **looks(console, picture)}
        with sandbox(app, folder) as info:

            def prepared() -> Info:
                return prepare(App(environ, app.stdin, app.stdout, app.stderr, str(folder)), info)

            play(Stage(folder, environ, supervisor, narrator, info, prepared, infra), STORY)
        seconds = time.monotonic() - began
        console.print(
            f"\nEverything did what it said, in {seconds:.0f} s ({narrator.seconds:.0f} s of them commands)."
        )
        if options.keep:
            console.print(f"To play on: cd {folder}; infra sandbox up; infra sandbox exec -- infra plan")
    if options.svg and picture:
        save_picture(picture, app.cwd / options.svg)
    return 0


@contextmanager
def demo_folder(app: App, directory: str | None, keep: bool) -> Iterator[Path]:
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


@contextmanager
def infra_argv() -> Iterator[tuple[str, ...]]:
    """How the demo's commands are started: on Linux forked from one process, so that none imports again."""
    from orchestrator.sandbox.demo.stage import INFRA

    if sys.platform != "linux":
        yield INFRA
        return
    from orchestrator.cli import prefork

    with prefork.serving() as path:
        yield prefork.client_argv(path)


@contextmanager
def sandbox(app: App, folder: Path) -> Iterator[Info]:
    """A sandbox that ends with this block, and with this process if it dies inside it."""
    from orchestrator.sandbox import launch

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


def find_terraform(app: App, supervisor: Supervisor, folder: Path) -> str:
    """Which Terraform the demo runs, in words; BinaryError with an advice when there is none."""
    from orchestrator.terraform.binary import find_binary

    found = find_binary(None, app.environ, supervisor, folder / ".infra/cache")
    return f"{found.flavour} {found.version} ({found.source})"


def looks(console: Console, picture: Console | None) -> dict[str, str]:
    """What makes commands print for the consoles that show what they print."""
    width = min(one.width for one in (console, picture) if one is not None) - len(MARGIN)
    coloured = console.is_terminal or picture is not None
    return {"COLUMNS": str(max(width, 60)), **({"FORCE_COLOR": "1"} if coloured else {})}


def picture_console() -> Console:
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


def save_picture(picture: Console, path: Path) -> None:
    """Write the picture, with fonts of the machine that shows it: none is fetched from anywhere."""
    from rich._export_format import CONSOLE_SVG_FORMAT

    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    picture.save_svg(str(path), title="infra demo", code_format=plain)
