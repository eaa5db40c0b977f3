"""`infra lock`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks
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
    platforms: tuple[str, ...]
    fs_mirror: str | None
    net_mirror: str | None


@click.command(epilog=EPILOG)
@click.argument("stacks", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option("--upgrade", is_flag=True, help="Use the newest versions instead of the locked ones.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS_ARCH",
    help="Add checksums for this platform, such as linux_amd64; repeatable. Default: see above.",
)
@click.option("--fs-mirror", metavar="DIR", help="Use a folder of provider packages instead of registries.")
@click.option("--net-mirror", metavar="URL", help="Use a network mirror instead of registries.")
@json_option
@with_options(LockOptions)
def command(app: App, options: LockOptions) -> int:
    """Write .terraform.lock.hcl for stacks, with checksums for Linux and macOS on both processors.

    All stacks get the same version of each provider. Writes either all files or none. Uses the mirror of the
    CLI configuration that serves a provider, unless you give another one.

    Without a name, writes those of every stack.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.quality import lock_files as locking

    if options.fs_mirror and options.net_mirror:
        raise UsageError("There can be one mirror.", advice="Give --fs-mirror or --net-mirror.")
    for platform in options.platforms:
        if not re.fullmatch(r"[a-z0-9]+_[a-z0-9]+", platform):
            raise UsageError(f"{platform!r} is no platform.", advice="Write OS_ARCH, such as linux_amd64.")
    folder = app.cwd / options.fs_mirror if options.fs_mirror else None
    if folder and not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder.", advice="Give a folder that `terraform providers mirror` made."
        )
    with run_session(app) as session:
        every = {stack.id for stack in locking.find_roots(session.context.project).values()}
        named = [stack for stack in options.stacks if stack not in every]
        chosen = (set(options.stacks) & every) | set(session.context.select(named, app.cwd) if named else ())
        done = locking.write_lock_files(
            session,
            chosen if options.stacks else every,
            upgrade=options.upgrade,
            mirror=locking.ProviderMirror(folder, options.net_mirror)
            if folder or options.net_mirror
            else None,
            platforms=options.platforms,
        )
        split = locking.find_disagreements(session.context.project)
    code = int(Exit.ERROR) if split else int(Exit.OK)
    if app.json:
        files = [
            {
                "id": locked.id,
                "file": locked.file,
                "result": locked.result,
                "providers": dict(locked.providers),
            }
            for locked in done
        ]
        return app.emit("lock", code, run=None, stacks=[], files=files, disagreements=split)
    for locked in done:
        versions = ", ".join(f"{source.partition('/')[2]} {v}" for source, v in locked.providers.items())
        app.write(f"{locked.file}: {locked.result} ({versions})")
    if not done:
        app.write("Nothing to lock: these stacks use no provider but Terraform's own.")
    for source, versions_of in split.items():
        versions_text = "; ".join(f"{version} in {', '.join(ids)}" for version, ids in versions_of.items())
        app.note(f"{source} is locked in several versions: {versions_text}. `infra lock` makes them one.")
    return code
