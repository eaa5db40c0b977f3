"""What a command has at hand: the folder, the environment, the streams, and how to speak to the user."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import click

from orchestrator.errors import ConfigError, InfraError, UsageError, exit_code_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderHook

    from orchestrator.project.model import Project

JSON_VERSION = 1
# What the text of an error begins with.
LABEL = "error"


class App:
    """One invocation of `infra`. Built once in `main`, or by a test with streams and a folder of its own.

    A plain class, and pathlib and json imported late: every command pays for what this module imports.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        folder: str = ".",
    ) -> None:
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.folder = folder
        self.debug = False
        self.no_color = False
        self.json = False
        self.command = ""

    @cached_property
    def cwd(self) -> Path:
        """The folder to work in, as -C says."""
        from pathlib import Path

        path = Path(self.folder).resolve()
        if not path.is_dir():
            raise UsageError(
                f"{self.folder} is not a folder.", advice="Give -C the path of a folder that exists."
            )
        return path

    @property
    def interactive(self) -> bool:
        """True when a question can be asked and answered."""
        return self.stdin.isatty() and self.stderr.isatty() and not self.json

    def console(self, stream: TextIO | None = None) -> Console:
        """A rich console on `stream` (standard output when not given).

        Off a terminal it has no colour, unless FORCE_COLOR says that who reads it can show some.
        """
        from rich.console import Console

        from orchestrator.cli.harmless import Hook, Log

        target = stream or self.stdout
        columns = self.environ.get("COLUMNS", "")
        terminal = target.isatty() or bool(self.environ.get("FORCE_COLOR"))
        console = Console(
            file=cast("IO[str]", Log(target)) if self.in_job else target,
            no_color=self.no_color or None,
            force_terminal=terminal,
            width=int(columns) if columns.isdigit() else (None if terminal else 120),
            highlight=False,
            soft_wrap=not terminal,
            legacy_windows=False,
        )
        console.push_render_hook(cast("RenderHook", Hook()))
        return console

    def project(self, *, needs_stacks: bool = True, for_guard: bool = False) -> Project:
        """The repository that the working folder is in, read once per call.

        ConfigError where no stack is found: "nothing to do" would hide a folder that was renamed.
        `for_guard` says that the guard will judge it: then its facts are taken from each file at once.
        """
        from orchestrator.project import load
        from orchestrator.project.layout import require_stacks

        memo = None
        if for_guard:
            from orchestrator.guard.code_facts import code_facts
            from orchestrator.repository.source import Memo

            memo = Memo(extract=code_facts)
        project = load(self.cwd, memo)
        if needs_stacks:
            require_stacks(project)
        return project

    @property
    def in_job(self) -> bool:
        """True in a job of GitHub Actions, which obeys some of the lines that are printed."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    def data(self, text: str) -> None:
        """What was asked for, to standard output as it is: for programs, not for people."""
        self.stdout.write(text if text.endswith("\n") else text + "\n")
        self.stdout.flush()

    def write(self, text: str) -> None:
        """Text for people to standard output; whatever is in it does nothing there."""
        self.data(self.harmless(text))

    def note(self, text: str) -> None:
        """A line to standard error: progress, advice, what is not the result."""
        self.stderr.write(self.harmless(text) + "\n")
        self.stderr.flush()

    def tell_job(self, command: str) -> None:
        """A command of ours to GitHub Actions, to standard error: that may be apart from the result."""
        self.stderr.write(command + "\n")
        self.stderr.flush()

    def harmless(self, text: str) -> str:
        """A text that can be printed here."""
        if text.isascii() and text.isprintable() and not text.startswith("::") and "##[" not in text:
            return text
        from orchestrator.cli.harmless import harmless

        return harmless(text, in_job=self.in_job)

    def emit(self, command: str, exit_code: int = 0, **content: Any) -> int:
        """The one `--json` document of a command; returns `exit_code`."""
        from orchestrator.cli.harmless import harmless_json

        document = {"version": JSON_VERSION, "command": command, **content}
        document.setdefault("errors", [])
        document["exit_code"] = exit_code
        self.data(harmless_json(document))
        return exit_code

    def fail(self, error: InfraError) -> int:
        """Tell an error where the user looks for it, and return its exit code."""
        errors = [error, *(error.others if isinstance(error, ConfigError) else ())]
        code = exit_code_of(int(one.exit_code) for one in errors) or int(error.exit_code)
        if self.json:
            told = [error_document(one) for one in errors]
            return self.emit(self.command, code, run=None, stacks=[], errors=told)
        colour = self.console(self.stderr).color_system is not None
        for one in errors:
            text = self.harmless(error_text(one))
            label = click.style(LABEL, fg="red", bold=True) if colour else LABEL
            self.stderr.write(f"{label}{text.removeprefix(LABEL)}\n")
        self.stderr.flush()
        return code

    def defect(self, error: Exception) -> int:
        """An exception that nobody expected is a defect of ours: say so, without a traceback unless asked."""
        defect = InfraError(
            f"A defect in infra: {type(error).__name__}: {error}",
            advice="Run the same command with `infra --debug …` and report what it prints.",
        )
        return self.unexpected(error, defect)

    def unexpected(self, error: Exception, meaning: InfraError) -> int:
        """An exception that no command handled, told as `meaning`; with --debug also where it came from."""
        if self.debug:
            import traceback

            self.note("".join(traceback.format_exception(error)))
        return self.fail(meaning)


def error_document(error: InfraError) -> dict[str, Any]:
    """An error as it stands in `--json`."""
    return {
        "class": type(error).__name__,
        "message": error.message,
        "advice": error.advice,
        "file": error.file,
        "line": error.line,
        "key": error.key,
        "stack": error.stack,
    }


def error_text(error: InfraError) -> str:
    """An error as people read it: what, where, and what to do next."""
    label = LABEL
    where = " ".join(part for part in (error.place, f"({error.key})" if error.key else "") if part)
    head = f"{label}: {where}: {error.message}" if where else f"{label}: {error.message}"
    if error.stack and error.stack not in error.message:
        head = f"{label}: {error.stack}: {head.removeprefix(label + ': ')}"
    return f"{head}\n  {error.advice}" if error.advice else head


def pass_app(ctx: click.Context) -> App:
    """The invocation's `App`, with the command's name noted for `--json`."""
    app = ctx.find_object(App)
    if app is None:
        raise RuntimeError("a command ran without an App")
    app.command = ctx.command_path.partition(" ")[2]
    return app
