"""sandbox.json, which describes a running sandbox, and the environment that attaches a command to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestrator.atomic_files import write_private
from orchestrator.errors import SandboxError, UsageError
from orchestrator.process import is_alive

NAME = "sandbox.json"
VERSION = 1
LOOPBACK = "127.0.0.1"
OWNER = "owner"
# Tokens for the real GitHub, which no command on the sandbox gets.
TOKENS = ("INFRA_GITHUB_TOKEN", "GH_TOKEN")

# Arguments that provider blocks may leave out, and the variables that they fall back to.
LOCATIONS = {"project": "GOOGLE_PROJECT", "region": "GOOGLE_REGION", "zone": "GOOGLE_ZONE"}


@dataclass(frozen=True)
class Info:
    """The content of sandbox.json.

    `pid` and `started` identify the process (a pid alone is reused). `accounts` maps
    `ENV:plan` and the like to the port that acts as that account; `gcs` is the owner's port, `control` the
    port that takes our own requests with `token`. `reattach` is the value of TF_REATTACH_PROVIDERS. `github`
    is the port of the GitHub server (0 in a sandbox of an older version), `github_token` may do everything
    there, and `repository` is the `OWNER/NAME` of the project that was made ready last.
    """

    folder: Path
    pid: int
    started: str
    control: int
    token: str
    gcs: int
    accounts: Mapping[str, int]
    reattach: str
    github: int = 0
    github_token: str = ""
    repository: str = ""

    @property
    def gcs_url(self) -> str:
        """The address of the owner's port of the GCS server."""
        return url(self.gcs)

    @property
    def alive(self) -> bool:
        """True while that very process runs."""
        return is_alive(self.pid, self.started)

    def document(self) -> dict[str, Any]:
        """The content of sandbox.json."""
        return {
            "version": VERSION,
            "pid": self.pid,
            "started": self.started,
            "control": self.control,
            "token": self.token,
            "gcs": self.gcs,
            "accounts": dict(self.accounts),
            "reattach": json.loads(self.reattach),
            "github": self.github,
            "github_token": self.github_token,
            "repository": self.repository,
            "urls": {
                "gcs": self.gcs_url,
                **({"github": url(self.github)} if self.github else {}),
                **{name: url(port) for name, port in sorted(self.accounts.items())},
            },
        }


def url(port: int) -> str:
    """The address of a port."""
    return f"http://{LOOPBACK}:{port}"


def read(folder: Path) -> Info | None:
    """Read sandbox.json in `folder`, running or not; None when it is missing or unreadable."""
    try:
        content = json.loads((folder / NAME).read_bytes())
        if content["version"] != VERSION:
            return None
        return Info(
            folder=folder,
            pid=int(content["pid"]),
            started=str(content["started"]),
            control=int(content["control"]),
            token=str(content["token"]),
            gcs=int(content["gcs"]),
            accounts={str(name): int(port) for name, port in content["accounts"].items()},
            reattach=json.dumps(content["reattach"], separators=(",", ":")),
            github=int(content.get("github", 0)),
            github_token=str(content.get("github_token", "")),
            repository=str(content.get("repository", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def running(folder: Path) -> Info | None:
    """The sandbox in `folder`, if its process is alive; a stale file is ignored."""
    info = read(folder)
    return info if info and info.alive else None


def require(folder: Path) -> Info:
    """The running sandbox in `folder`; SandboxError when there is none."""
    info = running(folder)
    if info is None:
        raise SandboxError(f"No sandbox is running in {folder}.", advice="Start it with `infra sandbox up`.")
    return info


def write(info: Info) -> None:
    """Write sandbox.json atomically, readable by its owner only."""
    write_private(info.folder / NAME, (json.dumps(info.document(), indent=2) + "\n").encode())


def addresses(info: Info, account: str = OWNER) -> dict[str, str]:
    """The addresses of the servers for an account: `gcs`, and `github`."""
    return {"gcs": url(info.accounts.get(account, info.gcs)), "github": url(info.github)}


def environment(info: Info, base: Mapping[str, str], account: str = OWNER) -> dict[str, str]:
    """`base` with the variables that attach Terraform, google-cloud-storage and infra to the sandbox.

    `account` is `ENV:plan`, `ENV:apply`, `ENV:drift`, or the owner, who may do everything.
    """
    if account != OWNER and account not in info.accounts:
        accounts = (
            ", ".join(sorted(info.accounts)) or "there are none, since no environment keeps its state in GCS"
        )
        raise UsageError(
            f"The sandbox has no account {account!r}.", advice=f"Accounts are written ENV:ROLE: {accounts}."
        )
    port = info.gcs if account == OWNER else info.accounts[account]
    attached = {
        **_github(info, base),
        "TF_REATTACH_PROVIDERS": info.reattach,
        "STORAGE_EMULATOR_HOST": url(port),
        "INFRA_SANDBOX": str(info.folder),
    }
    # Some clients use a proxy even for 127.0.0.1 unless it is excluded.
    for name in ("NO_PROXY", "no_proxy"):
        spared = [host for host in base.get(name, "").split(",") if host]
        attached[name] = ",".join(dict.fromkeys([*spared, LOOPBACK, "localhost"]))
    return attached


def _github(info: Info, base: Mapping[str, str]) -> dict[str, str]:
    """`base` with the variables that attach GitHub's clients to the sandbox's GitHub.

    A caller that already uses a GitHub on this machine continues to; the real one and its tokens are removed.
    """
    if not info.github:
        return dict(base)
    is_local = urlsplit(base.get("GITHUB_API_URL", "")).hostname in (LOOPBACK, "localhost")
    sandbox_variables = {
        "GITHUB_API_URL": url(info.github),
        "GITHUB_SERVER_URL": url(info.github),
        "GITHUB_TOKEN": info.github_token,
        **({"GITHUB_REPOSITORY": info.repository} if info.repository else {}),
    }
    if is_local:
        return {**sandbox_variables, **base}
    return {**{name: value for name, value in base.items() if name not in TOKENS}, **sandbox_variables}
