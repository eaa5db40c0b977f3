"""What no test may do: reach the network, write to the home directory, leave the environment changed."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Variables that would let a developer's machine, or a CI job, decide what a test sees.
FOREIGN = (
    *("TF_", "INFRA_", "GITHUB_", "ACTIONS_", "RUNNER_"),
    *("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "XDG_", "GIT_"),
)
FOREIGN_NAMES = frozenset(
    {"CI", "STORAGE_EMULATOR_HOST", "GH_TOKEN", "COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE"}
    | {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}
)

_LOCAL_NAMES = frozenset({"", "localhost", "127.0.0.1", "::1"})


def test_environment(home: Path) -> dict[str, str]:
    """What every test's environment has: a home of its own, a fixed git identity, no way out for children."""
    return {
        "HOME": str(home),
        # What infra remembers of a project with local states; the home directory itself stays empty.
        "XDG_STATE_HOME": f"{home}-state",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada Author",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+00:00",
        "GIT_COMMITTER_NAME": "Cleo Committer",
        "GIT_COMMITTER_EMAIL": "cleo@example.com",
        "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+00:00",
        "CHECKPOINT_DISABLE": "1",
        # As infra sets it: Terraform starts with a fifth less CPU.
        "GOGC": "400",
        "NO_GCE_CHECK": "true",
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        # Nothing listens there: a child that wants out fails at once instead of waiting.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "localhost,127.0.0.1,::1",
    }


test_environment.__test__ = False  # type: ignore[attr-defined]


def is_foreign(name: str) -> bool:
    """True for a variable that must not reach a test."""
    return name in FOREIGN_NAMES or name.startswith(FOREIGN)


def block_network() -> None:
    """Refuse, for the life of this process, every address that is not this machine's loopback."""
    sys.addaudithook(_refuse_foreign_address)


def _refuse_foreign_address(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(str(address[0]), bind=event == "socket.bind"):
            raise RuntimeError(f"a test may only use loopback: {event} {address}")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if not _is_local(name, bind=False):
            raise RuntimeError(f"a test may only use loopback: it asked for the address of {name}")


def _is_local(host: str, *, bind: bool) -> bool:
    if host in _LOCAL_NAMES:
        return bool(host) or not bind
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names of the variables that were set, changed or removed. pytest's own is left out."""
    names = {n for n in {*before, *after} if before.get(n) != after.get(n)}
    return sorted(names - {"PYTEST_CURRENT_TEST"})


def files_below(folder: Path) -> list[str]:
    """Everything in `folder`, as sorted relative paths."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
