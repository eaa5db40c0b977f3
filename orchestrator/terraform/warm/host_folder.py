"""The private folder where provider hosts of one user listen."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orchestrator import __version__
from orchestrator.errors import ProcessError

_SOCKET = "host-{}.sock"
_LOCK = "lock"


def host_folder(environ: Mapping[str, str]) -> Path:
    """The folder's path: short, since the path of a socket may have a hundred characters."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime, "infra")
    return Path(tempfile.gettempdir(), f"infra-{os.getuid()}")


def socket_path(folder: Path) -> Path:
    """Where the host of this version and installation of infra listens: another one may speak otherwise."""
    installation = f"{__version__} {Path(__file__).resolve()}"
    return folder / _SOCKET.format(hashlib.sha256(installation.encode()).hexdigest()[:8])


def socket_paths(folder: Path) -> list[Path]:
    """Where hosts of any version listen, or did."""
    return sorted(folder.glob(_SOCKET.format("*"))) if folder.is_dir() else []


def prepare_host_folder(folder: Path) -> None:
    """Make the folder; ProcessError unless it is a folder of ours that nobody else can enter."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ProcessError(f"{folder} cannot be made: {error.strerror}.") from error
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ProcessError(
            f"{folder} is not a folder that only you can enter.",
            advice=f"Remove it, or run `chmod 700 {folder}` if it is yours.",
        )


@contextmanager
def folder_lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this process alone starts or ends a host now; without `wait` it may be false."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
