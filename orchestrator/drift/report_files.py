"""The JSON files by which jobs that check for drift pass their masked reports to the job that publishes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.drift.report import DriftReport
from orchestrator.engine.job_reports import find_files, read_document
from orchestrator.errors import UsageError
from orchestrator.json_values import from_json

VERSION = 1
PREFIX = "drift-"


def write_report(folder: Path, report: DriftReport, shard: tuple[int, int] = (1, 1)) -> Path:
    """Write `DIR/drift-ENV-I.json`, and make the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    environments = sorted({stack.environment for stack in report.stacks})
    name = "+".join(environments).replace("/", "%2F") or "none"
    path = folder / f"{PREFIX}{name}-{shard[0]}.json"
    content = {"version": VERSION, "kind": "drift", **asdict(report)}
    write_private(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
    return path


def read_reports(folders: Iterable[Path]) -> list[DriftReport]:
    """Every report of drift in some folders and below; UsageError for a file that is none."""
    return [_read(path) for path in find_files(folders, PREFIX)]


def _read(path: Path) -> DriftReport:
    try:
        return from_json(DriftReport, read_document(path, "drift"))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path.name} is not a report of drift: {error}",
            advice="Give the folders that `infra drift --report` wrote.",
        ) from error
