"""The pages of workflow runs for people: what a run's jobs wrote as step summary, and their log."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from orchestrator.sandbox.github.errors import not_found
from orchestrator.sandbox.github.html import Html, el, join
from orchestrator.sandbox.github.markdown import render
from orchestrator.sandbox.github.model import WorkflowRun
from orchestrator.sandbox.github.repository import RepositoryService
from orchestrator.sandbox.github.timeline import render_time, render_user

SUMMARY_FILE: Literal["summary.md"] = "summary.md"
LOG_FILE: Literal["log.txt"] = "log.txt"
# Bytes of a file that a page shows, from its end.
LIMIT = 1024 * 1024


def run_file(folder: Path, run: int | str, name: Literal["summary.md", "log.txt"]) -> Path:
    """Where the step summary or the log of a run is, below the folder of the sandbox's GitHub."""
    return folder / "runs" / str(int(run)) / name


def render_runs(service: RepositoryService, home: str) -> Html:
    """All runs, the newest first."""
    rows = [_row(run, home) for run in reversed(service.repository.runs)]
    nothing = [el("div", "There are none.", class_="row muted")]
    return el("section", el("header", el("strong", "Runs")), *(rows or nothing), class_="box")


def _row(run: WorkflowRun, home: str) -> Html:
    link = el("a", el("strong", f"Run {run.id}"), href=f"{home}/actions/runs/{run.id}")
    return el("div", link, " ", *_words(run), class_="row")


def _words(run: WorkflowRun) -> list[Html | str]:
    commit = el("code", run.commit[:7])
    return [
        render_user(run.actor),
        f" started {run.workflow} by {run.event} on ",
        commit,
        " · ",
        render_time(run.created_at),
    ]


def render_run(service: RepositoryService, number: str, folder: Path | None, home: str) -> Html:
    """A run: its jobs, the step summary and the log. `folder` is that of the sandbox's GitHub."""
    run = next((run for run in service.repository.runs if run.id == int(number)), None)
    if run is None:
        raise not_found()
    parts = [el("h1", f"Run {run.id}"), el("p", *_words(run))]
    rows = [
        el("div", job.name, " ", el("span", job.conclusion or job.status, class_="muted"), class_="row")
        for job in run.jobs
    ]
    if rows:
        parts.append(el("section", el("header", el("strong", "Jobs")), *rows, class_="box"))
    summary = _read(folder, run, SUMMARY_FILE)
    if summary.strip():
        text = el("div", render(summary, home), class_="markdown")
        parts.append(el("section", el("header", el("strong", "Summary")), text, class_="box"))
    log = _read(folder, run, LOG_FILE)
    log_box = (
        el("pre", log) if log else el("div", "The log is in the terminal that ran it.", class_="row muted")
    )
    parts.append(el("section", el("header", el("strong", "Log")), log_box, class_="box"))
    return join(parts)


def _read(folder: Path | None, run: WorkflowRun, name: Literal["summary.md", "log.txt"]) -> str:
    if folder is None:
        return ""
    try:
        with run_file(folder, run.id, name).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - LIMIT, 0))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
