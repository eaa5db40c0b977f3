"""A state that is not where the code names it: found before a plan, moved by hand, or given up."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import BlockedError, InfraError, LockedError, StateError, UsageError
from orchestrator.project import load_commit
from orchestrator.project.model import Stack
from orchestrator.report.model import StackReport
from orchestrator.run.folders import write_private
from orchestrator.run.moving import locked_object
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.session import Session
from orchestrator.run.unlocking import is_held
from orchestrator.state.location import Location
from orchestrator.state.records import Entry
from orchestrator.state.storage import ABSENT, PreconditionFailed
from orchestrator.terraform.client import PlanOptions


def refuse_lost_state(session: Session, stack: Stack) -> None:
    """Raise BlockedError when the ledger knows a state that is not where the code names it.

    Such a stack is not new: a plan from an empty state would create everything a second time.
    """
    entry = session.ledgers.entry(stack)
    if entry is None or not entry.state_generation or entry.result == "destroyed":
        return
    location = session.states.location(stack)
    here = location.url if location else "the place that its code names"
    applied = f"{stack.id} was applied at {entry.commit[:10] or entry.run}, and there is no state at {here}"
    forget = f"If its resources are gone too: `infra state forget {stack.id} --reason …`."
    before = location_at(session, stack, entry)
    if before is None or before.url == here:
        raise BlockedError(
            f"{applied}: its object was deleted.",
            advice=f"Put it back (`infra state history {stack.id}`, or a copy). {forget}",
            stack=stack.id,
        )
    raise BlockedError(
        f"{applied}: it was {before.url}.",
        advice=f"Name that place again, or take the state along: "
        f"`infra state move {stack.id} --from {before.url}`. {forget}",
        stack=stack.id,
    )


def location_at(session: Session, stack: Stack, entry: Entry) -> Location | None:
    """Where the code that was last applied names the state; None when that cannot be told."""
    if not entry.commit:
        return None
    try:
        project = load_commit(session.project, entry.commit)
    except InfraError:
        return None
    before = project.stacks.get(stack.id)
    return session.states.of(project).location(before) if before else None


def copy_state(session: Session, stack: Stack, source: Location) -> None:
    """Copy a state to where the code names it, under the locks of both places; the source is kept.

    A second try after an interruption finds the copy and ends well. Raises UsageError where there is nothing
    to copy or the code names no place, StateError where another state lies at the target, LockedError where
    somebody holds one of the locks.
    """
    target = session.states.location(stack)
    if target is None or target.url == source.url:
        raise UsageError(
            f"The code of {stack.id} names {target.url if target else 'no place that can be told'}.",
            advice="Change the backend in the code first: that is where the state is moved to.",
        )
    if source.is_remote != target.is_remote:
        raise UsageError(
            f"{source.url} and {target.url} are of two kinds.",
            advice=f"`infra run {stack.id} -- init -migrate-state` moves a state between kinds of backends.",
        )
    blob = session.states.storage(source).read(source.name)
    if blob is None:
        raise UsageError(f"There is no state at {source.url}.", advice="Correct the address after --from.")
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        generation = (_copy_object if target.is_remote else _copy_file)(session, source, target, blob.data)
        if claim.before:
            claim.keep_when_given_back(state_generation=generation)


def _copy_object(session: Session, source: Location, target: Location, data: bytes) -> str:
    old, new = session.states.bucket(source), session.states.bucket(target)
    with (
        locked_object(old, source, f"moved to {target.url}", session.info.id),
        locked_object(new, target, f"moved from {source.url}", session.info.id),
    ):
        try:
            return new.write(target.name, data, if_generation=ABSENT).generation
        except PreconditionFailed:
            there = new.read(target.name)
            if there is None or there.data != data:
                raise _other_state(target) from None
            return there.generation


def _copy_file(session: Session, source: Location, target: Location, data: bytes) -> str:
    for location in (source, target):
        if is_held(location.name):
            raise LockedError(
                f"A process on this machine holds {location.name}.", advice="Wait until it has ended."
            )
    path = Path(target.name)
    if path.is_file() and path.read_bytes() not in (b"", data):
        raise _other_state(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, data)
    blob = session.states.storage(target).stat(target.name)
    return blob.generation if blob else ""


def _other_state(target: Location) -> StateError:
    return StateError(
        f"Another state lies at {target.url}; nothing was changed.",
        advice="Look at both before you decide which one counts.",
    )


def require_no_state(session: Session, stack: Stack) -> None:
    """Raise UsageError for a stack that has a state: it is not gone."""
    if session.states.generation(stack) is not None:
        raise UsageError(
            f"{stack.id} has a state.", advice=f"`infra destroy {stack.id}` deletes what it manages."
        )


def forget_stack(session: Session, stack: Stack, reason: str) -> list[str]:
    """Let the ledger know nothing of a stack any more; returns what went wrong with the run's record.

    The next plan takes it for new. Raises UsageError while it has a state.
    """
    require_no_state(session, stack)
    recorder = Recorder(session, "forget", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        if claim.before is None:
            raise UsageError(f"The ledger knows nothing of {stack.id}.", advice="There is nothing to forget.")
        recorder.note(
            claim, StackReport(stack.id, stack.environment, "unchanged", reason=f"forgotten: {reason}")
        )
        claim.before = None
    return recorder.save()
