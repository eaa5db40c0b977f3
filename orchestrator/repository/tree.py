"""The files of a project in the working tree or in one commit."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import Literal

MAX_LINKS = 40


@dataclass(frozen=True)
class BrokenPath:
    """Why a path cannot be resolved: a link out of the project, or a cycle of links."""

    why: Literal["outside", "loop"]
    link: str


class Tree:
    """File names with the hash of each file's content, links, and a way to read.

    Paths are posix, relative to the project's root; the root itself is "". `ids` are Git's object ids, so an
    unchanged file has the same id in the working tree and in a commit. `links` maps symbolic links to what
    they hold, `submodules` the folders of Git submodules to their commits. `commit` is None for the working
    tree, in which `empty_submodules` are not checked out, and the bytes of a file may differ from those of
    its id for every path in `converted` (None: for all).
    """

    def __init__(
        self,
        ids: Mapping[str, str],
        read: Callable[[str], bytes],
        *,
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
        empty_submodules: Collection[str] = (),
        converted: Container[str] | None = None,
        commit: str | None = None,
    ) -> None:
        self.ids = ids
        self.links = links or {}
        self.submodules = submodules or {}
        self.empty_submodules = frozenset(empty_submodules)
        self.commit = commit
        self._converted = converted
        self._read = read
        self._names = sorted([*ids, *self.links])

    def read(self, path: str) -> bytes:
        """The content of a file; `path` is resolved already."""
        return self._read(path)

    def has_bytes_of_id(self, path: str) -> bool:
        """Whether a file's bytes are those that Git has by its id; `path` is resolved already."""
        return self.commit is not None or (self._converted is not None and path not in self._converted)

    def below(self, folder: str) -> Iterator[str]:
        """Every file and link below a folder, however deep, in order; links are not followed."""
        start = f"{folder}/" if folder else ""
        names = self._names
        for index in range(bisect_left(names, start), len(names)):
            if not names[index].startswith(start):
                return
            yield names[index]

    def files(self, folder: str) -> list[str]:
        """Names of the files and links directly in a folder."""
        cut = len(folder) + 1 if folder else 0
        return [name[cut:] for name in self.below(folder) if "/" not in name[cut:]]

    def is_folder(self, path: str) -> bool:
        """True when something lies below the path."""
        return path == "" or next(self.below(path), None) is not None

    def exists(self, path: str) -> bool:
        """True for a file, a link or a folder."""
        return path in self.ids or path in self.links or self.is_folder(path)

    def resolve(self, path: str) -> str | BrokenPath:
        """Follow every link in a path, which may not exist; `BrokenPath` when a link leaves or never ends."""
        if not self.links:
            return path
        hops = 0
        done = ""
        link = path
        todo = path.split("/") if path else []
        while todo:
            if todo[0] in ("", "."):
                todo = todo[1:]
                continue
            # As the operating system does: `..` of a folder that a link leads to is that folder's parent.
            if todo[0] == "..":
                if not done:
                    return BrokenPath("outside", link)
                done, todo = posixpath.dirname(done), todo[1:]
                continue
            at = f"{done}/{todo[0]}" if done else todo[0]
            target = self.links.get(at)
            if target is None:
                done, todo = at, todo[1:]
                continue
            hops += 1
            if hops > MAX_LINKS:
                return BrokenPath("loop", at)
            if target.startswith("/"):
                return BrokenPath("outside", at)
            link, todo = at, [*target.split("/"), *todo[1:]]
        return done

    def find(self, path: str) -> str | None:
        """The resolved path of a file, None when there is no such file."""
        real = self.resolve(path)
        return real if isinstance(real, str) and real in self.ids else None

    def submodule_of(self, path: str) -> str | None:
        """The Git submodule that a path lies in."""
        return next((m for m in self.submodules if path == m or path.startswith(f"{m}/")), None)


def blob_id(data: bytes, like: str) -> str:
    """The object id that Git gives to a file's bytes, by the kind of hash of another id."""
    hashed = sha256 if len(like) == 64 else sha1
    return hashed(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def inside(path: str) -> str | None:
    """A path without `.` and `..`; None when it leaves the project or is absolute."""
    clean = posixpath.normpath(path) if path else ""
    if clean == ".":
        return ""
    return None if clean.startswith(("../", "/")) or clean == ".." else clean
