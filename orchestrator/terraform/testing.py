"""Parses the output of `terraform test -json`. OpenTofu writes the same lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from orchestrator.jsontext import items, mapping, read_object
from orchestrator.terraform.diagnostics import diagnostic_from_json
from orchestrator.terraform.model import Diagnostic

Status = Literal["pass", "fail", "error", "skip"]
STATUSES: tuple[Status, ...] = ("pass", "fail", "error", "skip")


@dataclass(frozen=True)
class RunOutcome:
    """One `run` block. `file` is relative to the module; `skip` means that one before it failed."""

    file: str
    name: str
    status: Status
    seconds: float
    errors: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Leftover:
    """A resource that a test file created and Terraform did not destroy. `file` is relative to the module."""

    file: str
    address: str


@dataclass
class OutcomeOfTests:
    """All runs in order, errors that belong to none of them, and resources that could not be destroyed."""

    runs: list[RunOutcome] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)


def read_testing(lines: Iterable[bytes]) -> OutcomeOfTests:
    """The outcome that the lines tell. A torn or foreign line counts for nothing."""
    outcome_of_tests = OutcomeOfTests()
    began: dict[tuple[str, str], datetime] = {}
    for line in lines:
        event = _event(line)
        match event.get("type"):
            case "test_run":
                _run(event, outcome_of_tests, began)
            case "diagnostic":
                _diagnostic(event, outcome_of_tests)
            case "test_cleanup" | "test_interrupt":
                _leftovers(event, outcome_of_tests)
    return outcome_of_tests


def event_text(line: bytes) -> str:
    """The progress text of a line; empty when there is no progress."""
    event = _event(line)
    run = mapping(event.get("test_run"))
    if event.get("type") != "test_run" or run.get("progress") != "starting":
        return ""
    return f"{run.get('path', '')}: {run.get('run', '')}"


def _event(line: bytes) -> dict[str, Any]:
    try:
        return read_object(line)
    except ValueError:
        return {}


def _run(event: Mapping[str, Any], outcome: OutcomeOfTests, began: dict[tuple[str, str], datetime]) -> None:
    test_run = mapping(event.get("test_run"))
    key = (str(test_run.get("path", "")), str(test_run.get("run", "")))
    at = _time(event)
    if test_run.get("progress") == "starting" and at:
        began[key] = at
    status = test_run.get("status")
    if test_run.get("progress") == "complete" and status in STATUSES:
        start = began.get(key)
        seconds = (at - start).total_seconds() if at and start else 0.0
        outcome.runs.append(RunOutcome(*key, status=status, seconds=seconds))


def _diagnostic(event: Mapping[str, Any], outcome: OutcomeOfTests) -> None:
    diagnostic = diagnostic_from_json(mapping(event.get("diagnostic")))
    if diagnostic.severity != "error":
        return
    key = (event.get("@testfile"), event.get("@testrun"))
    for index, run in enumerate(outcome.runs):
        if (run.file, run.name) == key:
            outcome.runs[index] = replace(run, errors=(*run.errors, diagnostic))
            return
    outcome.errors.append(diagnostic)


def _leftovers(event: Mapping[str, Any], outcome: OutcomeOfTests) -> None:
    cleanup, interrupt = mapping(event.get("test_cleanup")), mapping(event.get("test_interrupt"))
    instances = [*items(cleanup.get("failed_resources")), *items(interrupt.get("state"))]
    for states in mapping(interrupt.get("states")).values():
        instances += items(states)
    file = str(event.get("@testfile", ""))
    for instance in instances:
        leftover = Leftover(file, str(mapping(instance).get("instance", "")))
        if leftover.address and leftover not in outcome.leftovers:
            outcome.leftovers.append(leftover)


def _time(event: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(event.get("@timestamp")))
    except ValueError:
        return None
