"""Splits the plan of a change into jobs by environment, balanced by past durations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.origin import is_ci
from orchestrator.engine.run_history import list_runs
from orchestrator.engine.shards import Shard, make_shards
from orchestrator.engine.states import States
from orchestrator.errors import StateError
from orchestrator.forge.event import Event
from orchestrator.repository.model import Project
from orchestrator.review.pull_request.scope import ChangeScope

# Without one of these a job has no account, and to look for one would only take time.
_ACCOUNTS = (
    *("GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_CREDENTIALS", "GOOGLE_BACKEND_CREDENTIALS"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"),
)
_MONTHS = 2


def plan_shards(
    scope: ChangeScope,
    event: Event | None,
    environ: Mapping[str, str],
    names: Sequence[str],
    shards_option: str | None,
) -> tuple[list[Shard], bool]:
    """The shards of the requested environments, and whether past durations balanced them.

    A pull request that approves pending changes of an environment has a shard for it in any case.
    """
    units = {name: scope.units(name) for name in scope.chosen(names)}
    approves = event.approves if event else ""
    if units.get(approves):
        # What it is owed is known to a job with an account only, so it must not be cut here.
        units[approves] = [tuple(id_ for unit in units[approves] for id_ in unit)]
    seconds = {}
    if shards_option != "1" and any(len(unit) > 1 for unit in units.values()):
        seconds = _read_durations(scope.project, environ)
    shards = make_shards(units, shards_option, seconds)
    if approves in units and not units[approves]:
        shards.append(Shard(approves, 1, 1, ()))
    return shards, bool(seconds) and any(shard.count > 1 for shard in shards)


def _read_durations(project: Project, environ: Mapping[str, str]) -> dict[str, float]:
    """How long each stack took in its last run, in seconds; empty if unknown.

    If the ledger cannot be read, shards are balanced by their number of stacks.
    """
    if is_ci(environ) and not any(environ.get(name) for name in _ACCOUNTS):
        return {}
    try:
        runs = list_runs(project, Ledgers(project, States(project, environ), environ), None, months=_MONTHS)
    except StateError:
        return {}
    seconds: dict[str, float] = {}
    for run in runs:
        for id_, record in run.stacks.items():
            if record.seconds > 0:
                seconds.setdefault(id_, record.seconds)
    return seconds
