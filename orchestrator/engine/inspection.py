"""Inspections of a plan's JSON: its digest, its policy findings and its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.plan.cost import MonthlyCost
from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan
from orchestrator.plan.plan_json import PlanJson
from orchestrator.repository.model import Finding, Stack


@dataclass(frozen=True)
class PlanInspection:
    """`findings` with severity `error` block the stack. `digest` and `cost` are None where not requested."""

    digest: Digest | None = None
    findings: tuple[Finding, ...] = ()
    cost: MonthlyCost | None = None


# Given the stack, its plan, and its JSON, in clear: not a byte of that may leave unhashed.
Inspect = Callable[[Stack, Plan, PlanJson], PlanInspection]
NOTHING = PlanInspection()


def inspect_nothing(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
    """For runs that only show what a plan does."""
    return NOTHING


def combine(first: Inspect, second: Inspect) -> Inspect:
    """Two inspections as one: the findings of both, digest and cost of the one that makes it."""

    def inspect(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
        first_result, second_result = first(stack, plan, plan_json), second(stack, plan, plan_json)
        return PlanInspection(
            first_result.digest or second_result.digest,
            (*first_result.findings, *second_result.findings),
            first_result.cost or second_result.cost,
        )

    return inspect
