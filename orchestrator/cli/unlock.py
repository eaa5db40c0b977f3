"""`infra unlock`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks

EPILOG = """\b
Examples:
  infra unlock dev/network                  look at the lock, ask, release it
  infra unlock dev/network --auto-approve   without a terminal
"""


@dataclass(frozen=True, kw_only=True)
class UnlockOptions(JsonOptions):
    """The options of `infra unlock`."""

    stack: str
    force: bool
    auto_approve: bool


@click.command(epilog=EPILOG)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--force", is_flag=True, help="Release it even if the run that holds it is still active.")
@click.option("--auto-approve", is_flag=True, help="Skip the confirmation prompt.")
@json_option
@with_options(UnlockOptions)
def command(app: App, options: UnlockOptions) -> int:
    """Show who locks a stack's state, and release exactly that lock.

    After an interrupted run, use `infra resume` instead: it also repairs the state.
    """
    from orchestrator.cli.terminal.consent import confirm
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States
    from orchestrator.engine.unlock import inspect_lock, refuse_live, release_held_lock
    from orchestrator.report.status import format_age
    from orchestrator.repository.advice import advice_for
    from orchestrator.repository.selection import select_one

    project = app.project()
    id = select_one(project, options.stack, app.cwd)
    states = States(project, app.environ)
    lock = inspect_lock(states, Ledgers(project, states, app.environ), project.stacks[id])
    if lock is None:
        if options.as_json:
            return app.emit("unlock", stack=id, released=None)
        app.write(f"{id} is not locked.")
        return 0
    document: dict[str, Any] = {
        **vars(lock.lock),
        "age_seconds": lock.age,
        "ours": lock.ours,
        "live": lock.live,
    }
    if not options.as_json:
        age = "" if lock.age is None else f", {format_age(lock.age)} ago"
        app.write(f"{id}: {lock.lock}{age} (lock {lock.lock.generation}).")
        if lock.operation:
            ending = "" if lock.live else ", and was interrupted"
            app.write(f"The ledger records: {lock.operation}{ending}.")
    refuse_live(lock, force=options.force)
    if lock.operation and not lock.live and not options.as_json:
        better = f"Better: `infra resume {id}`, which also repairs the state."
        app.note(advice_for(project, better))
    confirm(app, f"Release this lock on {id}?", is_confirmed=options.auto_approve)
    release_held_lock(states, lock)
    if options.as_json:
        return app.emit("unlock", stack=id, released=document)
    app.write("Released.")
    return 0
