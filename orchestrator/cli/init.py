"""`infra init`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

EPILOG = """\b
Examples:
  infra init                                   in a clone: workflows, and infra.yaml if there is none
  infra init --owner @acme/platform            CODEOWNERS too
  infra init --from git+https://github.com/acme/infra@COMMIT
                                               what the workflows install: a commit of infra,
  infra init --from 'infra-orchestrator==1.0.0 --hash=sha256:DIGEST'
                                               a release with its hash,
  infra init --from acme/infra@COMMIT          or infra as an action
  infra init --dry-run                         what would be written
  infra init --force                           the workflows anew, after infra was updated
  infra init --check                           exit 1 when one is not as this version writes it
"""


@dataclass(frozen=True, kw_only=True)
class InitOptions(JsonOptions):
    """The options of `infra init`."""

    repository: str | None
    trunk: str | None
    environments: tuple[str, ...]
    bucket: str
    owners: tuple[str, ...]
    shards: int
    drift_shards: int
    source_text: str | None
    workflows: bool
    force: bool
    dry_run: bool
    check: bool


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
@click.option(
    "--from",
    "source_text",
    metavar="SPEC",
    help="Where the workflows install infra from (default: where this infra was installed from).",
)
@click.option(
    "--workflows", is_flag=True, help="Exit 3, and write nothing, when the workflows cannot be written."
)
@click.option("--force", is_flag=True, help="Replace files that differ.")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit 1 when something is missing or differs in more than pins.",
)
@json_option
@with_options(InitOptions)
def command(app: App, options: InitOptions) -> int:
    """Write the GitHub workflows into this repository, and say what to set.

    Files that are there and differ are left as they are, unless --force is given; infra.yaml and CODEOWNERS
    are yours and never replaced. The workflows pin infra and all that it needs by hash; where it is not known
    what to pin infra to, they are left out.
    """
    from orchestrator.ci.scaffold import (
        Wanted,
        check_names,
        contents,
        next_steps,
        select_source,
        target_of,
        write,
    )
    from orchestrator.ci.source import FORMS, UnknownSource
    from orchestrator.project.layout import as_laid_out

    check_names(options.bucket, options.trunk, options.owners)
    project = as_laid_out(app.project(needs_stacks=False))
    target = target_of(project, options.repository, options.trunk, options.environments)
    selected = select_source(project.root, options.source_text, replacing=options.force)
    source = None if isinstance(selected, UnknownSource) else selected
    left_out = ""
    if isinstance(selected, UnknownSource):
        left_out = f"The workflows are left out: {selected.reason}, so there is nothing to pin it to."
        if options.workflows:
            raise UsageError(left_out, advice=FORMS)
    wanted = Wanted(
        replace(target, shards=options.shards, drift_shards=options.drift_shards),
        source,
        options.bucket,
        options.owners,
    )
    found = write(
        project.root, contents(project, wanted), force=options.force, dry=options.dry_run or options.check
    )
    differing = [one.path for one in found if one.state == "differs"]
    missing = [one.path for one in found if one.state == "written"]
    code = int(Exit.ERROR) if options.check and (differing or missing) else int(Exit.OK)
    if options.as_json:
        steps = list(next_steps(wanted))
        notes = [left_out] if left_out else []
        return app.emit("init", code, files=[asdict(one) for one in found], notes=notes, next=steps)
    words = {
        "written": "would write" if options.dry_run or options.check else "wrote",
        "unchanged": "is there",
        "other pins": "other pins",
        "differs": "differs",
    }
    for one in found:
        app.write(f"{words[one.state]:<12} {one.path}")
    if left_out:
        app.note(f"{left_out} {FORMS}")
    if differing:
        app.note("Those that differ were left as they are: `infra init --force` replaces them.")
    if not options.check:
        app.write("\nNext:")
        for number, step in enumerate(next_steps(wanted), 1):
            app.write(f"  {number}. {step}")
    return code
