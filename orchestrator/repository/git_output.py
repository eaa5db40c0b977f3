"""Parses the output of git: file listings and object batches. Pure functions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import GitError

LINK, SUBMODULE = "120000", "160000"
# What Terraform leaves in a checkout that does not ignore it.
MADE_BY_TERRAFORM = re.compile(
    r"(?:^|/)(?:\.terraform/|[^/]*\.tfstate(?:\.backup)?$|\.terraform\.tfstate\.lock\.info$)"
)

# Attributes by which bytes in the working tree differ from those that Git stores.
CONVERTING = frozenset({"crlf", "eol", "filter", "ident", "text", "working-tree-encoding"})


@dataclass
class Listing:
    """Files by path: object ids, links' object ids, submodules' commits, and names still to be looked at.

    `unwatched` are files whose changes Git was told not to look for (`git update-index --assume-unchanged` or
    `--skip-worktree`): where one is there, it may differ from its id.
    """

    ids: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    submodules: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    unwatched: set[str] = field(default_factory=set)


def entries(listed: bytes) -> Iterator[str]:
    """The entries of a NUL separated list. A name that ends in a slash is a repository of its own."""
    yield from (entry for entry in os.fsdecode(listed).split("\0") if entry and not entry.endswith("/"))


def untracked(listed: bytes) -> Iterator[str]:
    """New files, without what Terraform leaves behind."""
    yield from (path for path in entries(listed) if not MADE_BY_TERRAFORM.search(path))


def read_index(listed: bytes) -> Listing:
    """`git ls-files -z -v -s -c -m -d -o`: links and files that differ from the index are in `changed`."""
    listing = Listing()
    deleted: set[str] = set()
    for entry in entries(listed):
        tag, _, rest = entry.partition(" ")
        if tag == "?":
            if not MADE_BY_TERRAFORM.search(rest):
                listing.changed.add(rest)
            continue
        stage, _, path = rest.partition("\t")
        mode, object_id, _ = stage.split(" ")
        if tag.upper() == "R":
            deleted.add(path)
        elif mode == SUBMODULE:
            listing.submodules[path] = object_id
        elif tag == "C" or mode == LINK:
            listing.changed.add(path)
        else:
            listing.ids[path] = object_id
            # `-v` has small letters for files that count as unchanged.
            if tag == "S" or tag.islower():
                listing.unwatched.add(path)
    listing.changed -= deleted
    for path in deleted | listing.changed:
        listing.ids.pop(path, None)
    return listing


def read_converted(listed: bytes) -> set[str]:
    """`git check-attr -z -a --stdin`: the files with an attribute by which Git converts their bytes."""
    fields = iter(os.fsdecode(listed).split("\0"))
    return {
        path
        for path, attribute, value in zip(fields, fields, fields, strict=False)
        if attribute in CONVERTING and value != "unset"
    }


def read_tree(listed: bytes) -> Listing:
    """`git ls-tree -r -z`."""
    listing = Listing()
    kinds = {LINK: listing.links, SUBMODULE: listing.submodules}
    for entry in entries(listed):
        kind, _, path = entry.partition("\t")
        mode, _, object_id = kind.split(" ")
        kinds.get(mode, listing.ids)[path] = object_id
    return listing


def read_batch(out: bytes, object_ids: Sequence[str]) -> dict[str, bytes]:
    """`git cat-file --batch`: contents by object id; GitError for one that is not there."""
    batch: dict[str, bytes] = {}
    at = 0
    for object_id in object_ids:
        end = out.index(b"\n", at)
        head = out[at:end].split()
        if len(head) != 3:
            raise GitError(f"Git lacks object {object_id}.", advice="`git fsck` says what is missing.")
        size = int(head[2])
        batch[object_id] = out[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return batch


def read_history(logged: bytes, mark: str) -> list[tuple[str, tuple[str, ...]]]:
    """Commits with the paths that each changed, from `git log -z --name-only --format=MARK%H`.

    Paths may hold anything but NUL, so the mark must be one that nobody could have put into a path.
    """
    commits: list[tuple[str, list[str]]] = []
    for part in logged.split(b"\0"):
        text = os.fsdecode(part)
        if text.startswith(mark):
            commits.append((text.removeprefix(mark), []))
        elif text and commits:
            paths = commits[-1][1]
            paths.append(text if paths else text.removeprefix("\n"))
    return [(commit, tuple(paths)) for commit, paths in commits]
