"""Reads the histories from which figures are computed out of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from orchestrator.insight.asking import DatasetSession
from orchestrator.insight.metrics import (
    DriftPeriod,
    FigureGroup,
    History,
    StackDeployment,
    compute_figures,
)
from orchestrator.insight.query import QueryResult

_STACKS = "SELECT environment, id, owners FROM stacks WHERE path IS NOT NULL ORDER BY environment, id"
_DEPLOYMENTS = (
    'SELECT run, environment, stack, at, run_seconds, result, "commit", '
    "break_glass IS NOT NULL OR subject LIKE 'Revert \"%' "
    "FROM deployments ORDER BY at, run, stack"
)
_COMMITS = "SELECT id, committed_at FROM commits"
_DRIFT = "SELECT environment, stack, began, ended, checked_at FROM drift ORDER BY environment, stack, began"
_ENVIRONMENTS = "SELECT name FROM environments ORDER BY position"
STATEMENTS = (_STACKS, _DEPLOYMENTS, _COMMITS, _DRIFT, _ENVIRONMENTS)


def figure_groups(
    session: DatasetSession, since: datetime, now: datetime, *, owners: Sequence[str] = ()
) -> list[FigureGroup]:
    """The figures of each visible environment: of all its stacks, then of each owner's.

    With `owners` only theirs. An environment that could not be read has none.
    """
    session.prepare({sql: {} for sql in STATEMENTS})
    results = {sql: session.connection.run(sql) for sql in STATEMENTS}
    hidden = {environment.name for environment in session.hidden}
    groups = []
    stacks = results[_STACKS].rows
    for history in read_histories(results):
        if history.environment in hidden:
            continue
        by_owner: dict[str, list[str]] = {}
        for environment, id_, owned in stacks:
            if environment == history.environment:
                for owner in str(owned or "").split():
                    by_owner.setdefault(owner, []).append(str(id_))
        selected: list[tuple[str | None, History]] = [] if owners else [(None, history)]
        selected += [
            (owner, history.of_stacks(ids))
            for owner, ids in sorted(by_owner.items())
            if not owners or owner in owners
        ]
        groups += [
            FigureGroup(history.environment, owner, compute_figures(part, since, now))
            for owner, part in selected
        ]
    return groups


def read_histories(results: dict[str, QueryResult]) -> list[History]:
    """The histories of all environments in promotion order."""
    names = [str(name) for (name,) in results[_ENVIRONMENTS].rows]
    committed = {str(id_): _moment(at) for id_, at in results[_COMMITS].rows}
    deployments: dict[str, list[StackDeployment]] = {}
    for run, environment, stack, at, seconds, result, commit, is_repair in results[_DEPLOYMENTS].rows:
        deployments.setdefault(str(environment), []).append(
            StackDeployment(
                *(str(run), str(environment), str(stack), _moment(at), float(str(seconds))),
                *(str(result), str(commit)),
                is_repair=bool(is_repair),
            )
        )
    drift: dict[str, list[DriftPeriod]] = {}
    checked: dict[str, dict[str, datetime]] = {}
    for environment, stack, began, ended, at in results[_DRIFT].rows:
        if at:
            checked.setdefault(str(environment), {})[str(stack)] = _moment(at)
        if began:
            drift.setdefault(str(environment), []).append(
                DriftPeriod(str(stack), _moment(began), _moment(ended) if ended else None)
            )
    return [
        History(
            environment=name,
            stacks=tuple(str(id_) for environment, id_, _ in results[_STACKS].rows if environment == name),
            deployments=tuple(deployments.get(name, ())),
            committed=committed,
            before=tuple(deployments.get(names[index - 1], ())) if index else None,
            drift=tuple(drift.get(name, ())),
            checked=checked.get(name, {}),
        )
        for index, name in enumerate(names)
    ]


def days_of_history(window: timedelta) -> float:
    """How far back records are read for a window: what a run repaired may be older than it."""
    return min(365.0, max(90.0, 2 * window.total_seconds() / 86_400))


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
