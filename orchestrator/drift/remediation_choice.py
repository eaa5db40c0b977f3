"""Decides which drift of a stack to remediate and how, by infra.yaml or by a person's choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.config.drift import ACCEPTABLE, WEEK, Action, Drift, RemediationLimits, Window
from orchestrator.config.globs import matches
from orchestrator.drift.model import DriftedResource
from orchestrator.drift.report import StackDrift
from orchestrator.masking import HIDDEN

# Classes that an apply of the same code reverts.
REVERTIBLE = ("reverted", "conflict", "unapplied")
# Classes whose value can be written into the code.
WRITABLE = ("reverted", "conflict")
# Why a change cannot be accepted into the state, by class; for others the next apply would undo it.
_AFTER_ACCEPTING: Mapping[str, str] = {
    "unmanaged": "no apply would undo it, and nobody would see it any more; set it in the code, or name it "
    "in `drift.ignore`",
    "unapplied": "an apply is due there, and the state would not change that",
}


@dataclass(frozen=True)
class Remediation:
    """One action for resources of one stack; `digest` is that of the drift when it was decided."""

    stack: str
    environment: str
    action: Action
    resources: tuple[DriftedResource, ...]
    digest: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The resources' addresses."""
        return tuple(resource.address for resource in self.resources)


@dataclass(frozen=True)
class NotRemediated:
    """Drift that is not remediated, and why."""

    stack: str
    address: str
    why: str

    @property
    def words(self) -> str:
        """`dev/net google_x.y: why`."""
        return f"{' '.join(part for part in (self.stack, self.address) if part)}: {self.why}"


@dataclass(frozen=True)
class RemediationDecision:
    """The remediations of one stack, and what is skipped."""

    remediations: tuple[Remediation, ...] = ()
    skipped: tuple[NotRemediated, ...] = ()


def decide(stack: StackDrift, settings: Drift, forced: Action | None = None) -> RemediationDecision:
    """Decide how to remediate a stack: by `forced`, a person's choice, else by infra.yaml."""
    if stack.result == "unchecked" or (stack.result == "skipped"):
        return RemediationDecision()
    ways: dict[Action, list[DriftedResource]] = {}
    skipped = []
    for resource in stack.resources:
        action = forced or settings.action(stack.environment, resource.category)
        if action == "report" or resource.rule is not None or not _is_candidate(stack, resource, action):
            continue
        why = _reason_against(stack, resource, action)
        if why:
            skipped.append(NotRemediated(stack.id, resource.address, why))
        else:
            ways.setdefault(action, []).append(resource)
    remediations = (
        Remediation(stack.id, stack.environment, action, tuple(resources), stack.digest)
        for action, resources in ways.items()
    )
    # Noise alone is not remediated, unless a person chose the action.
    return RemediationDecision(
        tuple(
            remediation
            for remediation in remediations
            if forced or any(stack.is_loud(each) for each in remediation.resources)
        ),
        tuple(skipped),
    )


def _is_candidate(stack: StackDrift, resource: DriftedResource, action: Action) -> bool:
    """Whether a resource is to be remediated: quiet drift can only be accepted."""
    return stack.is_loud(resource) or (action == "accept" and resource.is_quiet)


def _reason_against(stack: StackDrift, resource: DriftedResource, action: Action) -> str:
    """Why an action is not possible for a resource; empty when it is."""
    if HIDDEN in resource.address:
        return "the key in its address looks like a secret, so it is not named to Terraform"
    if stack.partial:
        # Whose apply that is, a laptop's or a job's, `infra status` says.
        return "its last run did not apply everything: the next apply does the rest, and reverts this as well"
    if action == "accept":
        undone = [part for part in resource.attributes if part.category not in ACCEPTABLE]
        if resource.category not in ACCEPTABLE or undone:
            kind, path = (undone[0].category, undone[0].path) if undone else (resource.category, "")
            return f"{path or 'it'} is {kind}: {_AFTER_ACCEPTING.get(kind, 'the next apply would undo it')}"
        return ""
    if action == "revert":
        if resource.category not in REVERTIBLE:
            return f"it is {resource.category}: an apply of the code would not change it"
        return "" if resource.actions else "an apply would not change it"
    if resource.kind != "changed" or resource.category not in WRITABLE:
        what = resource.kind if resource.kind != "changed" else resource.category
        return f"it is {what}: there is no value in the code to write"
    return ""


def apply_limits(
    decided: RemediationDecision, limits: RemediationLimits, now: datetime
) -> RemediationDecision:
    """The part of a decision that may be executed without a person; `now` has a time zone."""
    allowed, skipped = [], list(decided.skipped)
    for remediation in decided.remediations:
        if not is_window_open(limits.window, now):
            skipped.append(
                NotRemediated(remediation.stack, "", "it is not the time of `drift.limits.window`")
            )
            continue
        stays, goes = _within(remediation, limits)
        skipped += goes
        if stays:
            allowed.append(
                Remediation(
                    remediation.stack,
                    remediation.environment,
                    remediation.action,
                    tuple(stays),
                    remediation.digest,
                )
            )
    # Counted over all actions: more changes of one stack need a person's review.
    many = sum(len(remediation.resources) for remediation in allowed)
    if many > limits.max:
        why = f"{many} changes are more than `drift.limits.max`, {limits.max}"
        return RemediationDecision((), (*skipped, NotRemediated(allowed[0].stack, "", why)))
    return RemediationDecision(tuple(allowed), tuple(skipped))


def _within(
    remediation: Remediation, limits: RemediationLimits
) -> tuple[list[DriftedResource], list[NotRemediated]]:
    stays, skipped = [], []
    for resource in remediation.resources:
        if not matches(resource.address, limits.addresses):
            skipped.append(
                NotRemediated(
                    remediation.stack, resource.address, "`drift.limits.addresses` does not name it"
                )
            )
        elif remediation.action == "revert" and resource.is_destructive and not limits.deletes:
            why = "it would be deleted or replaced, and `drift.limits.deletes` does not allow that"
            skipped.append(NotRemediated(remediation.stack, resource.address, why))
        else:
            stays.append(resource)
    return stays, skipped


def is_window_open(window: Window | None, now: datetime) -> bool:
    """Whether a time is inside a window; always true without a window."""
    if window is None:
        return True
    from zoneinfo import ZoneInfo

    local_time = now.astimezone(ZoneInfo(window.zone))
    clock = local_time.time().replace(tzinfo=None)
    day, before = WEEK[local_time.weekday()], WEEK[(local_time - timedelta(days=1)).weekday()]
    if window.start < window.end:
        return day in window.days and window.start <= clock < window.end
    # Across midnight, or a whole day if the ends are equal: it belongs to the day on which it began.
    return (day in window.days and clock >= window.start) or (before in window.days and clock < window.end)


def _join_addresses(remediations: Iterable[Remediation]) -> str:
    """`a.b, a.c` of all of them."""
    return ", ".join(address for remediation in remediations for address in remediation.addresses)
