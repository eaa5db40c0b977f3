"""Inspections of a plan's JSON: its digest and its policy findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan
from orchestrator.plan.plan_json import PlanJson
from orchestrator.repository.model import Finding, Stack


@dataclass(frozen=True)
class PlanInspection:
    """`findings` with severity `error` block the stack. `digest` is None where none was requested."""

    digest: Digest | None = None
    findings: tuple[Finding, ...] = ()


# Given the stack, its plan, and its JSON, in clear: not a byte of that may leave unhashed.
Inspect = Callable[[Stack, Plan, PlanJson], PlanInspection]
NOTHING = PlanInspection()


def inspect_nothing(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
    """For runs that only show what a plan does."""
    return NOTHING


def combine(first: Inspect, second: Inspect) -> Inspect:
    """Two inspections as one: the findings of both, and the digest of the one that makes it."""

    def inspect(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
        first_result, second_result = first(stack, plan, plan_json), second(stack, plan, plan_json)
        return PlanInspection(
            first_result.digest or second_result.digest, (*first_result.findings, *second_result.findings)
        )

    return inspect
