"""What is found out about a plan while its JSON is at hand: its digest, and what the policy says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan
from orchestrator.project.model import Finding, Stack


@dataclass(frozen=True)
class Inspected:
    """`findings` with severity `error` block the stack. `digest` is None where none was asked for."""

    digest: Digest | None = None
    findings: tuple[Finding, ...] = ()


# Given the stack, its plan, and Terraform's own JSON of it, raw: not a byte of that may leave unhashed.
Inspect = Callable[[Stack, Plan, bytes], Inspected]
NOTHING = Inspected()


def inspect_nothing(stack: Stack, plan: Plan, raw: bytes) -> Inspected:
    """For runs that only show what a plan does."""
    return NOTHING


def both(one: Inspect, other: Inspect) -> Inspect:
    """Two inspections as one: the findings of both, and the digest of the one that makes it."""

    def inspect(stack: Stack, plan: Plan, raw: bytes) -> Inspected:
        first, second = one(stack, plan, raw), other(stack, plan, raw)
        return Inspected(first.digest or second.digest, (*first.findings, *second.findings))

    return inspect
