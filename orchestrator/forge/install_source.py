"""Where jobs install infra from: a Git commit, a release with its hash, or infra's own action.

`--from` names it; the default is the source of the running infra (PEP 610, `direct_url.json`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from orchestrator.errors import UsageError

PACKAGE = "infra-orchestrator"
_FORMS = (
    "infra init --from git+https://github.com/OWNER/REPO@COMMIT",
    f"infra init --from '{PACKAGE}==VERSION --hash=sha256:DIGEST'",
    "infra init --from OWNER/REPO@COMMIT (infra as an action)",
)
FORMS = "Name it: " + "; ".join(_FORMS)

# Parts of the text become parts of a shell script, so that only harmless characters are accepted.
_GIT = re.compile(
    r"git\+((?:https|ssh)://(?:[\w-]+@)?[\w.-]+(?::\d+)?/[\w./~-]+?)@([0-9a-f]{40}|[0-9a-f]{64})"
)
_HASH = r"--hash=sha256:[0-9a-f]{64}"
_RELEASE = re.compile(rf"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)((?:\s+{_HASH})+)")
_ACTION = re.compile(r"([\w-]+/[\w.-]+(?:/[\w./-]+)?)@([0-9a-f]{40})")
# For what is refused: how an address begins, and a password in one.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_SCHEMES = frozenset({"git+https", "git+ssh"})
_PASSWORD = re.compile(r"//[^/@\s]*:[^/@\s]*@")
_MAX_SHOWN = 200


@dataclass(frozen=True)
class GitSource:
    """A commit of a Git repository; `url` without `git+`."""

    url: str
    commit: str

    def __str__(self) -> str:
        return f"git+{self.url}@{self.commit}"


@dataclass(frozen=True)
class ReleaseSource:
    """A release on a package index; `hashes` are those of its wheels, each as `--hash=sha256:…`."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version} {' '.join(self.hashes)}"


@dataclass(frozen=True)
class ActionSource:
    """infra's own action at a commit, `OWNER/REPO`."""

    action: str
    commit: str

    def __str__(self) -> str:
        return f"{self.action}@{self.commit}"


Source = GitSource | ReleaseSource | ActionSource


# How an install step names each of them (installing.py).
_COMMITTED = (
    re.compile(rf"\"{PACKAGE} @ ({_GIT.pattern})\""),
    re.compile(
        rf"^ *([A-Za-z0-9][\w.-]*==[\w.!+-]+(?: \\\n +{_HASH})+)\n *PINS\n +install --no-deps", re.MULTILINE
    ),
    re.compile(rf"name: Install infra\n +uses: ({_ACTION.pattern})"),
)


@dataclass(frozen=True)
class UnknownSource:
    """Why the source of the running infra cannot be named in a workflow."""

    reason: str


def parse_source(text: str) -> Source:
    """Parses `--from`. Raises UsageError for a source that is not fixed to a commit or a hash."""
    text = text.strip()
    if match := _GIT.fullmatch(text):
        return GitSource(match[1], match[2])
    if match := _RELEASE.fullmatch(text):
        return ReleaseSource(match[1], match[2], tuple(match[3].split()))
    if match := _ACTION.fullmatch(text):
        return ActionSource(match[1], match[2])
    raise UsageError(_why_refused(text), advice=FORMS)


def _why_refused(text: str) -> str:
    address = _ADDRESS.match(text)
    # The text may be long, and hold a password.
    shown_text = _PASSWORD.sub("//…@", text)
    shown_text = repr(shown_text if len(shown_text) <= _MAX_SHOWN else f"{shown_text[:_MAX_SHOWN]}…")
    if address and address[1] not in _SCHEMES:
        return (
            f"{shown_text}: the jobs do not install infra from {address[1]}://, but from a Git repository by "
            "https or ssh, from a package index, or as an action."
        )
    if _PASSWORD.search(text):
        return f"{shown_text} holds a password, which the workflows would show. Leave it out."
    return (
        f"{shown_text} does not name one fixed version of infra: a commit of 40 digits or a hash is needed, "
        "since a name, a tag or a branch can be given to other code."
    )


def committed_source(workflow: str) -> Source | None:
    """The source that a workflow written by `infra init` installs infra from."""
    matches = [match for pattern in _COMMITTED if (match := pattern.search(workflow))]
    return parse_source(matches[0][1].replace("\\\n", " ")) if matches else None


def installed_source() -> Source | UnknownSource:
    """What the running infra was installed from."""
    try:
        return _source_of(distribution(PACKAGE))
    except PackageNotFoundError:
        return UnknownSource("infra runs from a folder and is not installed")


def _source_of(installed: Distribution) -> Source | UnknownSource:
    text = installed.read_text("direct_url.json")
    if text is None:
        return UnknownSource(
            f"infra {installed.version} was installed from a package index, which does not record its hash"
        )
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return UnknownSource("direct_url.json, the record of where infra was installed from, is not readable")
    return source_of_record(document)


def source_of_record(document: Mapping[str, Any]) -> Source | UnknownSource:
    """The source that a `direct_url.json` names."""
    url, details = str(document.get("url", "")), document.get("vcs_info")
    if isinstance(details, dict) and details.get("vcs") == "git":
        match = _GIT.fullmatch(f"git+{url}@{details.get('commit_id')}")
        if match and not document.get("subdirectory"):
            return GitSource(match[1], match[2])
        return UnknownSource(f"infra was installed from {url}, which the jobs cannot reach")
    folder = document.get("dir_info")
    if isinstance(folder, dict):
        kind = "an editable install of" if folder.get("editable") else "installed from"
        return UnknownSource(f"infra is {kind} a folder on this machine")
    return UnknownSource("infra was installed from a single file, which the jobs may not have")
