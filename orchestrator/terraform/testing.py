"""What `terraform test -json` says, line by line, as values. OpenTofu writes the same lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from orchestrator.jsontext import items, mapping, read_object
from orchestrator.terraform.diagnostics import from_json
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


@dataclass
class OutcomeOfTests:
    """All runs in order, errors that belong to none of them, and resources that could not be destroyed."""

    runs: list[RunOutcome] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def read_testing(lines: Iterable[bytes]) -> OutcomeOfTests:
    """The outcome that the lines tell. A torn or foreign line counts for nothing."""
    found = OutcomeOfTests()
    began: dict[tuple[str, str], datetime] = {}
    for line in lines:
        event = _event(line)
        match event.get("type"):
            case "test_run":
                _run(event, found, began)
            case "diagnostic":
                _diagnostic(event, found)
            case "test_cleanup" | "test_interrupt":
                found.left += _left(event)
    return found


def event_text(line: bytes) -> str:
    """What is going on, for a progress line; empty when the line tells nothing new."""
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


def _run(event: Mapping[str, Any], found: OutcomeOfTests, began: dict[tuple[str, str], datetime]) -> None:
    told = mapping(event.get("test_run"))
    key = (str(told.get("path", "")), str(told.get("run", "")))
    at = _time(event)
    if told.get("progress") == "starting" and at:
        began[key] = at
    status = told.get("status")
    if told.get("progress") == "complete" and status in STATUSES:
        start = began.get(key)
        seconds = (at - start).total_seconds() if at and start else 0.0
        found.runs.append(RunOutcome(*key, status=status, seconds=seconds))


def _diagnostic(event: Mapping[str, Any], found: OutcomeOfTests) -> None:
    diagnostic = from_json(mapping(event.get("diagnostic")))
    if diagnostic.severity != "error":
        return
    key = (event.get("@testfile"), event.get("@testrun"))
    for index, run in enumerate(found.runs):
        if (run.file, run.name) == key:
            found.runs[index] = replace(run, errors=(*run.errors, diagnostic))
            return
    found.errors.append(diagnostic)


def _left(event: Mapping[str, Any]) -> list[str]:
    """Addresses of what Terraform made for a test and did not destroy."""
    cleanup, interrupt = mapping(event.get("test_cleanup")), mapping(event.get("test_interrupt"))
    instances = [*items(cleanup.get("failed_resources")), *items(interrupt.get("state"))]
    for states in mapping(interrupt.get("states")).values():
        instances += items(states)
    return [str(one.get("instance", "")) for one in instances if isinstance(one, dict)]


def _time(event: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(event.get("@timestamp")))
    except ValueError:
        return None
