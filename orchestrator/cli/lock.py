"""`infra lock`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

EPILOG = """\b
Examples:
  infra lock                    every stack, and the bootstrap
  infra lock --upgrade          the newest versions that every constraint allows
  infra lock dev/network --fs-mirror ../mirror
"""


@dataclass(frozen=True, kw_only=True)
class LockOptions(JsonOptions):
    """The options of `infra lock`."""

    stacks: tuple[str, ...]
    upgrade: bool
    fs_mirror: str | None
    net_mirror: str | None


@click.command(epilog=EPILOG)
@click.argument("stacks", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option("--upgrade", is_flag=True, help="Take the newest versions, not those locked already.")
@click.option("--fs-mirror", metavar="DIR", help="Take providers from a folder instead of registries.")
@click.option("--net-mirror", metavar="URL", help="Take providers from a network mirror.")
@json_option
@with_options(LockOptions)
def command(app: App, options: LockOptions) -> int:
    """Write .terraform.lock.hcl for stacks, with checksums for Linux and macOS on both processors.

    All stacks get one version of each provider. Nothing is written unless everything can be.
    """
    from orchestrator.cli.running import opened
    from orchestrator.run import locking

    if options.fs_mirror and options.net_mirror:
        raise UsageError("There can be one mirror.", advice="Give --fs-mirror or --net-mirror.")
    folder = app.cwd / options.fs_mirror if options.fs_mirror else None
    if folder and not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder.", advice="Give a folder that `terraform providers mirror` made."
        )
    with opened(app) as session:
        every = {stack.id for stack in locking.roots_of(session.context.project).values()}
        named = [one for one in options.stacks if one not in every]
        chosen = (set(options.stacks) & every) | set(session.context.select(named) if named else ())
        mirror = locking.Mirror(folder, options.net_mirror)
        done = locking.lock(
            session, chosen if options.stacks else every, upgrade=options.upgrade, mirror=mirror
        )
        split = locking.disagreements(session.context.project)
    code = int(Exit.ERROR) if split else int(Exit.OK)
    if app.json:
        files = [
            {"id": one.id, "file": one.file, "result": one.result, "providers": dict(one.providers)}
            for one in done
        ]
        return app.emit("lock", code, run=None, stacks=[], files=files, disagreements=split)
    for one in done:
        versions = ", ".join(f"{source.partition('/')[2]} {v}" for source, v in one.providers.items())
        app.write(f"{one.file}: {one.result} ({versions})")
    if not done:
        app.write("Nothing to lock: these stacks use no provider but Terraform's own.")
    for source, versions_of in split.items():
        told = "; ".join(f"{version} in {', '.join(ids)}" for version, ids in versions_of.items())
        app.note(f"{source} is locked in several versions: {told}. `infra lock` makes them one.")
    return code
