"""The JSON report that a plan job uploads for the job that comments: masked, without the plan itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.engine.job_reports import LARGEST, VERSION, find_artifacts, read_document, unreadable_report
from orchestrator.errors import UsageError
from orchestrator.json_values import from_json
from orchestrator.report.review import PlanReview

PREFIX = "plan-"
_MAX_TOTAL_BYTES = 400 * 1024 * 1024

# The artifacts of infra's own workflows: each is of one job, and most of one environment.
ARTIFACT_PREFIX = "infra-"
_OF_JOB = re.compile(r"infra-(?:plan-(?P<planned>.+)-\d+|(?:apply|compare)-(?P<applied>[^.]+)(?:\.\d+)?)")


@dataclass(frozen=True)
class PlanReport:
    """One job's part of a review.

    `shard` is `1/3`, `expected` are the stacks that the job had to plan, `environments` those that it planned
    for, `only` the one stack that was requested. `artifact` is the folder that holds the report, which its
    job cannot choose; empty for none.
    """

    environments: tuple[str, ...]
    shard: str
    only: str
    expected: tuple[str, ...]
    review: PlanReview
    artifact: str = field(default="", compare=False)


@dataclass(frozen=True)
class CollectedReports:
    """The reports in some folders, and a note for each file that could not be read."""

    reports: tuple[PlanReport, ...]
    notes: tuple[str, ...] = ()


def write_report(folder: Path, report: PlanReport) -> Path:
    """Writes `DIR/plan-ENV-I.json`; creates the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    part = report.shard.partition("/")[0] or "1"
    name = "+".join(report.environments).replace("/", "%2F") or "all"
    path = folder / f"{PREFIX}{name}-{part}.json"
    content = {"version": VERSION, "kind": "plan", **asdict(report)}
    write_private(path, json.dumps(content, separators=(",", ":")).encode())
    return path


def read_reports(folders: Iterable[Path]) -> CollectedReports:
    """Reads every plan report in and below some folders. Raises UsageError for a missing folder.

    An unreadable file becomes a note.
    """
    reports: list[PlanReport] = []
    notes: list[str] = []
    largest_together = _MAX_TOTAL_BYTES
    for path, artifact in find_artifacts(folders, PREFIX).items():
        try:
            reports.append(replace(_read(path, min(LARGEST, largest_together)), artifact=artifact))
            largest_together -= path.stat().st_size
        except UsageError as error:
            notes.append(f"A report{f' in {artifact}' if artifact else ''} was left out. {error.message}.")
    return CollectedReports(tuple(reports), tuple(notes))


def may_report_on(artifact: str, environment: str) -> bool:
    """Whether a report in an artifact may cover an environment: a job's artifact covers only its own."""
    if not artifact.startswith(ARTIFACT_PREFIX):
        return True
    match = _OF_JOB.fullmatch(artifact)
    return match is not None and environment in (match["planned"], match["applied"])


def _read(path: Path, largest: int) -> PlanReport:
    try:
        return from_json(PlanReport, read_document(path, "plan", largest))
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable_report(path, error) from error
