"""What a command tells GitHub Actions beside its own output: annotations and the step summary."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.cli.context import App
from orchestrator.errors import UsageError


def tell_actions(app: App, annotations: Iterable[str], summary: str) -> None:
    """Annotations to the log and the summary to its file, when this is a job of GitHub's."""
    if app.environ.get("GITHUB_ACTIONS") != "true":
        return
    for line in annotations:
        # Workflow commands are read on both streams; standard output may be one JSON document.
        app.tell_job(line)
    target = app.environ.get("GITHUB_STEP_SUMMARY")
    if target:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(summary)


def write_report(app: App, name: str, text: str) -> None:
    """Write a report to the file that an option names, its folder made when there is none."""
    path = app.cwd / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", advice="Name a file that can be written."
        ) from error
