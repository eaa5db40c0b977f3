"""The user's pager, as `PAGER` names it."""

from __future__ import annotations

import shlex
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrator.errors import ProcessError
from orchestrator.process.foreground import feed_program

if TYPE_CHECKING:
    from orchestrator.cli.app import App

# What less and lv get where the user sets nothing, as Git does it: show colours, and leave the last page
# on the screen.
PAGER_VARIABLES = {"LESS": "FRX", "LV": "-c"}
# Taken in this order where PAGER is not set.
USUAL_PAGERS = ("less", "more")
# Exit codes of a pager that was left by Ctrl-C: that is no failure.
_LEFT = (-signal.SIGINT, 128 + signal.SIGINT)


def pager_argv(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The program that shows long output, and its arguments; empty where there is to be none.

    There is none where `PAGER` is empty or `cat`, and on a terminal that cannot move its cursor. ProcessError
    where it names no program that can be run.
    """
    if environ.get("TERM") == "dumb":
        return ()
    path = environ.get("PATH", "")
    setting = environ.get("PAGER")
    if setting is None:
        return next(((program,) for name in USUAL_PAGERS if (program := shutil.which(name, path=path))), ())
    try:
        argv = shlex.split(setting)
    except ValueError as error:
        raise ProcessError(f"PAGER is no command: {error}.") from error
    if not argv or argv == ["cat"]:
        return ()
    program = shutil.which(argv[0], path=path)
    if program is None:
        raise ProcessError(f"PAGER names {argv[0]}, which is no program on PATH.")
    return (program, *argv[1:])


def _shows_colour(argv: tuple[str, ...], env: Mapping[str, str]) -> bool:
    """Whether a pager shows colours; less prints their codes unless it is set otherwise."""
    if Path(argv[0]).name != "less":
        return True
    options = (*env["LESS"].split(), *argv[1:])
    return any(
        option.lower() == "--raw-control-chars" if option.startswith("--") else "r" in option.lower()
        for option in options
    )


def show_in_pager(app: App, text: str) -> Literal["printed", "paged"]:
    """Shows text for people in the pager; prints it where there is none, or where it fails; notes why."""
    try:
        argv = pager_argv(app.environ)
        if argv:
            env = {**PAGER_VARIABLES, **app.environ}
            page = text if _shows_colour(argv, env) else _without_colour(text)
            app.stdout.flush()
            code = feed_program(argv, env, page.encode("utf-8", "replace"))
            if code == 0 or code in _LEFT:
                return "paged"
            app.note(f"The pager {argv[0]} failed ({_format_end(code)}): what follows is the whole output.")
    except ProcessError as error:
        app.note(f"{error.message} What follows is printed without a pager.")
    except OSError as error:
        app.note(f"The pager cannot be started: {error.strerror}. What follows is printed without it.")
    app.data(text)
    return "printed"


def _format_end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _without_colour(text: str) -> str:
    import click

    return click.unstyle(text)
