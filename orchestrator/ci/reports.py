"""What a plan job hands to the job that comments: a file of JSON, masked, and never a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.ci.values import from_json
from orchestrator.engine.folders import write_private
from orchestrator.errors import UsageError
from orchestrator.jsontext import read_object
from orchestrator.report.review import Review

VERSION = 1
PREFIX = "plan-"
# A job that runs Terraform writes these, so nothing is believed of them. These are far above any real ones:
# the bytes of one report, those of all that are read together, and how deep a value in one may be nested.
LARGEST = 100 * 1024 * 1024
LARGEST_TOGETHER = 400 * 1024 * 1024
DEEPEST = 100

# The artifacts of infra's own workflows: each is of one job, and most of one environment.
OURS = "infra-"
_OF_JOB = re.compile(r"infra-(?:plan-(?P<planned>.+)-\d+|(?:apply|compare)-(?P<applied>[^.]+)(?:\.\d+)?)")


@dataclass(frozen=True)
class PlanReport:
    """One job's part of a review: `shard` is `1/3`, `expected` are the stacks that it was to plan.

    `environments` are those that it planned for, `only` is the one stack that somebody asked for.
    `artifact` is the folder that it was found in, which its own job did not choose; empty for none.
    """

    environments: tuple[str, ...]
    shard: str
    only: str
    expected: tuple[str, ...]
    review: Review
    artifact: str = field(default="", compare=False)


@dataclass(frozen=True)
class Gathered:
    """The reports in some folders, and a note for each file that is none."""

    reports: tuple[PlanReport, ...]
    notes: tuple[str, ...] = ()


def write_report(folder: Path, report: PlanReport) -> Path:
    """Write `DIR/plan-ENV-I.json`, and make the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    part = report.shard.partition("/")[0] or "1"
    name = "+".join(report.environments).replace("/", "%2F") or "all"
    path = folder / f"{PREFIX}{name}-{part}.json"
    content = {"version": VERSION, "kind": "plan", **asdict(report)}
    write_private(path, json.dumps(content, separators=(",", ":")).encode())
    return path


def read_reports(folders: Iterable[Path]) -> Gathered:
    """Every plan report in some folders and below; UsageError where there is no such folder.

    A file that is no report hides no other one.
    """
    found: list[PlanReport] = []
    notes: list[str] = []
    left = LARGEST_TOGETHER
    for path, artifact in artifacts_of(folders, PREFIX).items():
        try:
            found.append(replace(_read(path, min(LARGEST, left)), artifact=artifact))
            left -= path.stat().st_size
        except UsageError as error:
            notes.append(f"A report{f' in {artifact}' if artifact else ''} was left out. {error.message}.")
    return Gathered(tuple(found), tuple(notes))


def speaks_for(artifact: str, environment: str) -> bool:
    """Whether what lies in an artifact may tell of an environment: one of our workflows' has its own only."""
    if not artifact.startswith(OURS):
        return True
    found = _OF_JOB.fullmatch(artifact)
    return found is not None and environment in (found["planned"], found["applied"])


def files_of(folders: Iterable[Path], prefix: str) -> list[Path]:
    """The JSON files whose names begin with `prefix`, in a fixed order; each artifact has a folder."""
    return list(artifacts_of(folders, prefix))


def artifacts_of(folders: Iterable[Path], prefix: str) -> dict[Path, str]:
    """The same files, each with the name of the artifact that it is in: the folder below the one given."""
    found: dict[Path, str] = {}
    for folder in folders:
        if not folder.exists():
            raise UsageError(f"There is no folder {folder}.", advice="Name the folders with the reports.")
        for path in sorted(folder.rglob(f"{prefix}*.json")) if folder.is_dir() else [folder]:
            if path.is_file() and not path.is_symlink():
                below = path.relative_to(folder).parts
                found[path] = below[0] if len(below) > 1 else ""
    return found


def document_of(path: Path, kind: str, largest: int = LARGEST) -> dict[str, Any]:
    """A file's document; UsageError when it is too large, too deep, or not of this kind and version."""
    try:
        if path.stat().st_size > largest:
            raise ValueError("it is too large")
        found = read_object(path.read_bytes())
        if (found.get("version"), found.get("kind")) != (VERSION, kind):
            raise ValueError("its kind or its version is not known")
        if is_deep(found):
            raise ValueError("it is nested too deep")
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return found


def is_deep(value: Any) -> bool:
    """Whether a JSON value is nested deeper than one that is written here can be."""
    layer = [value]
    for _ in range(DEEPEST):
        layer = [
            below
            for one in layer
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return True


def _read(path: Path, largest: int) -> PlanReport:
    try:
        return from_json(PlanReport, document_of(path, "plan", largest))
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(
        f"{path.name} is no report that can be read: {str(error)[:200]}",
        advice="The same infra must write and read it: use one version in all jobs.",
    )
