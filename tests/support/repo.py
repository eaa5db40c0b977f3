"""A git repository laid out from a dictionary of strings."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path

_CONFIG = """[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
	logallrefupdates = true
[maintenance]
	auto = false
"""


class Repo:
    """A real repository in a folder, made where none is.

    Paths are relative to its root; text is dedented as it is written.
    """

    def __init__(self, root: Path, files: Mapping[str, str] | None = None, *, trunk: str = "main") -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        # A bare one has its HEAD in the folder itself.
        if not (root / ".git").exists() and not (root / "HEAD").exists():
            self._init(trunk)
        if files is not None:
            self.commit(files, "First")

    def _init(self, trunk: str) -> None:
        """What `git init` makes, without its process; and no commit starts another one that tidies up."""
        git = self.root / ".git"
        for name in ("hooks", "info", "objects/info", "objects/pack", "refs/heads", "refs/tags"):
            (git / name).mkdir(parents=True, exist_ok=True)
        (git / "HEAD").write_text(f"ref: refs/heads/{trunk}\n")
        (git / "config").write_text(_CONFIG)

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
