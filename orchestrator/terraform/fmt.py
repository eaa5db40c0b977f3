"""Which files `terraform fmt` is given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

FORMATTED = (".tf", ".tfvars", ".tftest.hcl", ".tfmock.hcl")


def without_dangling(paths: Sequence[Path]) -> list[Path]:
    """Paths for `terraform fmt`: in place of a folder that holds a link to nothing, the files below it.

    Terraform would stop at such a link, and say nothing of the other files.
    """
    chosen: list[Path] = []
    for path in paths:
        files = list(_formatted_files(path)) if path.is_dir() else []
        has_dangling = any(not file.exists() for file in files)
        chosen += [file for file in files if file.exists()] if has_dangling else [path]
    return chosen


def _formatted_files(folder: Path) -> Iterator[Path]:
    """What `terraform fmt -recursive` looks at."""
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(FORMATTED) and not name.startswith("."):
                yield Path(place, name)
