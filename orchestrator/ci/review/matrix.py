"""The jobs that plan a change: its parts by environment, cut by how long each stack took before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.ci.event import Event
from orchestrator.ci.review.scope import Scope
from orchestrator.ci.shards import Shard, shards_of
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.origin import is_ci
from orchestrator.engine.states import States
from orchestrator.errors import StateError
from orchestrator.project.model import Project
from orchestrator.run.history import runs_of

# Without one of these a job has no account, and to look for one would only take time.
ACCOUNTS = (
    *("GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_CREDENTIALS", "GOOGLE_BACKEND_CREDENTIALS"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"),
)
MONTHS = 2


def parts_of(
    scope: Scope, event: Event | None, environ: Mapping[str, str], names: Sequence[str], wanted: str | None
) -> tuple[list[Shard], bool]:
    """The parts of the environments asked for, and whether they were cut by past durations.

    A pull request that approves what an environment is owed has a part for it, whatever it changes itself.
    """
    units = {name: scope.units(name) for name in scope.chosen(names)}
    approves = event.approves if event else ""
    if units.get(approves):
        # What it is owed is known to a job with an account only, so it must not be cut here.
        units[approves] = [tuple(id_ for unit in units[approves] for id_ in unit)]
    seconds = {}
    if wanted != "1" and any(len(one) > 1 for one in units.values()):
        seconds = durations(scope.project, environ)
    shards = shards_of(units, wanted, seconds)
    if approves in units and not units[approves]:
        shards.append(Shard(approves, 1, 1, ()))
    return shards, bool(seconds) and any(one.count > 1 for one in shards)


def durations(project: Project, environ: Mapping[str, str]) -> dict[str, float]:
    """How long each stack took the last time that anything was done to it, in seconds; empty when unknown.

    A ledger that cannot be read is no reason to fail: the parts are cut by their number of stacks then.
    """
    if is_ci(environ) and not any(environ.get(name) for name in ACCOUNTS):
        return {}
    try:
        runs = runs_of(project, Ledgers(project, States(project, environ), environ), None, months=MONTHS)
    except StateError:
        return {}
    found: dict[str, float] = {}
    for run in runs:
        for id_, record in run.stacks.items():
            if record.seconds > 0:
                found.setdefault(id_, record.seconds)
    return found
