"""`infra init`."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option
from orchestrator.errors import Exit

EPILOG = """\b
Examples:
  infra init                                   in a clone: workflows, and infra.yaml if there is none
  infra init --owner @acme/platform            CODEOWNERS too
  infra init --dry-run                         what would be written
  infra init --force                           the workflows anew, after infra was updated
  infra init --check                           exit 1 when one is not as this version writes it
"""


@click.command(epilog=EPILOG)
@click.option("--repository", metavar="OWNER/NAME", help="The repository on GitHub (default: origin's).")
@click.option("--trunk", metavar="BRANCH", help="What everything merges to (default: infra.yaml's, or main).")
@click.option(
    "--environment",
    "environments",
    metavar="ENV",
    multiple=True,
    help="An environment, in promotion order; repeat it (default: those that are there).",
)
@click.option("--bucket", metavar="NAME", default="", help="The state bucket, for a new infra.yaml.")
@click.option(
    "--owner", "owners", metavar="@TEAM", multiple=True, help="Who owns workflows and rules; repeat it."
)
@click.option(
    "--apply-shards",
    "shards",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="Apply an environment in N jobs side by side.",
)
@click.option(
    "--drift-shards",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="Check an environment for drift in N jobs side by side.",
)
@click.option("--force", is_flag=True, help="Replace files that differ.")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when something is missing or differs.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    repository: str | None,
    trunk: str | None,
    environments: tuple[str, ...],
    bucket: str,
    owners: tuple[str, ...],
    shards: int,
    drift_shards: int,
    force: bool,
    dry_run: bool,
    check: bool,
    as_json: bool,
) -> int:
    """Write the GitHub workflows into this repository, and say what to set.

    Files that are there and differ are left as they are, unless --force is given; infra.yaml and CODEOWNERS
    are yours and never replaced.
    """
    from orchestrator.ci.scaffold import Wanted, contents, next_steps, target_of, write

    app = pass_app(ctx)
    project = app.project()
    target = target_of(project, repository, trunk, environments)
    wanted = Wanted(replace(target, shards=shards, drift_shards=drift_shards), bucket, owners)
    found = write(project.root, contents(project, wanted), force=force, dry=dry_run or check)
    differing = [one.path for one in found if one.state == "differs"]
    missing = [one.path for one in found if one.state == "written"]
    code = int(Exit.ERROR) if check and (differing or missing) else int(Exit.OK)
    if as_json:
        steps = list(next_steps(wanted))
        return app.emit("init", code, files=[asdict(one) for one in found], next=steps)
    words = {
        "written": "would write" if dry_run or check else "wrote",
        "unchanged": "is there",
        "differs": "differs",
    }
    for one in found:
        app.write(f"{words[one.state]:<12} {one.path}")
    if differing:
        app.note("Those that differ were left as they are: `infra init --force` replaces them.")
    if not check:
        app.write("\nNext:")
        for number, step in enumerate(next_steps(wanted), 1):
            app.write(f"  {number}. {step}")
    return code
