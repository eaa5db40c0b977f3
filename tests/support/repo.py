"""A git repository laid out from a dictionary of strings."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path


class Repo:
    """A real repository in a folder. Paths are relative to its root; text is dedented as it is written."""

    def __init__(self, root: Path, files: Mapping[str, str] | None = None, *, trunk: str = "main") -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", trunk)
        if files is not None:
            self.commit(files, "First")

    @classmethod
    def at(cls, root: Path) -> Repo:
        """A repository that is there already, such as a submodule's."""
        found = cls.__new__(cls)
        found.root = root
        return found

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
        return self.git("rev-parse", "HEAD")

    @property
    def status(self) -> str:
        """What git says changed in the working tree; empty when nothing did."""
        return self.git("status", "--porcelain")
