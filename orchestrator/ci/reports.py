"""What a plan job hands to the job that comments: a file of JSON, masked, and never a plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.ci.values import from_json
from orchestrator.errors import UsageError
from orchestrator.report.review import Review
from orchestrator.run.folders import write_private

VERSION = 1
PREFIX = "plan-"
# A job that runs Terraform writes these, so nothing is believed of them. This is far above any real one.
LARGEST = 200 * 1024 * 1024


@dataclass(frozen=True)
class PlanReport:
    """One job's part of a review: `shard` is `1/3`, `expected` are the stacks that it was to plan.

    `environments` are those that it planned for, `only` is the one stack that somebody asked for. `plans`
    maps stacks to a hash of what their plans do: equal ones have equal hashes, whenever they were made.
    """

    environments: tuple[str, ...]
    shard: str
    only: str
    expected: tuple[str, ...]
    review: Review
    plans: Mapping[str, str] = field(default_factory=dict)


def write_report(folder: Path, report: PlanReport) -> Path:
    """Write `DIR/plan-ENV-I.json`, and make the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    part = report.shard.partition("/")[0] or "1"
    name = "+".join(report.environments).replace("/", "%2F") or "all"
    path = folder / f"{PREFIX}{name}-{part}.json"
    content = {"version": VERSION, "kind": "plan", **asdict(report)}
    write_private(path, json.dumps(content, separators=(",", ":")).encode())
    return path


def read_reports(folders: Iterable[Path]) -> list[PlanReport]:
    """Every plan report in some folders and below; UsageError for a file that is none."""
    return [_read(path) for path in files_of(folders, PREFIX)]


def files_of(folders: Iterable[Path], prefix: str) -> list[Path]:
    """The JSON files whose names begin with `prefix`, in a fixed order; each artifact has a folder."""
    found: dict[Path, None] = {}
    for folder in folders:
        if not folder.exists():
            raise UsageError(f"There is no folder {folder}.", advice="Name the folders with the reports.")
        for path in sorted(folder.rglob(f"{prefix}*.json")) if folder.is_dir() else [folder]:
            if path.is_file() and not path.is_symlink():
                found[path] = None
    return list(found)


def document_of(path: Path) -> dict[str, Any]:
    """A file's document; UsageError when it is too large or no JSON object of a version that is known."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or found.get("version") != VERSION:
            raise ValueError("its version is not known")
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from error
    return found


def _read(path: Path) -> PlanReport:
    try:
        return from_json(PlanReport, document_of(path))
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(
        f"{path.name} is no report of a plan: {str(error)[:200]}",
        advice="The same infra must write and read it: use one version in all jobs.",
    )
