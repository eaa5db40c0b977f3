"""The pages of the stacks: Now (what needs a person), Matrix, and one for each stack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.portal.axes import AXES, AxisValue, StackAxes
from orchestrator.portal.names import pull_request_path, run_path, stack_path
from orchestrator.portal.page import PageLink, PortalPage
from orchestrator.portal.rows import (
    PortalChange,
    PortalDeployment,
    PortalDrift,
    PortalDriftedResource,
    PortalPlan,
    PortalStack,
    PortalState,
)
from orchestrator.portal.source import PortalEnvironment, PortalGate, PortalSource
from orchestrator.report.parity import StackParity
from orchestrator.report.status import StackStatus

# Rows of a table on the page of a stack, and on Now.
MOST_ROWS = 100
MOST_CONCERNS = 400
# Attributes of a resource in the last plan.
MOST_ATTRIBUTES = 20
# Stacks on one side of the graph.
MOST_NEIGHBOURS = 12


@dataclass(frozen=True)
class Concern:
    """Something on Now: what it is about, the axis or subject, and what to do."""

    subject: PageLink
    environment: str
    value: AxisValue
    advice: str = ""


@dataclass(frozen=True)
class ConcernGroup:
    """The concerns of one kind; `left_out` counts those that are not listed."""

    title: str
    text: str
    concerns: tuple[Concern, ...]
    left_out: int = 0


@dataclass(frozen=True)
class AxisCount:
    """How many stacks have each level of an axis."""

    axis: str
    good: int
    busy: int
    warn: int
    bad: int
    unknown: int
    none: int

    @property
    def total(self) -> int:
        """The stacks."""
        return self.good + self.busy + self.warn + self.bad + self.unknown + self.none


@dataclass(frozen=True)
class MatrixCell:
    """A stack in one environment."""

    path: str
    commit: str
    behind: int | None
    axes: StackAxes


@dataclass(frozen=True)
class MatrixRow:
    """A stack by its name without the environment; a cell for each environment, None where it has none."""

    name: str
    owners: str
    cells: tuple[MatrixCell | None, ...]


@dataclass(frozen=True)
class StackLink:
    """A stack on the graph of dependents, with its place on it in pixels."""

    link: PageLink
    y: int
    kind: str
    level: str


@dataclass(frozen=True)
class Neighbours:
    """The stacks that a stack reads, and those that read it; `height` is of the picture, in pixels."""

    upstreams: tuple[StackLink, ...]
    dependents: tuple[StackLink, ...]
    height: int
    left_out: int


@dataclass(frozen=True)
class PortalPlannedChange:
    """A resource in the last plan of a stack, with what changes in it: path, and values or a note."""

    address: str
    previous_address: str
    actions: str
    attributes: tuple[tuple[str, str], ...]
    left_out: int


@dataclass(frozen=True)
class LastPlan:
    """The plan of a stack that was shown on a pull request last; `problem` says why it cannot be shown."""

    pull_request: PageLink
    head: str
    posted_at: str
    problem: str
    resources: tuple[PortalPlannedChange, ...]
    left_out: int


def now_page(source: PortalSource, axes: Mapping[str, StackAxes]) -> PortalPage:
    """What needs a person, the most urgent first."""
    groups = tuple(_group(title, text, concerns) for title, text, concerns in _concerns(source, axes))
    counts = tuple(count_levels(axis, [getattr(stack, axis) for stack in axes.values()]) for axis in AXES)
    return PortalPage(
        "index.html",
        "Now",
        "now.html",
        "now",
        {
            "groups": tuple(group for group in groups if group.concerns),
            "counts": counts,
            "environments": source.environments,
            "gates_unknown": source.gates_unknown,
            "stacks": len(source.stacks),
            "built": f"{source.now:%Y-%m-%dT%H:%M:%SZ}",
        },
    )


def count_levels(axis: str, values: Iterable[AxisValue]) -> AxisCount:
    """The levels of one axis, counted."""
    levels = [value.level for value in values]
    return AxisCount(
        axis,
        *(
            sum(level == name for level in levels)
            for name in ("good", "busy", "warn", "bad", "unknown", "none")
        ),
    )


def _concerns(
    source: PortalSource, axes: Mapping[str, StackAxes]
) -> Iterator[tuple[str, str, list[Concern]]]:
    def of(axis: str, *words: str, levels: tuple[str, ...] = ("bad", "warn")) -> list[Concern]:
        return [
            _stack_concern(stack, value, source.statuses.get(stack.id))
            for stack in source.stacks
            if (value := getattr(axes[stack.id], axis)).level in levels and (not words or value.word in words)
        ]

    yield "Unfinished", "A run was interrupted in the middle of these stacks.", of("run", "unfinished")
    yield (
        "Not visible",
        "What cannot be read is not known: it may be fine or not.",
        [*_hidden(source.environments), *_unreadable(source.stacks, axes)],
    )
    failed = [concern for concern in of("run") if concern.value.word != "unfinished"]
    yield "Failed or changed by hand", "The last run of these stacks did not end well.", failed
    yield "Waiting runs", "Runs of workflows that wait for a reviewer.", _waiting(source.gates)
    yield "Gates", "Environments that trunk has not passed yet.", _gates(source.environments)
    yield (
        "Blocked",
        "A plan of these stacks is refused until somebody decides.",
        of("pending", "blocked", levels=("bad",)),
    )
    yield "High drift", "Changed outside Terraform, with high severity.", of("drift", levels=("bad",))
    yield "Past the rules", "Applied past the rules, or without a commit.", of("applied", levels=("warn",))
    yield "Pending", "Changes of trunk that are not applied.", of("pending", levels=("warn",))
    yield "Drift", "Changed outside Terraform.", of("drift", levels=("warn",))
    yield "Stale checks", "The last check for drift is too old, or was not possible.", of("checked")


def _group(title: str, text: str, concerns: list[Concern]) -> ConcernGroup:
    return ConcernGroup(title, text, tuple(concerns[:MOST_CONCERNS]), max(0, len(concerns) - MOST_CONCERNS))


def _stack_concern(stack: PortalStack, value: AxisValue, status: StackStatus | None) -> Concern:
    link = PageLink(stack.id, stack_path(stack.id))
    return Concern(link, stack.environment, value, status.advice if status else "")


def _hidden(environments: Iterable[PortalEnvironment]) -> Iterator[Concern]:
    for environment in environments:
        reasons: dict[str, list[str]] = {}
        for layer, reason in environment.hidden.items():
            reasons.setdefault(reason, []).append(layer)
        if environment.unknown and environment.unknown not in reasons:
            reasons[environment.unknown] = ["status"]
        for reason, layers in reasons.items():
            value = AxisValue("applied", "unknown", ", ".join(layers), reason)
            yield Concern(PageLink(environment.name, "matrix.html"), environment.name, value)


def _unreadable(stacks: Iterable[PortalStack], axes: Mapping[str, StackAxes]) -> Iterator[Concern]:
    for stack in stacks:
        if stack.problem:
            link = PageLink(stack.id, stack_path(stack.id))
            yield Concern(link, stack.environment, axes[stack.id].applied)


def _waiting(gates: Iterable[PortalGate]) -> list[Concern]:
    return [
        Concern(
            PageLink(gate.title), "", AxisValue("run", "warn", "waiting", f"since {gate.since}"), gate.url
        )
        for gate in gates
    ]


def _gates(environments: Iterable[PortalEnvironment]) -> list[Concern]:
    return [
        Concern(
            PageLink(environment.name, "flow.html"),
            environment.name,
            AxisValue("pending", "warn", promotion.state, promotion.reason or promotion.skipped),
        )
        for environment in environments
        if (promotion := environment.promotion) and (promotion.state != "passed" or promotion.skipped)
    ]


def matrix_page(source: PortalSource, axes: Mapping[str, StackAxes]) -> PortalPage:
    """Stacks by environments."""
    names = [environment.name for environment in source.environments]
    by_name: dict[str, dict[str, PortalStack]] = {}
    for stack in source.stacks:
        by_name.setdefault(stack.name, {})[stack.environment] = stack
    rows = tuple(
        MatrixRow(
            name,
            " ".join(sorted({owner for stack in of_name.values() for owner in (stack.owners or "").split()})),
            tuple(
                _matrix_cell(of_name[environment], axes) if environment in of_name else None
                for environment in names
            ),
        )
        for name, of_name in sorted(by_name.items())
    )
    return PortalPage(
        "matrix.html",
        "Matrix",
        "matrix.html",
        "matrix",
        {
            "rows": rows,
            "environments": source.environments,
            "stacks": len(source.stacks),
            "axes": AXES,
            "owners": tuple(sorted({owner for row in rows for owner in row.owners.split()})),
        },
    )


def _matrix_cell(stack: PortalStack, axes: Mapping[str, StackAxes]) -> MatrixCell:
    own = axes[stack.id]
    return MatrixCell(stack_path(stack.id), own.applied.word, stack.commits_behind, own)


def stack_pages(
    source: PortalSource,
    axes: Mapping[str, StackAxes],
    runs_with_page: frozenset[str],
    pull_requests: frozenset[int],
) -> Iterator[PortalPage]:
    """One page for each stack; runs and pull requests that have a page are linked."""
    deployments: dict[str, list[PortalDeployment]] = {}
    for deployment in source.deployments:
        deployments.setdefault(deployment.stack, []).append(deployment)
    changes: dict[tuple[str, str], list[PortalChange]] = {}
    for change in source.changes:
        changes.setdefault((change.stack, change.run), []).append(change)
    drift: dict[str, list[PortalDrift]] = {}
    for row in source.drift:
        if row.began:
            drift.setdefault(row.stack, []).append(row)
    drifted: dict[str, list[PortalDriftedResource]] = {}
    for resource in source.drifted_resources:
        drifted.setdefault(resource.stack, []).append(resource)
    plans: dict[str, list[PortalPlan]] = {}
    for plan in source.plans:
        plans.setdefault(plan.stack, []).append(plan)
    states: dict[str, PortalState] = {state.stack: state for state in source.states}
    parity: dict[str, StackParity] = {stack.name: stack for stack in source.parity}
    siblings: dict[str, list[PortalStack]] = {}
    for stack in source.stacks:
        siblings.setdefault(stack.name, []).append(stack)
    sources, targets = _edges(source)
    for stack in source.stacks:
        own = deployments.get(stack.id, [])
        last_change = next((item.run for item in own if (stack.id, item.run) in changes), "")
        open_since = {row.began for row in drift.get(stack.id, ()) if not row.ended}
        yield PortalPage(
            stack_path(stack.id),
            stack.id,
            "stack.html",
            "matrix",
            {
                "stack": stack,
                "axes": axes[stack.id],
                "advice": status.advice if (status := source.statuses.get(stack.id)) else "",
                "state": states.get(stack.id),
                "timeline": tuple(
                    (item, run_path(item.run) if item.run in runs_with_page else "")
                    for item in own[:MOST_ROWS]
                ),
                "left_out": max(0, len(own) - MOST_ROWS),
                "last_change": last_change,
                "changes": tuple(changes.get((stack.id, last_change), ())[:MOST_ROWS]),
                "plan": _last_plan(plans.get(stack.id, []), pull_requests),
                "episodes": tuple(reversed(drift.get(stack.id, ())[-MOST_ROWS:])),
                "drifted": tuple(item for item in drifted.get(stack.id, ()) if item.began in open_since)[
                    :MOST_ROWS
                ],
                "neighbours": neighbours(sources.get(stack.id, {}), targets.get(stack.id, {}), axes),
                "siblings": tuple(
                    (PageLink(other.environment, stack_path(other.id)), axes[other.id])
                    for other in siblings[stack.name]
                    if other.id != stack.id
                ),
                "differences": len(parity[stack.name].differences) if stack.name in parity else None,
                "hidden": source.environment_of[stack.environment].hidden
                if stack.environment in source.environment_of
                else {},
            },
        )


def _last_plan(rows: list[PortalPlan], pull_requests: frozenset[int]) -> LastPlan | None:
    """The last plan of a stack by its rows; None without any."""
    if not rows:
        return None
    head = rows[0]
    path = pull_request_path(head.pull_request) if head.pull_request in pull_requests else ""
    resources = [row for row in rows if row.address]
    return LastPlan(
        PageLink(f"#{head.pull_request}", path),
        head.head,
        head.posted_at,
        head.problem or "",
        tuple(map(_planned_resource, resources[:MOST_ROWS])),
        max(0, len(resources) - MOST_ROWS),
    )


def _planned_resource(row: PortalPlan) -> PortalPlannedChange:
    attributes = json.loads(row.attributes or "[]")
    return PortalPlannedChange(
        row.address or "",
        row.previous_address or "",
        "replace" if set((row.actions or "").split()) == {"create", "delete"} else row.actions or "",
        tuple((item.get("path", ""), _planned_value(item)) for item in attributes[:MOST_ATTRIBUTES]),
        max(0, len(attributes) - MOST_ATTRIBUTES),
    )


def _planned_value(attribute: Mapping[str, str]) -> str:
    """What an attribute changes from and to, as far as that may be shown."""
    before, after = attribute.get("before", ""), attribute.get("after", "") or attribute["note"]
    return f"{before} → {after}" if before else after


def _edges(source: PortalSource) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """What each stack reads, and what reads it: stack → neighbour → kind of the edge."""
    sources: dict[str, dict[str, str]] = {}
    targets: dict[str, dict[str, str]] = {}
    for edge in source.edges:
        sources.setdefault(edge.target, {})[edge.source] = edge.kind
        targets.setdefault(edge.source, {})[edge.target] = edge.kind
    return sources, targets


def neighbours(
    sources: Mapping[str, str], targets: Mapping[str, str], axes: Mapping[str, StackAxes]
) -> Neighbours:
    """The graph around a stack: what it reads on the left, what reads it on the right."""

    def column(stacks: Mapping[str, str]) -> tuple[StackLink, ...]:
        listed = sorted(stacks)[:MOST_NEIGHBOURS]
        return tuple(
            StackLink(
                PageLink(id_, stack_path(id_) if id_ in axes else ""),
                index * 34 + 17,
                stacks[id_],
                axes[id_].pending.level if id_ in axes else "unknown",
            )
            for index, id_ in enumerate(listed)
        )

    left, right = column(sources), column(targets)
    left_out = sum(max(0, len(stacks) - MOST_NEIGHBOURS) for stacks in (sources, targets))
    return Neighbours(left, right, max(1, len(left), len(right)) * 34, left_out)
