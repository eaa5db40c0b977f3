"""Paths of pages inside the portal, by what they are about."""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*(?:/[a-z0-9_]+(?:-[a-z0-9_]+)*)*")
_LONGEST = 120


def stack_path(id_: str) -> str:
    """The page of a stack: `stacks/prod--network.html`."""
    return f"stacks/{file_name(id_)}.html"


def run_path(id_: str) -> str:
    """The page of a run."""
    return f"runs/{file_name(id_.lower() if _is_run_id(id_) else id_)}.html"


def pull_request_path(number: int) -> str:
    """The page of a pull request: `pull-requests/12.html`."""
    return f"pull-requests/{number}.html"


def file_name(id_: str) -> str:
    """A name for a file, different for different ids, also where case does not count.

    What is not plain is replaced, and has a hash after a dot, which a plain name never has.
    """
    if len(id_) <= _LONGEST and _PLAIN.fullmatch(id_):
        return id_.replace("/", "--")
    digest = hashlib.sha256(id_.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{re.sub(r'[^a-z0-9]+', '-', id_.lower()).strip('-')[:60]}.{digest}"


def _is_run_id(id_: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}", id_))
