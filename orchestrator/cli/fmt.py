"""`infra fmt`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

if TYPE_CHECKING:
    from orchestrator.engine.terraform_runner import TerraformRunner

EPILOG = """\b
Examples:
  infra fmt                  format every Terraform file of the project
  infra fmt --check          exit 1 when one is not formatted, and name it
  infra fmt --check --diff infra/modules
"""


@dataclass(frozen=True, kw_only=True)
class FmtOptions(JsonOptions):
    """The options of `infra fmt`."""

    paths: tuple[str, ...]
    check: bool
    diff: bool


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if a file is not formatted.")
@click.option("--diff", is_flag=True, help="With --check: show the differences.")
@json_option
@with_options(FmtOptions)
def command(app: App, options: FmtOptions) -> int:
    """Format Terraform files like `terraform fmt`. Without PATH, modules and environments."""
    from orchestrator.cli.support.session import read_only_session

    if options.diff and not options.check:
        raise UsageError("--diff goes with --check.", advice="Add --check, or leave --diff away.")
    project = app.project(needs_stacks=False)
    roots = [app.cwd / path for path in options.paths]
    for path in roots:
        if not path.exists():
            raise UsageError(f"{path} does not exist.", advice="Give the path of a file or folder.")
        if not path.resolve().is_relative_to(project.root.resolve()):
            raise UsageError(f"{path} is outside the project.", advice="Give a path of this repository.")
    if not roots:
        roots = [path for path in _default_roots(project.root, project.config.roots) if path.is_dir()]
    session = read_only_session(app, project)
    result = _format_files(session.terraform, roots, check=options.check, diff=options.diff)
    code = int(Exit.ERROR) if options.check and (result.unformatted or result.diff) else int(Exit.OK)
    if options.as_json:
        return app.emit("fmt", code, files=list(result.unformatted), diff=result.diff)
    for name in result.unformatted:
        app.write(name)
    if result.diff:
        app.write(result.diff)
    if code:
        app.note("Format them with `infra fmt`.")
    return code


def _default_roots(root: Path, roots: object) -> list[Path]:
    """The folders that hold a project's Terraform."""
    return [root / str(getattr(roots, name)) for name in ("modules", "envs")]


@dataclass(frozen=True)
class FormatResult:
    """Paths of unformatted files relative to the project's root, and the diff with --diff."""

    unformatted: tuple[str, ...]
    diff: str = ""


def _format_files(
    terraform: TerraformRunner, paths: Sequence[Path], *, check: bool, diff: bool
) -> FormatResult:
    """Formats the files below `paths`; with `check` only finds those that are not formatted."""
    from orchestrator.terraform.environment import child_environment

    if not paths:
        return FormatResult(())
    root = terraform.project.root
    env = child_environment(terraform.environ)
    if check:
        files, text = terraform.client.fmt_check(root, env, paths, diff=diff)
        return FormatResult(_relative_paths(root, files), text)
    return FormatResult(_relative_paths(root, terraform.client.fmt(root, env, paths)))


def _relative_paths(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Paths that Terraform printed, relative to the project's root."""
    paths = (Path(name) for name in files)
    return tuple(sorted(str(p.relative_to(root)) if p.is_relative_to(root) else str(p) for p in paths))
