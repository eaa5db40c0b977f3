"""One invocation of `infra`: its folder, environment and streams, and how it prints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Literal, TextIO, cast

import click

from orchestrator.errors import ConfigError, InfraError, UsageError, exit_code_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderHook

    from orchestrator.repository.model import Project

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
        self.cold = False
        self.timing = False
        # How much is printed of each stack, and whether only failures and totals are.
        self.detail: Literal["full", "short", "none"] = "full"
        self.quiet = False
        self.no_color = False
        self.json = False
        self.command = ""
        self._project: Project | None = None

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

    def ask(self, question: str) -> str:
        """Puts a question on standard error; the line that was typed, empty at the end of the input."""
        self.stderr.write(self.sanitize(question))
        self.stderr.flush()
        return self.stdin.readline()

    def console(self, stream: TextIO | None = None) -> Console:
        """A rich console on `stream` (standard output when not given).

        Off a terminal it has no colour, unless FORCE_COLOR says that who reads it can show some.
        """
        from rich.console import Console

        from orchestrator.cli.terminal.sanitize import SanitizedLog, SanitizingHook

        target = stream or self.stdout
        columns = self.environ.get("COLUMNS", "")
        terminal = target.isatty() or bool(self.environ.get("FORCE_COLOR"))
        console = Console(
            file=cast("IO[str]", SanitizedLog(target)) if self.in_job else target,
            no_color=self.no_color or None,
            force_terminal=terminal,
            width=int(columns) if columns.isdigit() else (None if terminal else 120),
            highlight=False,
            soft_wrap=not terminal,
            legacy_windows=False,
        )
        console.push_render_hook(cast("RenderHook", SanitizingHook()))
        return console

    def project(self, *, needs_stacks: bool = True, for_guard: bool = False) -> Project:
        """The repository that the working folder is in, read once per call.

        ConfigError where no stack is found: "nothing to do" would hide a folder that was renamed.
        `for_guard` extracts the facts that the guard needs while files are parsed.
        """
        from orchestrator.repository.layout import require_stacks
        from orchestrator.repository.loading import load

        memo = None
        if for_guard:
            from orchestrator.guard.code_facts import code_facts
            from orchestrator.repository.source import ParseCache

            memo = ParseCache(extract=code_facts)
        with_stored = not (self.cold or for_guard)
        project = self._project = load(self.cwd, memo, with_stored=with_stored)
        if needs_stacks:
            require_stacks(project)
        return project

    @property
    def in_job(self) -> bool:
        """True in a job of GitHub Actions, which obeys some of the lines that are printed."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    def data(self, text: str) -> None:
        """Writes text for programs to standard output, unchanged."""
        self.stdout.write(text if text.endswith("\n") else text + "\n")
        self.stdout.flush()

    def write(self, text: str) -> None:
        """Writes text for people to standard output, sanitized."""
        self.data(self.sanitize(text))

    def note(self, text: str) -> None:
        """Writes a line to standard error: progress, advice, and what is not the result."""
        self.stderr.write(self.sanitize(text) + "\n")
        self.stderr.flush()

    def write_workflow_command(self, command: str) -> None:
        """Writes a workflow command of GitHub Actions to standard error."""
        self.stderr.write(command + "\n")
        self.stderr.flush()

    def sanitize(self, text: str) -> str:
        """Text in which control characters and workflow commands have no effect."""
        if text.isascii() and text.isprintable() and not text.startswith("::") and "##[" not in text:
            return text
        from orchestrator.cli.terminal.sanitize import sanitize

        return sanitize(text, in_job=self.in_job)

    def emit(self, command: str, exit_code: int = 0, **content: Any) -> int:
        """The one `--json` document of a command; returns `exit_code`."""
        self.data(self.render_document(command, exit_code, **content))
        return exit_code

    def render_document(self, command: str, exit_code: int = 0, **content: Any) -> str:
        """The text of a command's `--json` document."""
        from orchestrator.cli.terminal.deprecated_keys import add_deprecated_keys
        from orchestrator.cli.terminal.sanitize import sanitize_json

        content = add_deprecated_keys(command, content)
        document = {"version": JSON_VERSION, "command": command, **content}
        document.setdefault("errors", [])
        document["exit_code"] = exit_code
        return sanitize_json(document)

    def fail(self, error: InfraError) -> int:
        """Prints an error, as JSON where that was requested; returns its exit code."""
        errors = [error, *(error.others if isinstance(error, ConfigError) else ())]
        if self._project:
            from orchestrator.repository.advice import advice_for

            for failure in errors:
                failure.advice = advice_for(self._project, failure.advice)
        code = exit_code_of(int(error.exit_code) for error in errors) or int(error.exit_code)
        if self.json:
            documents = [error_document(error) for error in errors]
            return self.emit(self.command, code, run=None, stacks=[], errors=documents)
        colour = self.console(self.stderr).color_system is not None
        for failure in errors:
            text = self.sanitize(error_text(failure))
            label = click.style(LABEL, fg="red", bold=True) if colour else LABEL
            self.stderr.write(f"{label}{text.removeprefix(LABEL)}\n")
        self.stderr.flush()
        return code

    def report_defect(self, error: Exception) -> int:
        """Reports an unexpected exception as a defect of infra; with --debug, with its traceback."""
        defect = InfraError(
            f"A defect in infra: {type(error).__name__}: {error}",
            advice="Run the same command with `infra --debug …` and report what it prints.",
        )
        return self.report_unexpected(error, defect)

    def report_unexpected(self, error: Exception, meaning: InfraError) -> int:
        """Reports an exception that no command handled as `meaning`; with --debug, with its traceback."""
        if self.debug:
            import traceback

            self.note("".join(traceback.format_exception(error)))
        return self.fail(meaning)


def error_document(error: InfraError) -> dict[str, Any]:
    """An error in `--json`."""
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
    """An error as text: place, message, and what to do next."""
    label = LABEL
    where = " ".join(part for part in (error.location, f"({error.key})" if error.key else "") if part)
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
