"""What `terraform test -json` wrote, as values."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.terraform.testing import Leftover, event_text, read_testing


def line(kind: str, second: int = 0, **fields: Any) -> bytes:
    """One line as Terraform writes it."""
    event = {"type": kind, "@timestamp": f"2026-01-02T03:04:{second:02}.500000Z", **fields}
    return json.dumps(event).encode()


def run(progress: str, name: str = "one", second: int = 0, **more: Any) -> bytes:
    """A line about a run of tests/a.tftest.hcl."""
    message_fields = {"path": "tests/a.tftest.hcl", "run": name, "progress": progress, **more}
    return line("test_run", second, test_run=message_fields)


def problem(summary: str, severity: str = "error", **at: str) -> bytes:
    """A diagnostic."""
    source_range = {"filename": "tests/a.tftest.hcl", "start": {"line": 7}}
    message_fields = {"severity": severity, "summary": summary, "detail": "why", "range": source_range}
    named: dict[str, Any] = {f"@{name}": value for name, value in at.items()}
    return line("diagnostic", diagnostic=message_fields, **named)


def test_runs_have_a_status_a_time_and_what_went_wrong() -> None:
    testing = read_testing(
        [
            run("starting"),
            run("complete", second=2, status="fail"),
            problem("Test assertion failed", testfile="tests/a.tftest.hcl", testrun="one"),
            problem("Deprecated", "warning", testfile="tests/a.tftest.hcl", testrun="one"),
            run("complete", "two", status="skip"),
            problem("Invalid reference"),
        ]
    )

    run_outcome, two = testing.runs
    assert (run_outcome.file, run_outcome.name, run_outcome.status, run_outcome.seconds) == (
        "tests/a.tftest.hcl",
        "one",
        "fail",
        2.0,
    )
    assert [(error.summary, error.file, error.line) for error in run_outcome.errors] == [
        ("Test assertion failed", "tests/a.tftest.hcl", 7)
    ]
    assert (two.status, two.seconds, two.errors) == ("skip", 0.0, ())
    assert [error.summary for error in testing.errors] == ["Invalid reference"]


def test_what_could_not_be_destroyed_is_named() -> None:
    left = [{"instance": "google_x.a"}, {"instance": "google_x.b", "deposed_key": "1"}]
    cleanup: dict[str, Any] = {"test_cleanup": {"failed_resources": left}, "@testfile": "tests/a.tftest.hcl"}
    states = {"one": [{"instance": "google_x.c"}]}

    testing = read_testing(
        [
            line("test_cleanup", **cleanup),
            line("test_interrupt", test_interrupt={"states": states, "state": []}),
            line("test_interrupt", test_interrupt={"states": states, "state": []}),
        ]
    )

    assert testing.leftovers == [
        Leftover("tests/a.tftest.hcl", "google_x.a"),
        Leftover("tests/a.tftest.hcl", "google_x.b"),
        Leftover("", "google_x.c"),
    ]


def test_foreign_and_torn_lines_count_for_nothing() -> None:
    assert read_testing([b"", b"Warning: x", b'"text"', run("complete", status="pass")[:-9]]).runs == []


def test_progress_reports_what_runs() -> None:
    assert event_text(run("starting")) == "tests/a.tftest.hcl: one"
    assert event_text(run("complete", status="pass")) == ""
    assert event_text(b"{}") == ""
