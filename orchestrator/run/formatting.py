"""`terraform fmt` over a project's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.terraform.environment import child_environment


@dataclass(frozen=True)
class Formatting:
    """Files that are not, or were not, formatted, relative to the project's root; `diff` with --diff."""

    unformatted: tuple[str, ...]
    diff: str = ""


def format_files(terraform: TerraformRunner, paths: Sequence[Path], *, check: bool, diff: bool) -> Formatting:
    """Format the files below `paths`, or with `check` only find those that are not."""
    if not paths:
        return Formatting(())
    root = terraform.project.root
    env = child_environment(terraform.environ)
    if check:
        files, text = terraform.client.fmt_check(root, env, paths, diff=diff)
        return Formatting(_relative(root, files), text)
    return Formatting(_relative(root, terraform.client.fmt(root, env, paths)))


def _relative(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Paths as Terraform printed them, from the project's root."""
    found = (Path(name) for name in files)
    return tuple(sorted(str(p.relative_to(root)) if p.is_relative_to(root) else str(p) for p in found))
