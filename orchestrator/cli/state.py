"""`infra state list|show|pull|history|restore|move|accept|forget|backup`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    AnswerOptions,
    JsonOptions,
    Reason,
    answer_options,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_addresses, complete_stacks

if TYPE_CHECKING:
    from orchestrator.repository.model import Stack
    from orchestrator.state.location import Location

EPILOG = """\b
Examples:
  infra state list dev/network
  infra state show dev/network google_compute_network.main
  infra state pull dev/network > network.tfstate
  infra state history dev/network
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Show a stack's state and its older versions; restore, move, accept or forget it.

    Only `restore`, `move`, `accept` and `forget` change or lock anything.
    """


@dataclass(frozen=True, kw_only=True)
class StateListOptions(JsonOptions):
    """The options of `infra state list`."""

    stack: str
    addresses: tuple[str, ...]


@command.command("list", epilog="\b\nExamples:\n  infra state list dev/network\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...", shell_complete=complete_addresses)
@json_option
@with_options(StateListOptions)
def list_(app: App, options: StateListOptions) -> int:
    """List the addresses in a stack's state. Without an address, all of them."""
    from orchestrator.cli.support.session import read_only_session
    from orchestrator.engine.state_queries import addresses_of

    session = read_only_session(app, app.project())
    stack = session.context.select_one(options.stack, app.cwd)
    addresses = addresses_of(session, stack, options.addresses)
    if options.as_json:
        return app.emit("state list", stack=stack.id, addresses=addresses)
    for address in addresses:
        app.write(address)
    return 0


@dataclass(frozen=True, kw_only=True)
class StateShowOptions:
    """The options of `infra state show`."""

    stack: str
    address: str


@command.command(epilog="\b\nExamples:\n  infra state show dev/network google_compute_network.main\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("address", shell_complete=complete_addresses)
@with_options(StateShowOptions)
def show(app: App, options: StateShowOptions) -> int:
    """Show one resource of a stack's state, with secrets masked."""
    from orchestrator.cli.support.session import read_only_session
    from orchestrator.engine.state_queries import resource_of

    session = read_only_session(app, app.project())
    app.write(resource_of(session, session.context.select_one(options.stack, app.cwd), options.address))
    return 0


@dataclass(frozen=True, kw_only=True)
class StatePullOptions:
    """The options of `infra state pull`."""

    stack: str


@command.command(epilog="\b\nExamples:\n  infra state pull dev/network > network.tfstate\n")
@click.argument("stack", shell_complete=complete_stacks)
@with_options(StatePullOptions)
def pull(app: App, options: StatePullOptions) -> int:
    """Print the whole state as it is stored, with its secrets in clear text."""
    from orchestrator.cli.support.session import read_only_session
    from orchestrator.engine.state_queries import state_of

    session = read_only_session(app, app.project())
    stack = session.context.select_one(options.stack, app.cwd)
    app.data(state_of(session, stack).decode("utf-8", "surrogateescape"))
    return 0


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


@command.command("history", epilog="\b\nExamples:\n  infra state history dev/network\n")
@click.argument("stack", shell_complete=complete_stacks)
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="The maximum number of versions."
)
@json_option
@with_options(StateHistoryOptions)
def history(app: App, options: StateHistoryOptions) -> int:
    """List the versions of a stack's state: serial, added and removed resources, and run."""
    from orchestrator.cli.terminal.ledger_views import versions_view
    from orchestrator.cli.terminal.tables import print_pieces
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.state_versions import require_state, versions_of
    from orchestrator.engine.states import States
    from orchestrator.repository.selection import select_one

    project = app.project()
    stack = project.stacks[select_one(project, options.stack, app.cwd)]
    states = States(project, app.environ)
    versions = versions_of(states, Ledgers(project, states, app.environ), stack, limit=options.limit)
    require_state(stack, versions)
    if options.as_json:
        return app.emit("state history", stack=stack.id, versions=[each.document() for each in versions])
    print_pieces(app, versions_view(versions, has_history=states.is_remote(stack)))
    return 0


@dataclass(frozen=True, kw_only=True)
class StateRestoreOptions(AnswerOptions, JsonOptions):
    """The options of `infra state restore`."""

    stack: str
    version: str


@command.command("restore", epilog=RESTORE)
@click.argument("stack", shell_complete=complete_stacks)
@click.argument("version")
@answer_options
@json_option
@with_options(StateRestoreOptions)
def restore(app: App, options: StateRestoreOptions) -> int:
    """Restore an older version of a state as a new serial. Changes no resource: run a plan afterwards.

    Backs up the current state on this machine first, and holds Terraform's lock meanwhile.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.terminal.consent import confirm_change
    from orchestrator.engine.pipeline import refuse_outside_ci
    from orchestrator.engine.state_versions import backup_folder, find_restore
    from orchestrator.engine.state_versions import restore as put_back

    with run_session(app) as session:
        stack = session.context.select_one(options.stack, app.cwd)
        refuse_outside_ci(session.context, [stack.id], instead=f"`infra state restore {stack.id}`.")
        restoration = find_restore(session.memory, stack, options.version)
        id = restoration.stack.id
        if not options.as_json:
            old = restoration.version
            app.write(f"{id}: serial {old.serial} ({old.written}) replaces serial {restoration.now_serial}.")
            for sign, addresses in (("+", restoration.added), ("-", restoration.removed)):
                for address in addresses:
                    app.write(f"  {sign} {address}")
        question = f"Restore this version of the state of {id}?"
        confirm_change(app, session.context, id, "restore a state", question, options)
        folder = backup_folder(app.environ, session.context.info.id)
        serial = put_back(session, restoration, folder)
        if options.as_json:
            return app.emit("state restore", stack=id, restored=restoration.version.generation, serial=serial)
        app.write(f"The state of {id} now has serial {serial}; the one before is kept in {folder}.")
        app.write(f"See what an apply would change: infra plan {id}")
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


@command.command("move", epilog=MOVE)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--from", "source", metavar="URL", help="Where the state is: gs://BUCKET/NAME, or a path.")
@answer_options
@json_option
@with_options(StateMoveOptions)
def move(app: App, options: StateMoveOptions) -> int:
    """Move a stack's state to the location that its code names now.

    Moves the state of a renamed stack (`moved:` in infra.yaml) to its new name. With --from, copies the state
    of a stack whose backend was changed; the old state is kept.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.terminal.consent import confirm_change
    from orchestrator.engine.pipeline import refuse_outside_ci
    from orchestrator.engine.state_changes import find_copy, find_renamed, move_state_by_hand

    with run_session(app) as session:
        stack = session.context.select_one(options.stack, app.cwd)
        refuse_outside_ci(session.context, [stack.id], instead=f"`infra state move {stack.id}`.")
        if options.source is None:
            move = find_renamed(session.memory, stack)
            question = f"Move the state that {stack.id} had under its old name?"
        else:
            source = _location(app, options.source, stack)
            move = find_copy(session.memory, stack, source)
            question = f"Copy {source.url} to {stack.state}?"
        confirm_change(app, session.context, stack.id, "move a state", question, options)
        move_state_by_hand(session, stack, move, keep_source=options.source is not None)
        if options.as_json:
            return app.emit("state move", stack=stack.id, before=move.source.url, now=stack.state)
        app.write(f"The state of {stack.id} was {move.source.url} and is {stack.state} now.")
    return 0


@dataclass(frozen=True, kw_only=True)
class StateAcceptOptions(AnswerOptions, JsonOptions):
    """The options of `infra state accept`."""

    stack: str
    lineage: str | None
    serial: int | None


@command.command("accept", epilog=ACCEPT)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--lineage", metavar="ID", help="The lineage that the state has now.")
@click.option("--serial", type=click.IntRange(0), metavar="N", help="The serial that the state has now.")
@answer_options
@json_option
@with_options(StateAcceptOptions)
def accept(app: App, options: StateAcceptOptions) -> int:
    """Record the current state of a stack, if the ledger has recorded another one.

    Give --lineage, or --serial for an older state of the same lineage. Changes only the ledger; run a plan
    afterwards.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.terminal.consent import confirm_change
    from orchestrator.engine.pipeline import refuse_outside_ci
    from orchestrator.engine.state_changes import accept_state, require_state
    from orchestrator.errors import UsageError

    if options.lineage is None and options.serial is None:
        raise UsageError("Say which state is accepted.", advice="`--lineage ID`, or `--serial N`.")
    with run_session(app) as session:
        stack = session.context.select_one(options.stack, app.cwd)
        refuse_outside_ci(session.context, [stack.id], instead=f"`infra state accept {stack.id}`.")
        require_state(session.memory.states, stack, lineage=options.lineage, serial=options.serial)
        question = f"Accept the state at {stack.state} as that of {stack.id}?"
        confirm_change(app, session.context, stack.id, "accept a state", question, options)
        problems = accept_state(session, stack, lineage=options.lineage, serial=options.serial)
        if options.as_json:
            return app.emit(
                "state accept", stack=stack.id, lineage=options.lineage, serial=options.serial, notes=problems
            )
        app.write(f"The ledger has the state of {stack.id} as it is now. Plan next: infra plan {stack.id}")
        for problem in problems:
            app.note(problem)
    return 0


@dataclass(frozen=True, kw_only=True)
class StateForgetOptions(AnswerOptions, JsonOptions):
    """The options of `infra state forget`."""

    stack: str
    reason: str


@command.command("forget", epilog=FORGET)
@click.argument("stack", shell_complete=complete_stacks)
@click.option(
    "--reason", type=Reason(), required=True, metavar="TEXT", help="The reason, shown by `infra history`."
)
@answer_options
@json_option
@with_options(StateForgetOptions)
def forget(app: App, options: StateForgetOptions) -> int:
    """Remove a stack whose state is lost from the ledger. Its next plan creates everything.

    Deletes no resource. Refused if the stack has a state.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.terminal.consent import confirm_change
    from orchestrator.engine.pipeline import refuse_outside_ci
    from orchestrator.engine.state_changes import forget_stack, require_no_state

    with run_session(app) as session:
        stack = session.context.select_one(options.stack, app.cwd)
        refuse_outside_ci(session.context, [stack.id], instead=f"`infra state forget {stack.id}`.")
        require_no_state(session.memory.states, stack)
        question = f"Forget {stack.id}? Its next apply creates everything again."
        confirm_change(app, session.context, stack.id, "forget a stack", question, options)
        problems = forget_stack(session, stack, options.reason)
        if options.as_json:
            return app.emit("state forget", stack=stack.id, reason=options.reason, notes=problems)
        app.write(f"The ledger has forgotten {stack.id}.")
        for problem in problems:
            app.note(problem)
    return 0


@dataclass(frozen=True, kw_only=True)
class StateBackupOptions(JsonOptions):
    """The options of `infra state backup`."""

    names: tuple[str, ...]
    out: str | None


@command.command(
    "backup", epilog="\b\nExamples:\n  infra state backup\n  infra state backup prod --out kept\n"
)
@click.argument("names", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option(
    "--out", metavar="DIR", help="The folder to write to (default: a new one in your home directory)."
)
@json_option
@with_options(StateBackupOptions)
def backup(app: App, options: StateBackupOptions) -> int:
    """Copy states, with their secrets, to a folder that only you can read, and write a manifest.

    Without a name, copies those of every stack.
    """
    from datetime import UTC, datetime

    from orchestrator.engine.state_versions import back_up, backup_folder
    from orchestrator.engine.states import States
    from orchestrator.repository.selection import select

    project = app.project()
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = app.cwd / options.out if options.out else backup_folder(app.environ, now)
    stacks = select(project, options.names, app.cwd) if options.names else tuple(project.stacks)
    backed_up = back_up(States(project, app.environ), [project.stacks[id] for id in stacks], folder, now)
    if options.as_json:
        return app.emit("state backup", folder=str(folder), stacks=backed_up)
    app.write(f"{len(backed_up)} of {len(stacks)} stacks had a state; kept in {folder}.")
    return 0


def _location(app: App, source: str, stack: Stack) -> Location:
    """What `--from` names: an object, a prefix of a backend, or a path."""
    from orchestrator.state.location import Location

    location = Location.parse(source)
    if not location.is_remote:
        return Location("", str(app.cwd / location.name))
    if not location.name.endswith(".tfstate"):
        return Location(location.bucket, f"{location.name.rstrip('/')}/{stack.workspace}.tfstate")
    return location
