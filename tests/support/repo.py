"""A git repository laid out from a dictionary of strings."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path

_CONFIG = """[core]
	repositoryformatversion = 0
	filemode = true
	bare = {bare}
	logallrefupdates = {logs}
[maintenance]
	auto = false
"""
_ORIGIN = """[remote "origin"]
	url = {origin}
	fetch = +refs/heads/*:refs/remotes/origin/*
"""


def init(git: Path, trunk: str = "main", *, bare: bool = False) -> None:
    """Make what `git init` makes, without its process; and no commit starts another one that tidies up."""
    for name in ("hooks", "info", "objects/info", "objects/pack", "refs/heads", "refs/tags"):
        (git / name).mkdir(parents=True, exist_ok=True)
    (git / "HEAD").write_text(f"ref: refs/heads/{trunk}\n")
    (git / "config").write_text(_CONFIG.format(bare=str(bare).lower(), logs=str(not bare).lower()))


def read_refs(git: Path) -> dict[str, str]:
    """The commit of each reference below `refs/`, by its full name, read from git's files."""
    refs = {}
    packed = git / "packed-refs"
    for line in packed.read_text().splitlines() if packed.exists() else ():
        if not line.startswith(("#", "^")):
            commit, _, name = line.partition(" ")
            refs[name] = commit
    for folder, _, names in os.walk(git / "refs"):
        for path in (Path(folder, name) for name in names):
            text = path.read_text().strip()
            if not text.startswith("ref: "):
                refs[path.relative_to(git).as_posix()] = text
    return refs


def write_ref(git: Path, name: str, commit: str) -> None:
    """Let a reference be a commit whose objects are there."""
    path = git / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{commit}\n")


def copy_objects(source: Path, target: Path) -> None:
    """Bring the objects of one `.git` into another one; what is borrowed is not copied."""
    for folder, _, names in os.walk(source / "objects"):
        into = target / Path(folder).relative_to(source)
        into.mkdir(exist_ok=True)
        for name in names:
            # Objects never change, and those in `info` are no objects.
            if into.name != "info" and not (into / name).exists():
                os.link(Path(folder, name), into / name)


def borrow(origin: Path, git: Path, *, head: str, refs: Mapping[str, str]) -> None:
    """Lay out the `.git` of a clone that has origin's objects without copying them.

    `git clone` starts a dozen processes. `head` is what HEAD says; `refs` become packed references.
    """
    init(git)
    (git / "objects/info/alternates").write_text(f"{origin}/objects\n")
    with (git / "config").open("a") as config:
        config.write(_ORIGIN.format(origin=origin))
    (git / "packed-refs").write_text("".join(f"{refs[name]} {name}\n" for name in sorted(refs)))
    (git / "HEAD").write_text(f"{head}\n")


# The files of `.git` after a first commit, by what was committed, and by whom: with the same variables the
# same files make the same commit, and the tests of a module begin with the same files.
_FIRST: dict[tuple[object, ...], dict[str, bytes]] = {}


class Repo:
    """A real repository in a folder, made where none is.

    Paths are relative to its root; text is dedented as it is written.
    """

    def __init__(self, root: Path, files: Mapping[str, str] | None = None, *, trunk: str = "main") -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        is_empty = not any(root.iterdir())
        # A bare one has its HEAD in the folder itself.
        if not (root / ".git").exists() and not (root / "HEAD").exists():
            init(root / ".git", trunk)
        if files is not None and is_empty:
            self._commit_first(files, trunk)
        elif files is not None:
            self.commit(files, "First")

    def _commit_first(self, files: Mapping[str, str], trunk: str) -> None:
        """Commit to an empty repository, without git where the same was committed before."""
        who = tuple(sorted((name, text) for name, text in os.environ.items() if name.startswith("GIT_")))
        key = (trunk, who, *sorted(files.items()))
        git = self.root / ".git"
        first_commit = _FIRST.get(key)
        if first_commit is None:
            self.commit(files, "First")
            paths = [path for path in git.rglob("*") if path.is_file()]
            _FIRST[key] = {path.relative_to(git).as_posix(): path.read_bytes() for path in paths}
            return
        self.write(files)
        for name, data in first_commit.items():
            (git / name).parent.mkdir(parents=True, exist_ok=True)
            (git / name).write_bytes(data)

    def git(self, *arguments: str, check: bool = True) -> str:
        """Run git here; returns its standard output without the last line end."""
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.removesuffix("\n")

    def write(self, files: Mapping[str, str]) -> None:
        """Write files, making the folders that they need."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).removeprefix("\n"))

    def remove(self, *names: str) -> None:
        """Delete files from the working tree."""
        for name in names:
            (self.root / name).unlink()

    def commit(self, files: Mapping[str, str] | None = None, message: str = "Change") -> str:
        """Write `files`, commit everything that changed (or nothing at all), and return the commit."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    def branch(self, name: str) -> None:
        """Make a branch at the current commit and go there."""
        self.git("switch", "-q", "-c", name)

    def switch(self, name: str) -> None:
        """Go to a branch that exists."""
        self.git("switch", "-q", name)

    @property
    def head(self) -> str:
        """The current commit."""
        return self._loose_head() or self.git("rev-parse", "HEAD")

    def _loose_head(self) -> str:
        """The current commit where a file of its own says it: a process less for each commit of a test."""
        try:
            text = (self.root / ".git/HEAD").read_text().strip()
            if not text.startswith("ref: "):
                return text
            return (self.root / ".git" / text.removeprefix("ref: ")).read_text().strip()
        except OSError:
            return ""

    @property
    def status(self) -> str:
        """What git says changed in the working tree; empty when nothing did."""
        return self.git("status", "--porcelain")
