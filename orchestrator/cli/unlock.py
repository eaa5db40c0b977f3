"""`infra unlock`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra unlock dev/network                  look at the lock, ask, release it
  infra unlock dev/network --auto-approve   off a terminal
"""


@dataclass(frozen=True, kw_only=True)
class UnlockOptions(JsonOptions):
    """The options of `infra unlock`."""

    stack: str
    force: bool
    auto_approve: bool


@click.command(epilog=EPILOG)
@click.argument("stack", shell_complete=complete_stacks)
@click.option("--force", is_flag=True, help="Also when whoever holds it is still heard of.")
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@json_option
@with_options(UnlockOptions)
def command(app: App, options: UnlockOptions) -> int:
    """Show who locks a stack's state, and release exactly that lock.

    After a run that was cut off, `infra resume` is better: it also puts the state right.
    """
    from orchestrator.cli.consent import yes
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States
    from orchestrator.project.select import one
    from orchestrator.report.status import age_words
    from orchestrator.run.unlocking import look, refuse_live, release

    project = app.project()
    id = one(project, options.stack, app.cwd)
    states = States(project, app.environ)
    held = look(states, Ledgers(project, states, app.environ), project.stacks[id])
    if held is None:
        if options.as_json:
            return app.emit("unlock", stack=id, released=None)
        app.write(f"{id} is not locked.")
        return 0
    lock: dict[str, Any] = {**vars(held.lock), "age_seconds": held.age, "ours": held.ours, "live": held.live}
    if not options.as_json:
        age = "" if held.age is None else f", {age_words(held.age)} ago"
        app.write(f"{id}: {held.lock}{age} (lock {held.lock.generation}).")
        if held.operation:
            app.write(f"The ledger says: {held.operation}{'' if held.live else ', and it was cut off'}.")
    refuse_live(held, force=options.force)
    if held.operation and not held.live and not options.as_json:
        app.note(f"Better: `infra resume {id}`, which also puts the state right.")
    yes(app, f"Release this lock on {id}?", given=options.auto_approve)
    release(states, held)
    if options.as_json:
        return app.emit("unlock", stack=id, released=lock)
    app.write("Released.")
    return 0
