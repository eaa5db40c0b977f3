"""`infra fmt`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

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
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a file is not formatted.")
@click.option("--diff", is_flag=True, help="With --check: show how they should be.")
@json_option
@with_options(FmtOptions)
def command(app: App, options: FmtOptions) -> int:
    """Format Terraform files as `terraform fmt` does. Without PATH: modules and environments."""
    from orchestrator.cli.running import quick_session
    from orchestrator.run.formatting import format_files

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
        roots = [path for path in default_roots(project.root, project.config.roots) if path.is_dir()]
    session = quick_session(app, project)
    found = format_files(session.terraform, roots, check=options.check, diff=options.diff)
    code = int(Exit.ERROR) if options.check and (found.unformatted or found.diff) else int(Exit.OK)
    if options.as_json:
        return app.emit("fmt", code, files=list(found.unformatted), diff=found.diff)
    for name in found.unformatted:
        app.write(name)
    if found.diff:
        app.write(found.diff)
    if code:
        app.note("Format them with `infra fmt`.")
    return code


def default_roots(root: Path, roots: object) -> list[Path]:
    """The folders that hold a project's Terraform."""
    return [root / str(getattr(roots, name)) for name in ("modules", "envs")]
