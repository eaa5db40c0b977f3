"""Reads what the pages show: rows of the dataset's views, statuses and promotions of the bucket, parity.

Free text is masked here, once, before a page can have it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.parity import PendingReasons, compare_stacks, select_names
from orchestrator.engine.states import States
from orchestrator.engine.status import StatusReader
from orchestrator.errors import InfraError, StateError
from orchestrator.insight.asking import DatasetSession
from orchestrator.insight.metrics import History
from orchestrator.insight.metrics_source import STATEMENTS, read_histories
from orchestrator.masking import Masker
from orchestrator.portal.rows import (
    PortalApproval,
    PortalChange,
    PortalCommit,
    PortalDeployment,
    PortalDrift,
    PortalDriftedResource,
    PortalEdge,
    PortalPlan,
    PortalRow,
    PortalRun,
    PortalStack,
    PortalState,
)
from orchestrator.report.parity import StackParity
from orchestrator.report.status import PromotionStatus, StackStatus
from orchestrator.repository.model import Project, Stack

Row = TypeVar("Row", bound=PortalRow)

# Rows that are read at most, the newest first: of runs, and of stacks in runs.
MOST_RUNS = 20_000
MOST_DEPLOYMENTS = 100_000
# Seconds that one statement may take.
SECONDS = 120.0


@dataclass(frozen=True)
class PortalEnvironment:
    """An environment. `hidden` maps layers of the dataset that could not be read to the reason.

    `promotion` is None where it has neither checks nor soak; `unknown` says why statuses are not known.
    """

    name: str
    protected: bool
    hidden: Mapping[str, str] = field(default_factory=dict)
    promotion: PromotionStatus | None = None
    unknown: str = ""

    def is_hidden(self, layer: str) -> bool:
        """True where this layer could not be read."""
        return layer in self.hidden


@dataclass(frozen=True)
class PortalGate:
    """A run that waits for a person where the code is reviewed; `since` is RFC 3339."""

    title: str
    url: str
    since: str


@dataclass(frozen=True)
class PortalSource:
    """Everything that the pages are made of. Lists are in the order of their statements.

    `now` is when it was read; figures are about the `window` before. `stale_after` is in seconds.
    `gates_unknown` says why `gates` could not be read.
    """

    name: str
    now: datetime
    window: timedelta
    stale_after: float
    environments: tuple[PortalEnvironment, ...] = ()
    stacks: tuple[PortalStack, ...] = ()
    statuses: Mapping[str, StackStatus] = field(default_factory=dict)
    runs: tuple[PortalRun, ...] = ()
    deployments: tuple[PortalDeployment, ...] = ()
    changes: tuple[PortalChange, ...] = ()
    drift: tuple[PortalDrift, ...] = ()
    drifted_resources: tuple[PortalDriftedResource, ...] = ()
    approvals: tuple[PortalApproval, ...] = ()
    plans: tuple[PortalPlan, ...] = ()
    edges: tuple[PortalEdge, ...] = ()
    states: tuple[PortalState, ...] = ()
    commits: tuple[PortalCommit, ...] = ()
    parity: tuple[StackParity, ...] = ()
    histories: tuple[History, ...] = ()
    gates: tuple[PortalGate, ...] = ()
    gates_unknown: str = ""

    @functools.cached_property
    def environment_of(self) -> Mapping[str, PortalEnvironment]:
        """The environments by name."""
        return {environment.name: environment for environment in self.environments}


_STACKS = PortalStack.select("stacks", "ORDER BY id")
_RUNS = PortalRun.select("runs", f"ORDER BY at DESC, run DESC LIMIT {MOST_RUNS}")
_DEPLOYMENTS = PortalDeployment.select(
    "deployments", f"ORDER BY at DESC, run DESC, stack LIMIT {MOST_DEPLOYMENTS}"
)
_CHANGES = PortalChange.select("changes", f"ORDER BY at DESC, run, stack, address LIMIT {MOST_DEPLOYMENTS}")
_DRIFT = PortalDrift.select("drift", "ORDER BY stack, began")
_DRIFTED = PortalDriftedResource.select("drift_resources", "ORDER BY stack, began, address")
_APPROVALS = PortalApproval.select("approvals", "ORDER BY posted_at DESC, stack")
_PLANS = PortalPlan.select("plans", "ORDER BY stack, address")
_EDGES = PortalEdge.select("edges", "ORDER BY source, target")
_STATES = PortalState.select("states", "ORDER BY stack")
_COMMITS = PortalCommit.select("commits", "ORDER BY position")
_ADDRESSES = "SELECT stack, address FROM resources WHERE mode = 'managed' ORDER BY stack, address"
_ENVIRONMENTS = "SELECT name, protected FROM environments ORDER BY position"
_READINGS = "SELECT environment, layer, problem FROM reading WHERE problem <> ''"


def read_source(
    session: DatasetSession,
    project: Project,
    environ: Mapping[str, str],
    now: datetime,
    window: timedelta,
    gates: tuple[PortalGate, ...] | str,
) -> PortalSource:
    """Reads everything, after the dataset is brought up to date. What cannot be read is noted as hidden.

    `gates` is a text where they are not known.
    """
    rows_of = [
        *(
            _STACKS,
            _RUNS,
            _DEPLOYMENTS,
            _CHANGES,
            _DRIFT,
            _DRIFTED,
            _APPROVALS,
            _PLANS,
            _EDGES,
            _STATES,
            _COMMITS,
        ),
        *(_ADDRESSES, _ENVIRONMENTS, *STATEMENTS),
    ]
    session.prepare({sql: {} for sql in rows_of})
    results = {sql: session.connection.run(sql, seconds=SECONDS) for sql in rows_of}
    hidden: dict[str, dict[str, str]] = {}
    for environment, layer, problem in session.dataset.rows(_READINGS):
        hidden.setdefault(str(environment), {})[str(layer)] = str(problem)
    statuses, promotions, unknown = _read_statuses(project, environ, hidden)
    states = _rows(PortalState, results[_STATES].rows)
    addresses: dict[str, list[str]] = {}
    for stack, address in results[_ADDRESSES].rows:
        addresses.setdefault(str(stack), []).append(str(address))
    source = PortalSource(
        name=project.root.name,
        now=now,
        window=window,
        stale_after=project.config.drift.stale_after,
        environments=tuple(
            PortalEnvironment(
                str(name),
                bool(protected),
                hidden.get(str(name), {}),
                promotions.get(str(name)),
                unknown.get(str(name), ""),
            )
            for name, protected in results[_ENVIRONMENTS].rows
        ),
        stacks=_rows(PortalStack, results[_STACKS].rows),
        statuses=statuses,
        runs=_rows(PortalRun, results[_RUNS].rows),
        deployments=_rows(PortalDeployment, results[_DEPLOYMENTS].rows),
        changes=_rows(PortalChange, results[_CHANGES].rows),
        drift=_rows(PortalDrift, results[_DRIFT].rows),
        drifted_resources=_rows(PortalDriftedResource, results[_DRIFTED].rows),
        approvals=_rows(PortalApproval, results[_APPROVALS].rows),
        plans=_rows(PortalPlan, results[_PLANS].rows),
        edges=_rows(PortalEdge, results[_EDGES].rows),
        states=states,
        commits=_rows(PortalCommit, results[_COMMITS].rows),
        parity=tuple(_compare(project, hidden, statuses, unknown, states, addresses)),
        histories=tuple(read_histories(results)),
        gates=() if isinstance(gates, str) else gates,
        gates_unknown=gates if isinstance(gates, str) else "",
    )
    return mask_source(source, Masker(project.config.masking))


def mask_source(source: PortalSource, masker: Masker) -> PortalSource:
    """The same without secrets in what people and programs wrote: subjects, reasons, problems.

    Addresses and values of parity are masked where they are read.
    """

    @functools.cache
    def masked(text: str) -> str:
        return masker.mask_text(text)

    def clean(rows: tuple[Row, ...], *names: str) -> tuple[Row, ...]:
        return tuple(clean_row(row, names) for row in rows)

    def clean_row(row: Row, names: tuple[str, ...]) -> Row:
        hidden = {
            name: text for name in names if (raw := getattr(row, name)) and (text := masked(raw)) != raw
        }
        return replace(row, **hidden) if hidden else row

    return replace(
        source,
        environments=tuple(
            replace(
                environment,
                hidden={layer: masked(reason) for layer, reason in environment.hidden.items()},
                unknown=masked(environment.unknown),
                promotion=environment.promotion
                and replace(
                    environment.promotion,
                    reason=masked(environment.promotion.reason),
                    skipped=masked(environment.promotion.skipped),
                ),
            )
            for environment in source.environments
        ),
        stacks=clean(source.stacks, "subject", "author", "operation", "break_glass", "problem"),
        statuses={
            id_: replace(status, why=masked(status.why), advice=masked(status.advice))
            if status.why or status.advice
            else status
            for id_, status in source.statuses.items()
        },
        runs=clean(source.runs, "subject", "person", "break_glass", "problem", "link"),
        deployments=clean(source.deployments, "subject", "person", "reason"),
        drift=clean(source.drift, "reason"),
        approvals=clean(source.approvals, "problem"),
        plans=clean(source.plans, "problem"),
        states=clean(source.states, "problem"),
        commits=clean(source.commits, "subject", "author"),
        gates=tuple(replace(gate, title=masked(gate.title)) for gate in source.gates),
        gates_unknown=masked(source.gates_unknown),
    )


def _rows(kind: type[Row], rows: Collection[tuple[object, ...]]) -> tuple[Row, ...]:
    return tuple(kind(*row) for row in rows)


def _read_statuses(
    project: Project, environ: Mapping[str, str], hidden: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, StackStatus], dict[str, PromotionStatus], dict[str, str]]:
    """The status of each stack, the promotion of each environment, and why those of some are not known.

    One environment at a time: one that cannot be read hides no other.
    """
    states = States(project, environ)
    reader = StatusReader(project, states, Ledgers(project, states, environ))
    statuses: dict[str, StackStatus] = {}
    promotions: dict[str, PromotionStatus] = {}
    unknown: dict[str, str] = {}
    for name in project.environments:
        if "ledger" in hidden.get(name, {}):
            unknown[name] = hidden[name]["ledger"]
            continue
        try:
            listed = reader.of([stack.id for stack in project.of(name)])
            statuses.update({status.id: status for status in listed})
            promotions.update({status.environment: status for status in reader.promotions([name])})
        except InfraError as error:
            unknown[name] = error.message
    return statuses, promotions, unknown


def _compare(
    project: Project,
    hidden: Mapping[str, Mapping[str, str]],
    statuses: Mapping[str, StackStatus],
    unknown: Mapping[str, str],
    states: Collection[PortalState],
    addresses: Mapping[str, Collection[str]],
) -> list[StackParity]:
    """`infra parity` of all stacks, by what was read already."""
    names = list(project.environments)
    if len(names) < 2:
        return []
    problems = {state.stack: state.problem for state in states if state.problem}

    def read_addresses(stack: Stack) -> Collection[str]:
        problem = hidden.get(stack.environment, {}).get("states") or problems.get(stack.id)
        if problem:
            raise StateError(problem)
        return addresses.get(stack.id, ())

    pending: dict[str, PendingReasons] = {
        name: StateError(unknown[name])
        if name in unknown
        else {
            stack.id: status.why or status.status
            for stack in project.of(name)
            if (status := statuses.get(stack.id)) and status.status != "up-to-date"
        }
        for name in names
    }
    return compare_stacks(project, select_names(project, (), names), names, pending, read_addresses)
