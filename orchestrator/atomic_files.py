"""Files that are written whole or not at all: a kill or a full disk leaves what was there before."""

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


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a file of the repository in UTF-8, whole or not at all.

    An existing file keeps its permissions, and one that a link leads to is written where it lies; `mode` sets
    them. The folder has to be there. OSError where it cannot be written: then no draft is left behind.
    """
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            if mode is None and target.exists():
                mode = target.stat().st_mode & 0o7777
            if mode is not None:
                draft.chmod(mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except (OSError, UnicodeError):
        draft.unlink(missing_ok=True)
        raise
