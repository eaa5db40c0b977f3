"""`infra state history|restore|move|accept|forget|backup`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import (
    AnswerOptions,
    JsonOptions,
    Reason,
    answer_options,
    json_option,
    with_options,
)

if TYPE_CHECKING:
    from orchestrator.project.model import Stack
    from orchestrator.state.location import Location

RESTORE = """\b
Examples:
  infra state history dev/network
  infra state restore dev/network 1764000000000000      a version by its generation
  infra state restore dev/network 12                    or by its serial
"""


@dataclass(frozen=True, kw_only=True)
class StateHistoryOptions(JsonOptions):
    """The options of `infra state history`."""

    stack: str
    limit: int


@click.command("history", epilog="\b\nExamples:\n  infra state history dev/network\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Versions at most.")
@json_option
@with_options(StateHistoryOptions)
def history(app: App, options: StateHistoryOptions) -> int:
    """The versions of a stack's state: serial, what each added and removed, which run wrote it."""
    from orchestrator.cli.ledger_views import versions_view
    from orchestrator.cli.views import show
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States
    from orchestrator.project.select import one
    from orchestrator.run.versions import require_state, versions_of

    project = app.project()
    found = project.stacks[one(project, options.stack, app.cwd)]
    states = States(project, app.environ)
    versions = versions_of(states, Ledgers(project, states, app.environ), found, limit=options.limit)
    require_state(found, versions)
    if options.as_json:
        return app.emit("state history", stack=found.id, versions=[each.document() for each in versions])
    show(app, versions_view(versions, kept=states.is_remote(found)))
    return 0


@dataclass(frozen=True, kw_only=True)
class StateRestoreOptions(AnswerOptions, JsonOptions):
    """The options of `infra state restore`."""

    stack: str
    version: str


@click.command("restore", epilog=RESTORE)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("version")
@answer_options
@json_option
@with_options(StateRestoreOptions)
def restore(app: App, options: StateRestoreOptions) -> int:
    """Put an older version of a state back as a new serial. The world is not touched: plan afterwards.

    What lies there now is kept on this machine first, and Terraform's lock is held meanwhile.
    """
    from orchestrator.cli.consent import confirm_change
    from orchestrator.cli.running import opened
    from orchestrator.run.versions import backup_folder, to_restore
    from orchestrator.run.versions import restore as put_back

    with opened(app) as session:
        one = to_restore(session.memory, session.context.one(options.stack), options.version)
        id = one.stack.id
        if not options.as_json:
            old = one.version
            app.write(f"{id}: serial {old.serial} ({old.written}) replaces serial {one.now_serial}.")
            for sign, addresses in (("+", one.added), ("-", one.removed)):
                for address in addresses:
                    app.write(f"  {sign} {address}")
        question = f"Put this version of the state of {id} back?"
        confirm_change(app, session.context, id, "restore a state", question, options)
        folder = backup_folder(app.environ, session.context.info.id)
        serial = put_back(session, one, folder)
        if options.as_json:
            return app.emit("state restore", stack=id, version=one.version.generation, serial=serial)
        app.write(f"The state of {id} now has serial {serial}; the one before is kept in {folder}.")
        app.write(f"See what it owes the world: infra plan {id}")
    return 0


MOVE = """\b
Examples:
  infra state move dev/web                                       renamed: `moved:` in infra.yaml
  infra state move dev/web --from gs://acme-state/old/web        its backend names another place now
"""
ACCEPT = """\b
Examples:
  infra state accept dev/web --lineage 0f8fad5b-d9cb-469f-a165-70867728950e
  infra state accept dev/web --serial 12
"""
FORGET = """\b
Examples:
  infra state forget dev/web --reason "the project was deleted, and its bucket with it"
"""


@dataclass(frozen=True, kw_only=True)
class StateMoveOptions(AnswerOptions, JsonOptions):
    """The options of `infra state move`."""

    stack: str
    source: str | None


@click.command("move", epilog=MOVE)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--from", "source", metavar="URL", help="Where the state lies: gs://BUCKET/NAME, or a path.")
@answer_options
@json_option
@with_options(StateMoveOptions)
def move(app: App, options: StateMoveOptions) -> int:
    """Take a stack's state along to where its code names it now.

    A renamed stack's state (`moved:` in infra.yaml) goes to its new name. With --from the state of a stack
    whose backend was changed is copied from where it lies; what lies there is kept.
    """
    from orchestrator.cli.consent import confirm_change
    from orchestrator.cli.running import opened
    from orchestrator.run.state_changes import carry_state, find_copy, find_renamed

    with opened(app) as session:
        found = session.context.one(options.stack)
        if options.source is None:
            move = find_renamed(session.memory, found)
            question = f"Move the state that {found.id} had under its old name?"
        else:
            source = _location(app, options.source, found)
            move = find_copy(session.memory, found, source)
            question = f"Copy {source.url} to {found.state}?"
        confirm_change(app, session.context, found.id, "move a state", question, options)
        carry_state(session, found, move, keep_source=options.source is not None)
        if options.as_json:
            return app.emit("state move", stack=found.id, before=move.source.url, now=found.state)
        app.write(f"The state of {found.id} was {move.source.url} and is {found.state} now.")
    return 0


@dataclass(frozen=True, kw_only=True)
class StateAcceptOptions(AnswerOptions, JsonOptions):
    """The options of `infra state accept`."""

    stack: str
    lineage: str | None
    serial: int | None


@click.command("accept", epilog=ACCEPT)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--lineage", metavar="ID", help="The lineage that the state has now.")
@click.option("--serial", type=click.IntRange(0), metavar="N", help="The serial that the state has now.")
@answer_options
@json_option
@with_options(StateAcceptOptions)
def accept(app: App, options: StateAcceptOptions) -> int:
    """Record the state that a stack has now as its own, where the ledger knows another one.

    Say which: by --lineage, or by --serial for an older state of the same lineage. Nothing but the ledger is
    changed; plan afterwards.
    """
    from orchestrator.cli.consent import confirm_change
    from orchestrator.cli.running import opened
    from orchestrator.errors import UsageError
    from orchestrator.run.pipeline import refuse_outside_ci
    from orchestrator.run.state_changes import accept_state, require_state

    if options.lineage is None and options.serial is None:
        raise UsageError("Say which state is accepted.", advice="`--lineage ID`, or `--serial N`.")
    with opened(app) as session:
        found = session.context.one(options.stack)
        refuse_outside_ci(session.context, [found.id])
        require_state(session.memory.states, found, lineage=options.lineage, serial=options.serial)
        question = f"Accept the state at {found.state} as that of {found.id}?"
        confirm_change(app, session.context, found.id, "accept a state", question, options)
        problems = accept_state(session, found, lineage=options.lineage, serial=options.serial)
        if options.as_json:
            return app.emit(
                "state accept", stack=found.id, lineage=options.lineage, serial=options.serial, notes=problems
            )
        app.write(f"The ledger has the state of {found.id} as it is now. Plan next: infra plan {found.id}")
        for problem in problems:
            app.note(problem)
    return 0


@dataclass(frozen=True, kw_only=True)
class StateForgetOptions(AnswerOptions, JsonOptions):
    """The options of `infra state forget`."""

    stack: str
    reason: str


@click.command("forget", epilog=FORGET)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--reason", type=Reason(), required=True, metavar="TEXT", help="Why, for `infra history`.")
@answer_options
@json_option
@with_options(StateForgetOptions)
def forget(app: App, options: StateForgetOptions) -> int:
    """Let the ledger forget a stack whose state is gone for good: its next plan creates everything.

    Nothing is deleted. Refused while the stack has a state.
    """
    from orchestrator.cli.consent import confirm_change
    from orchestrator.cli.running import opened
    from orchestrator.run.pipeline import refuse_outside_ci
    from orchestrator.run.state_changes import forget_stack, require_no_state

    with opened(app) as session:
        found = session.context.one(options.stack)
        refuse_outside_ci(session.context, [found.id])
        require_no_state(session.memory.states, found)
        question = f"Forget {found.id}? Its next apply creates everything anew."
        confirm_change(app, session.context, found.id, "forget a stack", question, options)
        problems = forget_stack(session, found, options.reason)
        if options.as_json:
            return app.emit("state forget", stack=found.id, reason=options.reason, notes=problems)
        app.write(f"The ledger has forgotten {found.id}.")
        for problem in problems:
            app.note(problem)
    return 0


@dataclass(frozen=True, kw_only=True)
class StateBackupOptions(JsonOptions):
    """The options of `infra state backup`."""

    names: tuple[str, ...]
    out: str | None


@click.command("backup", epilog="\b\nExamples:\n  infra state backup\n  infra state backup prod --out kept\n")
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option("--out", metavar="DIR", help="The folder to write to; a new one below your home otherwise.")
@json_option
@with_options(StateBackupOptions)
def backup(app: App, options: StateBackupOptions) -> int:
    """Copy states to a folder that only you can read, with a manifest. They hold secrets in clear."""
    from datetime import UTC, datetime

    from orchestrator.engine.states import States
    from orchestrator.project.select import select
    from orchestrator.run.versions import back_up, backup_folder

    project = app.project()
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = app.cwd / options.out if options.out else backup_folder(app.environ, now)
    stacks = select(project, options.names, app.cwd) if options.names else tuple(project.stacks)
    kept = back_up(States(project, app.environ), [project.stacks[id] for id in stacks], folder, now)
    if options.as_json:
        return app.emit("state backup", folder=str(folder), stacks=kept)
    app.write(f"{len(kept)} of {len(stacks)} stacks had a state; kept in {folder}.")
    return 0


def _location(app: App, source: str, stack: Stack) -> Location:
    """What `--from` names: an object, a prefix of a backend, or a path."""
    from orchestrator.state.location import Location

    location = Location.parse(source if source.startswith("gs://") else str(app.cwd / source))
    if location.is_remote and not location.name.endswith(".tfstate"):
        return Location(location.bucket, f"{location.name.rstrip('/')}/{stack.workspace}.tfstate")
    return location
