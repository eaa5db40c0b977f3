"""Disables programs that a clone's own configuration would make Git start while it reads.

The configuration (`.git/config`) is no file of the tree, but it may have come with a copied folder, or an
earlier step of a job may have written it. Content filters are the one kind that reading commands use and that
no setting turns off as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

# For every command. Hooks, file system monitors, signature checks and `ext::` addresses are programs.
QUIET = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "protocol.ext.allow=never"),
)
# Lists every setting with its scope, separated by NUL; runs nothing.
LIST = ("config", "--list", "--includes", "--show-scope", "-z")

_SCOPES = frozenset({"local", "worktree"})
_FILTER = re.compile(r"(filter\..+)\.(?:clean|smudge|process)", re.IGNORECASE | re.DOTALL)
_PROMISOR = re.compile(r"remote\.(.+)\.promisor", re.DOTALL)
# What `git lfs install --local` writes, which actions/checkout does for `lfs: true`.
_LFS = re.compile(r"git-lfs (?:clean -- %f|smudge (?:--skip )?-- %f|filter-process(?: --skip)?)")
_OFF = (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))


def filter_overrides(listing: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that switch off the content filters of a clone's own configuration (the output of `LIST`).

    They come after the settings that `environ` has already. Options (`-c`) would not do: a driver's name may
    hold `=`.
    """
    drivers = sorted({driver for driver, program in _filters(listing) if not _LFS.fullmatch(program)})
    settings = [(f"{driver}.{key}", value) for driver in drivers for key, value in _OFF]
    if not settings:
        return {}
    first = int(environ.get("GIT_CONFIG_COUNT") or 0)
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for index, (key, value) in enumerate(settings, first):
        variables |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return variables


def setting(listing: str, key: str) -> str | None:
    """The value that counts of a setting (`remote.origin.url`) in the output of `LIST`: its last one."""
    values = [value for _, name, value in _settings(listing) if name == key]
    return values[-1] if values else None


def promisor(listing: str) -> str | None:
    """The remote of a partial clone, which has the contents that the clone lacks; None in a whole clone."""
    for _, key, value in _settings(listing):
        match = _PROMISOR.fullmatch(key)
        if match and value in ("", "true"):
            return match[1]
    return None


def _settings(listing: str) -> Iterator[tuple[str, str, str]]:
    """Scope, key and value of each setting."""
    fields = listing.split("\0")
    for scope, entry in zip(fields[::2], fields[1::2], strict=False):
        key, _, value = entry.partition("\n")
        yield scope, key, value


def _filters(listing: str) -> Iterator[tuple[str, str]]:
    """Each driver (`filter.NAME`) with one of its programs."""
    for scope, key, value in _settings(listing):
        match = _FILTER.fullmatch(key)
        if match and scope in _SCOPES:
            yield match[1], value
