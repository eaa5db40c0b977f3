"""Files that are written whole or not at all: a kill or a full disk leaves what was there before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestrator.errors import ProjectError

# What a file is written to first, beside where it goes, begins with this.
DRAFT = ".infra-draft-"


def write_private(path: Path, data: bytes, *, executable: bool = False) -> None:
    """Write a file that only its owner may read (0600, or 0700 to be run), whole or not at all.

    A link is replaced and not followed. Of several processes that write it at once the last one wins. The
    folder has to be there. OSError where it cannot be written: then no draft is left behind.
    """
    with _replacing(path, 0o700 if executable else 0o600) as file:
        file.write(data)


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write a file of the project in UTF-8, whole or not at all.

    An existing file keeps its permissions, and one that a link leads to is written where it lies; `mode` sets
    them. The folder has to be there. OSError where it cannot be written: then no draft is left behind.
    """
    _write(path.resolve(), text.encode(), mode)


def _write(target: Path, data: bytes, mode: int | None) -> None:
    if mode is None and target.exists():
        mode = target.stat().st_mode & 0o7777
    with _replacing(target, 0o666) as file:
        file.write(data)
        if mode is not None:
            os.fchmod(file.fileno(), mode)


def path_below(root: Path, path: str) -> Path:
    """Where a file of the project lies or would lie, links followed; `path` is from the folder `root`.

    Raises ProjectError where that is outside `root`, or in a folder of Git, whose files name programs: a
    commit may hold links to anywhere.
    """
    base = root.resolve()
    try:
        real = (base / path).resolve()
    except (OSError, RuntimeError):
        # A ring of links: Python 3.13 lets it be, and then it is a link still.
        real = base / path
    is_inside = real.is_relative_to(base) and not real.is_symlink()
    if not is_inside or any(part.casefold() == ".git" for part in real.relative_to(base).parts):
        raise ProjectError(
            f"{path} leads out of the project, or into a folder of Git.",
            file=path,
            advice="Replace the link by a folder, or look at who committed it.",
        )
    return real


def write_below(root: Path, path: str, data: bytes) -> None:
    """Write a file of the project and the folders above it; else as `write_text`.

    Raises what `path_below` raises.
    """
    target = path_below(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, data, None)


@contextmanager
def _replacing(path: Path, mode: int) -> Iterator[BinaryIO]:
    """A new file, made with a mode, which takes the place of `path` where nothing fails."""
    draft = path.with_name(f"{DRAFT}{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        # An error names the file that was to be written, not the draft.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
