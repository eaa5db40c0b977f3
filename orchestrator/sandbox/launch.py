"""Start the sandbox's process, wait until it answers, and stop it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox import attach

LOG = "log"
START_DEADLINE = 60.0
STOP_DEADLINE = 10.0
LOG_LIMIT = 1 << 20
INSTALL = "pip install 'infra-orchestrator[sandbox]'"
REQUIRED_PACKAGES = ("grpc", "msgpack", "tf")

# The variables that the process inherits: of a user's cloud only the default locations, and no proxy.
INHERITED_VARIABLES = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *attach.LOCATIONS.values(),
)


def start(folder: Path, environ: Mapping[str, str], hold: int | None = None) -> tuple[attach.Info, bool]:
    """The running sandbox in `folder`, started if it was not; the second value says if it was started now.

    With `hold`, the reading end of a pipe, the process ends when the pipe's writers are gone.
    """
    info = attach.running(folder)
    if info:
        return info, False
    _check_installed()
    prepare_folder(folder)
    reader, writer = os.pipe()
    try:
        pid = _spawn(folder, environ, writer, hold)
    finally:
        os.close(writer)
    try:
        answer = wait_until_ready(reader)
    finally:
        os.close(reader)
    info = attach.running(folder)
    if info and answer.get("ready"):
        return info, True
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    if answer.get("taken") and (other := _wait_for_other(folder)):
        return other, False
    raise SandboxError(
        str(answer.get("error") or f"The sandbox did not start; it said: {_last_log_line(folder / LOG)}"),
        advice=str(answer.get("advice") or f"The whole log is {folder / LOG}."),
    )


def prepare_folder(folder: Path) -> None:
    """Create the sandbox's private folder, and rotate the log when it is large."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        log = folder / LOG
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(folder / f"{LOG}.1")
    except OSError as error:
        raise SandboxError(
            f"{folder} cannot be used: {error.strerror}", advice="Name a folder that can be written."
        ) from error


def stop(info: attach.Info) -> None:
    """End a running sandbox and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(info.pid, signal.SIGTERM)
    if not _wait_until_ended(info, STOP_DEADLINE):
        with contextlib.suppress(ProcessLookupError):
            os.kill(info.pid, signal.SIGKILL)
        _wait_until_ended(info, STOP_DEADLINE)
    (info.folder / attach.NAME).unlink(missing_ok=True)


def _last_log_line(log: Path) -> str:
    """The last line of the log that is not empty."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "nothing"
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")


def missing_packages() -> list[str]:
    """The packages that the sandbox needs and that are not installed."""
    return [name for name in REQUIRED_PACKAGES if find_spec(name) is None]


def _check_installed() -> None:
    missing = missing_packages()
    if missing:
        raise SandboxError(
            f"The sandbox needs packages that are not installed: {', '.join(missing)}.",
            advice=INSTALL,
        )


def _spawn(folder: Path, environ: Mapping[str, str], ready: int, hold: int | None) -> int:
    """Start the server in a session of its own, its output in the log; returns its pid.

    orchestrator/process.py runs programs that end with us; this one is meant to outlive us.
    """
    argv = [sys.executable, "-P", "-m", "orchestrator.sandbox.server", str(folder), "--ready-fd", str(ready)]
    os.set_inheritable(ready, True)
    if hold is not None:
        os.set_inheritable(hold, True)
        argv += ["--hold-fd", str(hold)]
    environment = {name: environ[name] for name in INHERITED_VARIABLES if name in environ}
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / LOG), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def wait_until_ready(reader: int) -> dict[str, Any]:
    """Read how the process started; empty when it ended without a report or took too long.

    The document's end is enough: a process that another thread started meanwhile may hold the pipe open.
    """
    deadline = time.monotonic() + START_DEADLINE
    received = b""
    while (remaining := deadline - time.monotonic()) > 0:
        if not select.select([reader], [], [], remaining)[0]:
            break
        part = os.read(reader, 65536)
        if not part:
            break
        received += part
        with contextlib.suppress(ValueError):
            document = json.loads(received)
            return document if isinstance(document, dict) else {}
    return {}


def _wait_for_other(folder: Path) -> attach.Info | None:
    """Wait for the sandbox that another `up` is starting in the folder."""
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        info = attach.running(folder)
        if info:
            return info
        time.sleep(0.05)
    return None


def _wait_until_ended(info: attach.Info, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while info.alive:
        if time.monotonic() > deadline:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(info.pid, os.WNOHANG)
        time.sleep(0.02)
    return True
