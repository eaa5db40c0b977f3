"""The page of a run: its jobs, what they wrote as step summary, and their log."""

from __future__ import annotations

from pathlib import Path

from orchestrator.sandbox.github.run_page import (
    LIMIT,
    LOG_FILE,
    SUMMARY_FILE,
    render_run,
    render_runs,
    run_file,
)
from orchestrator.sandbox.github.runs import start_job, start_run
from tests.support.github import ServedGitHub


def test_a_run_shows_its_summary_and_its_log(github: ServedGitHub, tmp_path: Path) -> None:
    with github.server.open_repository(github.repository) as service:
        run = start_run(service, "rehearsal", "push", "main", "a" * 40, "ada")
        start_job(service, run.id, "apply-dev")
        without = render_run(service, str(run.id), tmp_path, "/acme/infra")
        assert "The log is in the terminal that ran it." in without
        assert "Summary" not in without
        for name, text in ((SUMMARY_FILE, "## dev\n\n<b>x</b>\n"), (LOG_FILE, "$ infra <ci> apply\n")):
            path = run_file(tmp_path, run.id, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        page = render_run(service, str(run.id), tmp_path, "/acme/infra")
        assert "<h2>dev</h2>" in page
        assert "<pre>$ infra &lt;ci&gt; apply\n</pre>" in page
        assert "apply-dev" in page
        assert f"/acme/infra/actions/runs/{run.id}" in render_runs(service, "/acme/infra")
        assert "The log is in" in render_run(service, str(run.id), None, "/acme/infra")


def test_of_a_long_log_the_end_is_shown(github: ServedGitHub, tmp_path: Path) -> None:
    with github.server.open_repository(github.repository) as service:
        run = start_run(service, "rehearsal", "push", "main", "a" * 40, "ada")
        path = run_file(tmp_path, run.id, LOG_FILE)
        path.parent.mkdir(parents=True)
        path.write_text("first\n" + "x" * LIMIT + "last\n")
        page = render_run(service, str(run.id), tmp_path, "")
    assert "last" in page
    assert "first" not in page
