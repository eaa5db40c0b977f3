"""The rules of `policy` in infra.yaml, evaluated on one plan or on all plans of a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.config.globs import matches
from orchestrator.config.rules import Policy, Protected, RequiredLabels
from orchestrator.json_values import from_json
from orchestrator.plan.cost import MonthlyCost, sum_costs
from orchestrator.plan.digest import Digest
from orchestrator.plan.model import Plan, ResourceChange

# Attributes that hold labels as people write them, and as providers compute them from those and their own.
WRITTEN = ("labels", "user_labels", "tags")
COMPUTED = ("effective_labels", "terraform_labels", "tags_all")
# Of Google's types `tags` are network tags, a list.
NO_TAGS = "google_"
SHOWN = 5
# The fact of a digest that holds the cost of its plan.
COST = "cost"


@dataclass(frozen=True)
class Violation:
    """A rule that a plan does not keep. `address` is the resource's, None for the whole plan.

    `error` forbids to apply the plan; `warning` is only told.
    """

    severity: Literal["error", "warning"]
    rule: str
    message: str
    advice: str = ""
    address: str | None = None


@dataclass(frozen=True)
class PolicyContext:
    """What the rules must know beside the plan.

    `environment` is its name. `destroy_allowed` is true when somebody who may has said that things may be
    deleted: by the label on the pull request, or by the question that a local apply asks.
    """

    environment: str
    protected: bool
    destroy_allowed: bool


def evaluate(
    plan: Plan, document: Mapping[str, Any], policy: Policy, at: PolicyContext
) -> tuple[Violation, ...]:
    """What a plan does against the policy; `document` is Terraform's JSON of it: no value is shown."""
    return (
        *_protect(plan, policy.protect, at),
        *_destroy(plan, policy, at),
        *_labels(document, policy.labels, at),
    )


@dataclass(frozen=True)
class PlanSize:
    """How much one stack's plan touches: resources of every kind of change, those that go, and its cost.

    `cost` is None where nobody estimated it.
    """

    resources: int
    deletes: int
    cost: MonthlyCost | None = None


def size_of(counts: Mapping[str, int], cost: MonthlyCost | None = None) -> PlanSize:
    """What counts towards the limits, from a plan's counts; what is only moved or imported does not."""
    deletes = counts["delete"] + counts["replace"]
    return PlanSize(counts["create"] + counts["update"] + counts["forget"] + deletes, deletes, cost)


def size_of_digest(digest: Digest) -> PlanSize:
    """What counts towards the limits, from a digest."""
    actions = [set(resource.actions) for resource in digest.resources]
    touched = [each for each in actions if each & {"create", "update", "delete", "forget"}]
    return PlanSize(len(touched), sum("delete" in each for each in touched), _cost_of_digest(digest))


def _cost_of_digest(digest: Digest) -> MonthlyCost | None:
    """The cost that the plan job estimated; None where it did not, or where it is no cost."""
    try:
        cost = from_json(MonthlyCost, digest.facts.get(COST))
    except ValueError:
        return None
    return cost if cost.is_valid else None


def check_sizes(
    sizes: Mapping[str, PlanSize], policy: Policy, environment: str, *, change: str = "This change"
) -> tuple[Violation, ...]:
    """What all plans of one change to one environment are against the limits; `sizes` by stack id.

    `change` names the change at the beginning of a sentence.
    """
    limits = policy.limits
    counts = (
        ("stacks", limits.stacks, sum(size.resources > 0 for size in sizes.values()), "stacks"),
        ("resources", limits.resources, sum(size.resources for size in sizes.values()), "resources"),
        ("deletes", limits.deletes, sum(size.deletes for size in sizes.values()), "deletions"),
    )
    exceeded = tuple(
        Violation(
            "error",
            "limits",
            f"{change} touches {count} {what} in {environment}; {limit} is the limit.",
            f"Split it. The limit is `policy: {{limits: {{{key}: {limit}}}}}` in infra.yaml on trunk.",
        )
        for key, limit, count, what in counts
        if limit is not None and count > limit
    )
    return (*exceeded, *_check_cost(sizes, limits.cost, environment, change))


def _check_cost(
    sizes: Mapping[str, PlanSize], limit: float | None, environment: str, change: str
) -> Iterator[Violation]:
    """What plans add to the monthly cost, against its limit; a cost that is not known is above each limit."""
    cost = sum_costs({id_: size.cost for id_, size in sizes.items() if size.resources})
    if limit is None or cost is None:
        return
    rule = f"The limit is `policy: {{limits: {{cost: {limit:g}}}}}` in infra.yaml on trunk."
    if cost.difference is None:
        yield Violation(
            "error",
            "limits",
            f"The monthly cost of {change[0].lower()}{change[1:]} in {environment} is not known: "
            f"{cost.problem}; {limit:,.2f} is the limit.",
            f"Plan it again when the estimate works: docs/cost.md. {rule}",
        )
    elif cost.difference > limit:
        yield Violation(
            "error",
            "limits",
            f"{change} adds {cost.difference:,.2f} {cost.currency} to the monthly cost of {environment}; "
            f"{limit:,.2f} is the limit.",
            f"Split it. {rule}",
        )


def _destroy(plan: Plan, policy: Policy, at: PolicyContext) -> Iterator[Violation]:
    """One violation for all that goes, since there is one answer to it."""
    shown_changes = [change for change in plan.shown_changes if change.is_destructive]
    level = policy.destroy_level(at.environment, protected=at.protected)
    if not shown_changes or level == "allow":
        return
    message = f"This deletes or replaces {_some(change.address for change in shown_changes)}"
    first = shown_changes[0].address
    if level == "prevent":
        rule = f"`policy: {{destroy: {{{at.environment}: prevent}}}}` in infra.yaml on trunk"
        advice = f"{rule} lets nobody do that: keep it, or change the rule there first."
        message = f"{message}, which nobody may in {at.environment}."
        yield Violation("error", "destroy", message, advice, first)
    elif level == "label" and not at.destroy_allowed:
        message = f"{message}, which the label `{policy.label}` must allow in {at.environment}."
        advice = f"If that is meant: set the label `{policy.label}` on the pull request and have it reviewed."
        yield Violation("error", "destroy", message, advice, first)
    else:
        yield Violation("warning", "destroy", f"{message}.", "Make sure that this is meant.", first)


def _protect(plan: Plan, entries: Iterable[Protected], at: PolicyContext) -> Iterator[Violation]:
    for change in (change for change in plan.shown_changes if change.is_destructive):
        entry = next((entry for entry in entries if _protects(entry, change, at)), None)
        if entry is not None:
            verb = "replace" if change.is_replace else "delete"
            message = f"This would {verb} {change.address}, which is protected: {entry.reason}"
            advice = "To let it go: take it out of `policy: {protect: […]}` in infra.yaml on trunk first."
            yield Violation("error", "protect", message, advice, change.address)


def _protects(entry: Protected, change: ResourceChange, at: PolicyContext) -> bool:
    addresses = (change.address, change.previous_address or change.address)
    return (
        matches(at.environment, entry.environments)
        and (entry.type is None or matches(change.type, (entry.type,)))
        and (entry.address is None or any(matches(address, (entry.address,)) for address in addresses))
    )


def _labels(document: Mapping[str, Any], rule: RequiredLabels, at: PolicyContext) -> Iterator[Violation]:
    if not rule.required or not matches(at.environment, rule.environments):
        return
    for change in document.get("resource_changes") or ():
        body = change.get("change") or {}
        if change.get("mode") != "managed" or not {"create", "update"} & set(body.get("actions") or ()):
            continue
        type_name, address = str(change.get("type", "")), str(change.get("address", ""))
        if not matches(type_name, rule.types):
            continue
        after, unknown = body.get("after") or {}, body.get("after_unknown") or {}
        keys = _label_keys(type_name, after, unknown)
        if keys is None:
            continue
        missing = [name for name in rule.required if name not in keys]
        if missing and any(unknown.get(name) is True for name in WRITTEN):
            message = f"Whether {address} has {_some(missing)} is known after the apply only."
            yield Violation("warning", "labels", message, "Write the keys of the labels plainly.", address)
        elif missing:
            message = f"{address} lacks the label{'s'[: len(missing) > 1]} {_some(missing)}."
            advice = "Add it, or give it to all with the provider's `default_labels`."
            yield Violation("error", "labels", message, advice, address)


def _label_keys(type_name: str, after: Mapping[str, Any], unknown: Mapping[str, Any]) -> set[str] | None:
    """The labels that a resource will have, as far as known; None for one that cannot have any."""
    names = [name for name in (*WRITTEN, *COMPUTED) if name in after or name in unknown]
    if type_name.startswith(NO_TAGS):
        names = [name for name in names if name not in ("tags", "tags_all")]
    values = [after.get(name) for name in names]
    if not names or any(isinstance(value, list) for value in values):
        return None
    # A key whose value is known after the apply only stands among the unknown ones.
    partly = [unknown.get(name) for name in names]
    return {key for name in (*values, *partly) if isinstance(name, dict) for key in name}


def _some(names: Iterable[str]) -> str:
    """The first few, and how many more."""
    every = list(names)
    more = len(every) - SHOWN
    return ", ".join(every[:SHOWN]) + (f" and {more} more" if more > 0 else "")
