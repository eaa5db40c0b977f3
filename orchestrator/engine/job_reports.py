"""Reads JSON reports that another job uploaded; they are not trusted, so size and depth are limited."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.jsontext import read_object

VERSION = 1
# A job that runs Terraform writes these, so they are not trusted. These limits are far above any real report:
# its bytes, and how deep a value in it may be nested.
LARGEST = 100 * 1024 * 1024
DEEPEST = 100


def find_files(folders: Iterable[Path], prefix: str) -> list[Path]:
    """The JSON files whose names begin with `prefix`, in a fixed order; each artifact has a folder."""
    return list(find_artifacts(folders, prefix))


def find_artifacts(folders: Iterable[Path], prefix: str) -> dict[Path, str]:
    """The same files, each with the name of the artifact that it is in: the folder below the one given."""
    artifacts: dict[Path, str] = {}
    for folder in folders:
        if not folder.exists():
            raise UsageError(f"There is no folder {folder}.", advice="Name the folders with the reports.")
        for path in sorted(folder.rglob(f"{prefix}*.json")) if folder.is_dir() else [folder]:
            if path.is_file() and not path.is_symlink():
                below = path.relative_to(folder).parts
                artifacts[path] = below[0] if len(below) > 1 else ""
    return artifacts


def read_document(path: Path, kind: str, largest: int = LARGEST) -> dict[str, Any]:
    """A file's document; UsageError when it is too large, too deep, or not of this kind and version."""
    try:
        if path.stat().st_size > largest:
            raise ValueError("it is too large")
        document = read_object(path.read_bytes())
        if (document.get("version"), document.get("kind")) != (VERSION, kind):
            raise ValueError("its kind or its version is not known")
        if _is_deep(document):
            raise ValueError("it is nested too deep")
    except (OSError, ValueError) as error:
        raise unreadable_report(path, error) from error
    return document


def _is_deep(value: Any) -> bool:
    """Whether a JSON value is nested deeper than one that is written here can be."""
    layer = [value]
    for _ in range(DEEPEST):
        layer = [
            below
            for item in layer
            if isinstance(item, dict | list)
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True


def unreadable_report(path: Path, error: Exception) -> UsageError:
    return UsageError(
        f"{path.name} is no report that can be read: {str(error)[:200]}",
        advice="The same infra must write and read it: use one version in all jobs.",
    )
