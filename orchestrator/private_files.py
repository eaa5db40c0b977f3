"""Files that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, data: bytes, *, draft: Path | None = None) -> None:
    """Write a file that only its owner may read (0600), whole or not at all.

    The folder has to be there. `draft` is where it is written first, in the same folder.
    """
    draft = draft or path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
