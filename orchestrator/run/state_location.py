"""Whether a stack's state is the one that its ledger knows, and where it is: checked before each plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config import DEFAULT_WORKSPACE
from orchestrator.engine.claims import Claim
from orchestrator.engine.state_move import StateMove, StateObject, move_state, other_state
from orchestrator.errors import BlockedError, BucketMissingError, UsageError
from orchestrator.project.model import Project, Stack
from orchestrator.report.model import StackReport
from orchestrator.run.folders import write_private
from orchestrator.run.ledgers import Ledgers
from orchestrator.run.recording import Recorder, Terms
from orchestrator.run.session import Session
from orchestrator.run.states import States
from orchestrator.run.unlocking import refuse_held
from orchestrator.state.location import Location
from orchestrator.state.records import Entry, base_commit
from orchestrator.state.statefile import StateFile
from orchestrator.terraform.client import PlanOptions


@dataclass(frozen=True)
class StateLocations:
    """Compares the states of a project's stacks with what the ledgers and earlier code say of them."""

    project: Project
    states: States
    ledgers: Ledgers

    @classmethod
    def of(cls, session: Session) -> StateLocations:
        """Those of a session."""
        return cls(session.project, session.states, session.ledgers)

    def check(self, stack: Stack) -> StateMove | None:
        """Make sure that a plan of the stack reads its own state; gives the move that is pending, if one is.

        Raises BlockedError for a state that is gone (a plan from an empty state would create everything a
        second time), that has another lineage, that is older than the recorded one, or whose move elsewhere
        this code does not know of.
        """
        if stack.state is None:
            return None
        entry, head = self.ledgers.entry(stack), self.states.head(stack)
        move = self._declared_move(stack, entry, head)
        if move:
            if entry:
                self._refuse_other_state(stack, entry, self.states.head_at(move.source), move.source)
            return move
        if head is None:
            self._refuse_lost_state(stack, entry)
        elif entry:
            self._refuse_other_state(stack, entry, head, self.states.at(stack.state))
            self._refuse_old_copy(stack, entry, head)
        return None

    def is_unrecorded(self, stack: Stack) -> bool:
        """Whether a stack has a state, and no run of infra is recorded that made it."""
        entry, head = self.ledgers.entry(stack), self.states.head(stack)
        return (entry is None or entry.is_blank) and head is not None and not head.is_empty

    def lost(self, stack: Stack) -> Stack | None:
        """A stack without state and ledger entry, as earlier code had it whose state is still there.

        None for a stack that is new.
        """
        for earlier in self.project.earlier.of(stack):
            if earlier.state is None or earlier.state == stack.state:
                continue
            head = self._head_of(earlier.state)
            if head is None or head.is_empty:
                continue
            entry = self.ledgers.of(earlier).entry(stack.id)
            return None if entry and entry.result == "destroyed" else earlier
        return None

    def _head_of(self, url: str) -> StateFile | None:
        """What the state at a location that earlier code names says; a bucket that is gone holds none."""
        try:
            return self.states.head_at(self.states.at(url))
        except BucketMissingError:
            return None

    def _declared_move(self, stack: Stack, entry: Entry | None, head: StateFile | None) -> StateMove | None:
        url = stack.moved_from
        if url is None or stack.state is None or url == stack.state:
            return None
        # A run that was killed in the middle has the copy and still records where the state was.
        if head is not None and not (entry and entry.state == url):
            return None
        source, target = self.states.at(url), self.states.at(stack.state)
        if self.states.storage(source).stat(source.name):
            return StateMove(source, target)
        if head is not None or (entry and (entry.forgotten or entry.result == "destroyed")):
            return None
        raise BlockedError(
            f"infra.yaml says that the state of {stack.id} was at {source.url}; there is none, and none at "
            f"{target.url}.",
            advice=f"Correct {_key(stack)} in infra.yaml, or remove it for a stack that is new.",
            stack=stack.id,
        )

    def _refuse_lost_state(self, stack: Stack, entry: Entry | None) -> None:
        here = self.states.at(stack.state or "").url
        if entry is None or entry.is_blank:
            earlier = self.lost(stack)
            if earlier and earlier.state:
                url = self.states.at(earlier.state).url
                raise _lost(
                    stack,
                    f"There is no state of {stack.id} at {here}, and its code named {url} before, "
                    "where one is.",
                    url,
                )
            self._refuse_unknown_workspace(stack)
            return
        if not entry.has_state:
            return
        applied = (
            f"{stack.id} was applied at {entry.commit[:10] or entry.run}, and there is no state at {here}"
        )
        before = self._recorded_location(stack, entry)
        if before is None or before == here:
            raise BlockedError(
                f"{applied}: its object was deleted.",
                advice=f"Put it back (`infra state history {stack.id}`, or a copy). {_forget(stack)}",
                stack=stack.id,
            )
        raise _lost(stack, f"{applied}: it was {before}.", before)

    def unnamed_workspaces(self, stack: Stack) -> list[str]:
        """The workspaces beside a stack's own that have resources and belong to no stack, by name.

        Empty for a stack in the default workspace, whose state is where no other workspace's is.
        """
        location = self.states.location(stack)
        if stack.workspace == DEFAULT_WORKSPACE or location is None or not location.is_remote:
            return []
        folder = location.name.rpartition("/")[0]
        known = {other.state for other in self.project.stacks.values()}
        names = []
        for blob in self.states.bucket(location).list(f"{folder}/"):
            beside = replace(location, name=blob.name)
            parent, _, file = blob.name.rpartition("/")
            if parent != folder or not file.endswith(".tfstate") or beside.url in known:
                continue
            head = self.states.head_at(beside)
            if head and not head.is_empty:
                names.append(file.removesuffix(".tfstate"))
        return names

    def _refuse_unknown_workspace(self, stack: Stack) -> None:
        """Raise BlockedError for a workspace that has no state beside one that belongs to no stack.

        Its name may be mistyped: Terraform would create the workspace, and all its resources once more.
        """
        names = self.unnamed_workspaces(stack)
        if not names:
            return
        key = f"stacks.{stack.name}.environments.{stack.environment}.workspace"
        raise BlockedError(
            f"{key} is {stack.workspace}: there is no such workspace, and no stack uses {', '.join(names)}, "
            f"which {'is' if len(names) == 1 else 'are'} beside {self.states.at(stack.state or '').url}.",
            advice=f"Correct {key} in infra.yaml. If the workspace is new: "
            f"`infra state forget {stack.id} --reason …`.",
            stack=stack.id,
        )

    def _recorded_location(self, stack: Stack, entry: Entry) -> str | None:
        """Where the last run that is recorded left the state; None when that cannot be told."""
        url = entry.state
        if not url:  # of an older infra: what the code named that was applied
            earlier = self.project.earlier.at(base_commit(entry.commit), stack.id) if entry.commit else None
            url = (earlier.state if earlier else None) or ""
        return self.states.at(url).url if url else None

    def _refuse_other_state(
        self, stack: Stack, entry: Entry, head: StateFile | None, location: Location
    ) -> None:
        """A state of another lineage, or one that is older than what was recorded."""
        if head is None or entry.result == "destroyed" or entry.forgotten:
            return
        if entry.lineage and head.lineage != entry.lineage:
            raise BlockedError(
                f"The state of {stack.id} at {location.url} has lineage {head.lineage or 'none'}; the ledger "
                f"knows {entry.lineage}: it is not the state that was applied last.",
                advice=f"Find out who put it there. If it is the right one: "
                f"`infra state accept {stack.id} --lineage {head.lineage}`.",
                stack=stack.id,
            )
        if entry.serial is not None and head.serial < entry.serial:
            blob = self.states.storage(location).stat(location.name)
            generation = blob.generation if blob else "none"
            raise BlockedError(
                f"The state of {stack.id} at {location.url} is older than what was recorded: it has serial "
                f"{head.serial} (generation {generation}), the ledger has {entry.serial} (generation "
                f"{entry.state_generation}).",
                advice=f"`infra state restore {stack.id} {entry.state_generation}` puts the newer one "
                f"back. If the older one is right: `infra state accept {stack.id} --serial {head.serial}`.",
                stack=stack.id,
            )

    def _refuse_old_copy(self, stack: Stack, entry: Entry, head: StateFile) -> None:
        """A copy that a move left behind, read by code from before the move."""
        if not entry.state or entry.state == stack.state or not entry.has_state:
            return
        if entry.serial is not None and head.serial > entry.serial:
            return
        applied = self.project.earlier.at(base_commit(entry.commit), stack.id) if entry.commit else None
        if applied is None or applied.state != stack.state:
            return
        raise BlockedError(
            f"The state of {stack.id} was moved to {self.states.at(entry.state).url}; this code "
            f"still names {self.states.at(stack.state or '').url}.",
            advice="Rebase on the change that moved it. If the move was wrong: `infra state move` back.",
            stack=stack.id,
        )


def _lost(stack: Stack, message: str, url: str) -> BlockedError:
    return BlockedError(
        message,
        advice=f"Name that location again, or declare the move, which the next apply carries out: "
        f"`{_key(stack)}: {url}` in infra.yaml. By hand: `infra state move {stack.id} --from {url}`. "
        f"{_forget(stack)}",
        stack=stack.id,
    )


def _forget(stack: Stack) -> str:
    return f"If its resources are gone too: `infra state forget {stack.id} --reason …`."


def _key(stack: Stack) -> str:
    """The key of infra.yaml that declares a move of the stack's state."""
    if stack.shared:
        return f"stacks.{stack.name}.environments.{stack.environment}.moved_from"
    return f"stacks.{stack.id}.moved_from"


def carry_declared_move(session: Session, stack: Stack, claim: Claim) -> StateMove | None:
    """Make the move that infra.yaml declares for a claimed stack, if one is pending; gives that."""
    move = StateLocations.of(session).check(stack) if stack.moved_from else None
    if move:
        session.progress.doing(stack.id, "moving its state")
        _move_object(session, stack, claim, move)
    return move


def _move_object(session: Session, stack: Stack, claim: Claim, move: StateMove) -> None:
    source, target = (
        StateObject(session.states.bucket(location), location) for location in (move.source, move.target)
    )
    move_state(claim, source, target, session.info.id, delete=False)
    session.ledgers.note_move(stack)


def copy_state(session: Session, stack: Stack, source: Location) -> None:
    """Copy a state to where the code names it, under the locks of both locations; the source is kept.

    A second try after an interruption goes on where the first one stopped. Raises UsageError where there is
    nothing to copy or the code names no location, StateError where another state is at the target,
    LockedError where somebody holds one of the locks.
    """
    target = session.states.location(stack)
    if target is None or target.url == source.url:
        raise UsageError(
            f"The code of {stack.id} names {target.url if target else 'no location that can be told'}.",
            advice="Change the backend in the code first: that is where the state is moved to.",
        )
    if source.is_remote != target.is_remote:
        raise UsageError(
            f"{source.url} and {target.url} are of two kinds.",
            advice=f"`infra run {stack.id} -- init -migrate-state` moves a state between kinds of backends.",
        )
    if session.states.storage(source).stat(source.name) is None:
        raise UsageError(f"There is no state at {source.url}.", advice="Correct the address after --from.")
    moving = replace(stack, moved_from=source.url) if source.is_remote else stack
    recorder = Recorder(session, "restore", Terms(), PlanOptions())
    with recorder.claim(moving) as claim:
        if target.is_remote:
            _move_object(session, moving, claim, StateMove(source, target))
        else:
            claim.note_state(stack.state or "", _copy_file(session, source, target, stack))


def _copy_file(session: Session, source: Location, target: Location, stack: Stack) -> str:
    for location in (source, target):
        refuse_held(location)
    path, data = Path(target.name), Path(source.name).read_bytes()
    if path.is_file() and path.read_bytes() not in (b"", data):
        raise other_state(target, stack.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, data)
    blob = session.states.storage(target).stat(target.name)
    return blob.generation if blob else ""


def accept_state(
    session: Session, stack: Stack, *, lineage: str | None = None, serial: int | None = None
) -> list[str]:
    """Record a state that the ledger does not know as the stack's; returns what went wrong with the record.

    Raises UsageError where the state has another lineage or serial than given, or the ledger knows no state.
    """
    head = session.states.head(stack)
    if head is None:
        raise UsageError(f"{stack.id} has no state.", advice=f"See `infra plan {stack.id}`.")
    for name, given, now in (("lineage", lineage, head.lineage), ("serial", serial, head.serial)):
        if given is not None and given != now:
            raise UsageError(
                f"The state of {stack.id} has {name} {now}, not {given}.", advice="Look at it again."
            )
    recorder = Recorder(session, "adopt", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        before = claim.before
        if before is None:
            raise UsageError(
                f"The ledger knows nothing of {stack.id}.",
                advice=f"`infra adopt {stack.id}` records its state.",
            )
        reason = (
            f"accepted lineage {head.lineage}, serial {head.serial} "
            f"in place of lineage {before.lineage or 'none'}, serial {before.serial}"
        )
        recorder.note(claim, StackReport(stack.id, stack.environment, "unchanged", reason=reason))
        claim.before = recorder.with_state(before, stack)
    return recorder.save()


def require_no_state(session: Session, stack: Stack) -> None:
    """Raise UsageError for a stack that has a state: it is not gone."""
    if session.states.generation(stack) is not None:
        raise UsageError(
            f"{stack.id} has a state.", advice=f"`infra destroy {stack.id}` deletes what it manages."
        )


def forget_stack(session: Session, stack: Stack, reason: str) -> list[str]:
    """Let the ledger know nothing of a stack any more; returns what went wrong with the run's record.

    The next plan takes it for new. Raises UsageError while it has a state, and where nothing is known of it.
    """
    require_no_state(session, stack)
    recorder = Recorder(session, "forget", Terms(), PlanOptions())
    with recorder.claim(stack) as claim:
        is_new = claim.before is None or claim.before.is_blank
        locations = StateLocations.of(session)
        if is_new and locations.lost(stack) is None and not locations.unnamed_workspaces(stack):
            raise UsageError(f"The ledger knows nothing of {stack.id}.", advice="There is nothing to forget.")
        recorder.note(
            claim, StackReport(stack.id, stack.environment, "unchanged", reason=f"forgotten: {reason}")
        )
        claim.forget_stack(reason)
    return recorder.save()
