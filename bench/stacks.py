"""A repository of many small stacks, to measure on."""

from __future__ import annotations

import subprocess
from pathlib import Path


def lay_out(root: Path, count: int, main: str) -> list[Path]:
    """So many stacks in one environment, committed; `main` is their code, with `%s` for the number."""
    folders = []
    for number in range(count):
        folder = root / "infra" / "envs" / "dev" / f"s{number:04}"
        folder.mkdir(parents=True)
        (folder / "main.tf").write_text(main % number)
        folders.append(folder)
    (root / ".gitignore").write_text(".infra/\n.terraform/\n*.tfstate*\n*.bare\n")
    commit_all(root)
    return folders


def commit_all(root: Path) -> None:
    """A new repository with all files committed to main; the user needs no identity of Git's."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-q", "-m", "All")):
        subprocess.run(("git", *command), cwd=root, check=True)
