"""What is to be put right of a stack's drift, and in which way: by infra.yaml, or as a person says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.config.drift import ACCEPTABLE, WEEK, Action, Drift, Limits, Window
from orchestrator.masking import HIDDEN
from orchestrator.plan.drift_model import DriftedResource
from orchestrator.plan.drift_rules import matches
from orchestrator.report.drift import StackDrift

# What an apply of the same code puts back.
REVERTIBLE = ("reverted", "conflict", "owed")
# What the code can say instead: it says something else now.
WRITABLE = ("reverted", "conflict")
# What would come of a change that the state takes in, by its class; the others are undone by the next apply.
_AFTER_ACCEPTING: Mapping[str, str] = {
    "unmanaged": "no apply would undo it, and nobody would see it any more; set it in the code, or name it "
    "in `drift.ignore`",
    "owed": "an apply is due there, and the state would not change that",
}


@dataclass(frozen=True)
class Correction:
    """One way for some resources of one stack; `digest` is that of what drifted when it was decided."""

    stack: str
    environment: str
    action: Action
    resources: tuple[DriftedResource, ...]
    digest: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The resources' addresses."""
        return tuple(one.address for one in self.resources)


@dataclass(frozen=True)
class Left:
    """Something that is not put right, and why."""

    stack: str
    address: str
    why: str

    @property
    def words(self) -> str:
        """`dev/net google_x.y: why`."""
        return f"{' '.join(part for part in (self.stack, self.address) if part)}: {self.why}"


@dataclass(frozen=True)
class Decided:
    """What is to be done about one stack, and what is left as it is."""

    corrections: tuple[Correction, ...] = ()
    left: tuple[Left, ...] = ()


def decide(found: StackDrift, settings: Drift, forced: Action | None = None) -> Decided:
    """What is to be done. `forced` is a person's word for all of it; without it infra.yaml decides."""
    if found.result == "unchecked" or (found.result == "skipped"):
        return Decided()
    ways: dict[Action, list[DriftedResource]] = {}
    left = []
    for one in found.resources:
        action = forced or settings.action(found.environment, one.category)
        if action == "report" or one.rule is not None or not _is_meant(found, one, action):
            continue
        why = _objection(found, one, action)
        if why:
            left.append(Left(found.id, one.address, why))
        else:
            ways.setdefault(action, []).append(one)
    made = (
        Correction(found.id, found.environment, action, tuple(resources), found.digest)
        for action, resources in ways.items()
    )
    # What is only noise is taken along, and nothing is done for it alone, unless a person says so.
    return Decided(
        tuple(one for one in made if forced or any(found.is_loud(each) for each in one.resources)),
        tuple(left),
    )


def _is_meant(found: StackDrift, one: DriftedResource, action: Action) -> bool:
    """Whether anything is to be done about a resource: what nobody need look at is taken over only."""
    return found.is_loud(one) or (action == "accept" and one.is_quiet)


def _objection(found: StackDrift, one: DriftedResource, action: Action) -> str:
    """Why an action does not go for a resource; empty when it does."""
    if HIDDEN in one.address:
        return "the key in its address looks like a secret, so it is not named to Terraform"
    if found.partial:
        return "its last run did not do all of it: `infra apply` does the rest, and puts this right as well"
    if action == "accept":
        undone = [part for part in one.attributes if part.category not in ACCEPTABLE]
        if one.category not in ACCEPTABLE or undone:
            kind, path = (undone[0].category, undone[0].path) if undone else (one.category, "")
            return f"{path or 'it'} is {kind}: {_AFTER_ACCEPTING.get(kind, 'the next apply would undo it')}"
        return ""
    if action == "revert":
        if one.category not in REVERTIBLE:
            return f"it is {one.category}: an apply of the code would not change it"
        return "" if one.actions else "an apply would not change it"
    if one.kind != "changed" or one.category not in WRITABLE:
        what = one.kind if one.kind != "changed" else one.category
        return f"it is {what}: there is no value in the code to write anew"
    return ""


def limited(decided: Decided, limits: Limits, now: datetime) -> Decided:
    """What of it may be done without a person; `now` is aware of its zone."""
    kept, left = [], list(decided.left)
    for one in decided.corrections:
        if not is_open(limits.window, now):
            left.append(Left(one.stack, "", "it is not the time of `drift.limits.window`"))
            continue
        stays, goes = _within(one, limits)
        left += goes
        if stays:
            kept.append(Correction(one.stack, one.environment, one.action, tuple(stays), one.digest))
    # In whichever way: so many changes of one stack are for a person to look at.
    many = sum(len(one.resources) for one in kept)
    if many > limits.max:
        why = f"{many} changes are more than `drift.limits.max`, {limits.max}"
        return Decided((), (*left, Left(kept[0].stack, "", why)))
    return Decided(tuple(kept), tuple(left))


def _within(one: Correction, limits: Limits) -> tuple[list[DriftedResource], list[Left]]:
    stays, left = [], []
    for resource in one.resources:
        if not any(matches(glob, resource.address) for glob in limits.addresses):
            left.append(Left(one.stack, resource.address, "`drift.limits.addresses` does not name it"))
        elif one.action == "revert" and resource.is_destructive and not limits.deletes:
            why = "it would be deleted or replaced, and `drift.limits.deletes` does not allow that"
            left.append(Left(one.stack, resource.address, why))
        else:
            stays.append(resource)
    return stays, left


def is_open(window: Window | None, now: datetime) -> bool:
    """Whether a moment is in a window; without one it always is."""
    if window is None:
        return True
    from zoneinfo import ZoneInfo

    here = now.astimezone(ZoneInfo(window.zone))
    clock = here.time().replace(tzinfo=None)
    day, before = WEEK[here.weekday()], WEEK[(here - timedelta(days=1)).weekday()]
    if window.start < window.end:
        return day in window.days and window.start <= clock < window.end
    # Over midnight, or with equal ends a whole day: it belongs to the day on which it began.
    return (day in window.days and clock >= window.start) or (before in window.days and clock < window.end)


def names(corrections: Iterable[Correction]) -> str:
    """`a.b, a.c` of all of them."""
    return ", ".join(address for one in corrections for address in one.addresses)
