"""Files and GitHub Actions output that commands write besides their own output."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.atomic_files import write_private
from orchestrator.cli.app import App
from orchestrator.errors import UsageError
from orchestrator.forge.factory import add_summary


def publish_to_actions(app: App, annotations: Iterable[str], summary: str) -> None:
    """Writes annotations to the log and the step summary, in a job of GitHub Actions."""
    if not app.in_job:
        return
    for line in annotations:
        # Workflow commands are read on both streams; standard output may be one JSON document.
        app.write_workflow_command(line)
    add_summary(app.environ, summary)


def write_file(app: App, name: str, text: str, *, private: bool = False) -> None:
    """Writes text to the file that an option names, and creates its folder; 0600 with `private`."""
    path = app.cwd / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            write_private(path, text.encode())
        else:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", advice="Name a file that can be written."
        ) from error
