"""The marker `repository.json`: names the repository that owns the ledgers beside it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from orchestrator.errors import NewerMarkerError, OwnershipError
from orchestrator.jsontext import read_object
from orchestrator.state.records import VERSION, build_record, encode
from orchestrator.state.storage import ABSENT, Storage

FILE_NAME = "repository.json"
# `git@github.com:acme/infra.git`, with or without the user.
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[^\]]+\]|[^@/:]+):(?!//)(?P<path>.+)")
# Hosts under which SSH on port 443 is offered, and the host that they belong to.
_SAME_HOST = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}


@dataclass(frozen=True)
class Identity:
    """What is known of which repository a checkout is.

    `id` is GitHub's number, known in its jobs only; `origin` the normalised address of the remote
    (`normalised_origin`); `first_commit` the oldest commit of the branch's own line. Each may be empty.
    """

    id: str = ""
    origin: str = ""
    first_commit: str = ""

    @property
    def words(self) -> str:
        """How messages name the repository."""
        if self.origin:
            return f"{self.origin} (id {self.id})" if self.id else self.origin
        if self.id:
            return f"the repository with the id {self.id}"
        return f"the repository that begins with {self.first_commit[:10]}" if self.first_commit else "unknown"

    def is_same(self, other: Identity) -> bool:
        """Whether both are one repository, by the best that both know: id, origin, first commit.

        False where they have nothing in common to compare.
        """
        if self.id and other.id:
            return self.id == other.id
        by_origin = same_origin(self.origin, other.origin)
        if by_origin is not None:
            return by_origin
        return bool(self.first_commit) and self.first_commit == other.first_commit


@dataclass(frozen=True)
class Marker:
    """Whose memory it is: written at `created` by the login `by`; `reason` and `before` are of a claim."""

    repository: Identity
    created: str = ""
    by: str = ""
    reason: str = ""
    before: Identity | None = None
    generation: str = field(default=ABSENT, compare=False)

    def is_current(self, identity: Identity) -> bool:
        """Whether it names this repository, and by the address that it has now."""
        return self.repository.is_same(identity) and self.repository.origin == identity.origin


def marker_name(prefix: str) -> str:
    """The marker's object in a bucket; `prefix` is the folder that the repository has there, or empty."""
    return f"{prefix}/{FILE_NAME}" if prefix else FILE_NAME


def read_marker(storage: Storage, prefix: str) -> Marker | None:
    """The marker beside the environments' folders; None when there is none.

    Raises OwnershipError for one that cannot be understood.
    """
    name = marker_name(prefix)
    blob = storage.read(name)
    if blob is None:
        return None
    try:
        content = read_object(blob.data)
        if content["version"] > VERSION:
            raise NewerMarkerError(
                f"{name} has version {content['version']}; this infra knows up to {VERSION}.",
                advice="A newer infra wrote it: upgrade this one.",
            )
        return replace(_marker(content), generation=blob.generation)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OwnershipError(
            f"{name} is not readable, so it cannot be known whose memory this is.",
            advice="Restore an older version of that object, or write it again: `infra ledger claim`.",
        ) from error


def write_marker(storage: Storage, prefix: str, marker: Marker) -> None:
    """Write a marker over the generation that it was read with; PreconditionFailed when that has changed."""
    document = {name: value for name, value in asdict(marker).items() if name != "generation"}
    data = encode({"version": VERSION, **document})
    storage.write(marker_name(prefix), data, if_generation=marker.generation)


def normalised_origin(url: str, folder: str) -> str:
    """A remote's address as `HOST/PATH`, without user, port, scheme and `.git`; of a path `file:PATH`.

    `folder` is the repository's top, which a relative path is taken from. Upper and lower case do not count
    on a host, since GitHub makes no difference.
    """
    if not url:
        return ""
    if "://" in url:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return f"file:{_without_git(unquote(parts.path))}"
        host, path = (parts.hostname or ""), unquote(parts.path)
    elif match := _SCP.fullmatch(url):
        host, path = match["host"].strip("[]"), match["path"]
    else:
        return f"file:{_without_git(posixpath.normpath(posixpath.join(folder, url)))}"
    host = host.lower()
    return f"{_SAME_HOST.get(host, host)}/{_without_git(path.strip('/')).lower()}"


def same_origin(first: str, second: str) -> bool | None:
    """Whether two normalised origins are one repository; None when they cannot be compared.

    A host without a dot is an alias of somebody's SSH configuration, and the loopback address a server in
    front of the repository: of these only the path counts. A path on a disk says nothing about a host.
    """
    if not first or not second or first.startswith("file:") != second.startswith("file:"):
        return None
    if first.startswith("file:"):
        return first == second
    (host, _, path), (other_host, _, other_path) = first.partition("/"), second.partition("/")
    return path == other_path and (host == other_host or _is_alias(host) or _is_alias(other_host))


def _is_alias(host: str) -> bool:
    return "." not in host or host == "127.0.0.1"


def _without_git(path: str) -> str:
    stripped = path.rstrip("/") or path
    return stripped.removesuffix(".git").rstrip("/") or stripped


def _marker(content: Mapping[str, Any]) -> Marker:
    repository, before = content["repository"], content.get("before")
    marker = build_record(
        Marker, {**content, "repository": build_record(Identity, repository), "before": None}
    )
    if not (marker.repository.id or marker.repository.origin or marker.repository.first_commit):
        raise ValueError("the marker names no repository")
    return replace(marker, before=build_record(Identity, before) if before else None)
