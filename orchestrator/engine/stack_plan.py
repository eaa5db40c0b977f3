"""One stack's plan as the engine handles it, and how two plans of a stack compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.engine.inspection import NOTHING, PlanInspection
from orchestrator.engine.repair import Repair
from orchestrator.plan.model import Plan, ResourceChange
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Finding
from orchestrator.state.location import Location


@dataclass(frozen=True)
class StateMove:
    """A move of a state that infra.yaml declares (`moved_from`) and that was not made yet."""

    source: Location
    target: Location

    def __str__(self) -> str:
        return f"its state moves from {self.source.url} to {self.target.url}"


@dataclass(frozen=True)
class StackPlan:
    """One stack's plan and what it was made against.

    `generation` is the state's, None when there was no state; `upstreams` maps stack ids to generations;
    `shadow` is true when the plan was made in a shadow of the root and so can never be applied. `inspected`
    is what the inspection found. `move` is a move of the state that an apply makes first. `repair` is
    what the stack needs besides the plan.
    """

    report: StackReport
    plan: Plan | None = None
    plan_file: Path | None = None
    generation: str | None = None
    upstreams: Mapping[str, str] = field(default_factory=dict)
    shadow: bool = False
    inspected: PlanInspection = NOTHING
    move: StateMove | None = None
    repair: Repair | None = None

    @property
    def has_changes(self) -> bool:
        """True when applying it would change something, outputs included."""
        return self.report.result == "changed"

    @property
    def is_pending(self) -> bool:
        """True when an apply has something to do: changes, a plan yet to make, a state to move or repair."""
        return self.report.result in ("changed", "waiting") or (
            self.report.result == "unchanged" and (self.move is not None or self.repair is not None)
        )

    @property
    def needs_judging(self) -> bool:
        """True when an apply is only allowed as it was approved: changes, or repairs that take a yes."""
        return self.has_changes or (self.repair is not None and bool(self.repair.asks))


def block_forbidden(planned: StackPlan) -> StackPlan:
    """The plan with result `blocked` when a rule of the policy forbids it, whatever anybody answers."""
    report = planned.report
    if report.result != "changed" or not report.is_forbidden:
        return planned
    return replace(planned, report=replace(report, result="blocked", reason=_forbidden_by(report.findings)))


def _forbidden_by(findings: Iterable[Finding]) -> str:
    """The rules that forbid a plan, in one line."""
    rules = dict.fromkeys(finding.code for finding in findings if finding.severity == "error")
    return f"the policy forbids it: {', '.join(rules)}"


def same_changes(plan: Plan | None, again: Plan | None) -> bool:
    """Whether a plan would do what the one that was shown would: the same to every resource and output.

    Hidden values are compared by the plans' whole sets of secrets: one that differs makes a difference.
    """
    if plan is None or again is None:
        return plan is again
    return (
        plan.shown_changes == again.shown_changes
        and _changed_outputs(plan) == _changed_outputs(again)
        and plan.secrets == again.secrets
        and plan.invocations == again.invocations
        and _refreshed(plan) == _refreshed(again)
    )


def _refreshed(plan: Plan) -> tuple[ResourceChange, ...]:
    """What a plan takes into the state, where that is all it does; elsewhere it only explains the changes."""
    return () if plan.shown_changes else plan.drift


def _changed_outputs(plan: Plan) -> dict[str, object]:
    return {
        name: (output.actions, output.unknown, output.raw_after)
        for name, output in plan.outputs.items()
        if output.is_changed
    }
