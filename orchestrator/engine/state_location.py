"""Checks before each plan that a stack's state is the recorded one, at the recorded location."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config import DEFAULT_WORKSPACE, Config, FileBackend
from orchestrator.engine.memory import Memory
from orchestrator.engine.stack_plan import StateMove
from orchestrator.engine.states import States
from orchestrator.errors import BlockedError, BucketMissingError
from orchestrator.repository.model import Stack
from orchestrator.state.backends import backend_kind
from orchestrator.state.location import Location
from orchestrator.state.records import LedgerEntry, base_commit
from orchestrator.state.statefile import StateFile


@dataclass(frozen=True)
class StateLocations:
    """Compares the states of a project's stacks with what the ledgers and earlier code say of them."""

    memory: Memory

    def check(self, stack: Stack) -> StateMove | None:
        """Make sure that a plan of the stack reads its own state; gives the move that is pending, if one is.

        Raises BlockedError for a state that is gone (a plan from an empty state would create everything a
        second time), that has another lineage, that is older than the recorded one, or whose move elsewhere
        this code does not know of.
        """
        return self.check_entry(stack, self.memory.ledgers.entry(stack)) if stack.state else None

    def check_entry(self, stack: Stack, entry: LedgerEntry | None) -> StateMove | None:
        """The same for a ledger's entry that was read already."""
        if stack.state is None:
            return None
        head = self.memory.states.head(stack)
        move = self._declared_move(stack, entry, head)
        if move:
            if entry:
                self._refuse_other_state(stack, entry, self.memory.states.head_at(move.source), move.source)
            return move
        if head is None:
            self._refuse_lost_state(stack, entry)
        elif entry:
            self._refuse_other_state(stack, entry, head, self.memory.states.at(stack.state))
            self._refuse_old_copy(stack, entry, head)
        return None

    def is_unrecorded(self, stack: Stack) -> bool:
        """Whether a stack has a state, and no run of infra is recorded that made it."""
        entry, head = self.memory.ledgers.entry(stack), self.memory.states.head(stack)
        return (entry is None or entry.is_blank) and head is not None and not head.is_empty

    def recorded_elsewhere(self, stack: Stack, entry: LedgerEntry) -> Location | None:
        """Where the ledger has the stack's state, if one is there and this code names another location.

        So it is for the code of an older commit, after a move by hand. Raises BlockedError for a state that
        is not the recorded one.
        """
        if not entry.state or entry.state == stack.state:
            return None
        head, location = self._head_of(entry.state), self.memory.states.at(entry.state)
        self._refuse_other_state(stack, entry, head, location)
        return location if head else None

    def lost(self, stack: Stack) -> Stack | None:
        """A stack without state and ledger entry, as earlier code had it whose state is still there.

        None for a stack that is new.
        """
        for earlier in self.memory.earlier.of(stack):
            if earlier.state is None or earlier.state == stack.state:
                continue
            head = self._head_of(earlier.state)
            if head is None or head.is_empty:
                continue
            entry = self.memory.ledgers.of(earlier).entry(stack.id)
            return None if entry and entry.result == "destroyed" else earlier
        return None

    def _head_of(self, url: str) -> StateFile | None:
        """What the state at a location that earlier code names says; a bucket that is gone holds none."""
        try:
            return self.memory.states.head_at(self.memory.states.at(url))
        except BucketMissingError:
            return None

    def _declared_move(
        self, stack: Stack, entry: LedgerEntry | None, head: StateFile | None
    ) -> StateMove | None:
        url = stack.moved_from
        if url is None or stack.state is None or url == stack.state:
            return None
        # A run that was killed in the middle has the copy and still records where the state was.
        if head is not None and not (entry and entry.state == url):
            return None
        source, target = self.memory.states.at(url), self.memory.states.at(stack.state)
        if self.memory.states.storage(source).stat(source.name):
            return StateMove(source, target)
        if head is not None or (entry and (entry.forgotten or entry.result == "destroyed")):
            return None
        raise BlockedError(
            f"infra.yaml says that the state of {stack.id} was at {source.url}; there is none, and none at "
            f"{target.url}.",
            advice=f"Correct {_key(stack)} in infra.yaml, or remove it for a stack that is new.",
            stack=stack.id,
        )

    def _refuse_lost_state(self, stack: Stack, entry: LedgerEntry | None) -> None:
        url = self.memory.states.at(stack.state or "").url
        if entry is None or entry.is_blank:
            earlier = self.lost(stack)
            if earlier and earlier.state:
                earlier_url = self.memory.states.at(earlier.state).url
                raise _lost(
                    stack,
                    f"There is no state of {stack.id} at {url}, and its code named {earlier_url} before, "
                    "where one is.",
                    earlier_url,
                )
            self._refuse_unknown_workspace(stack)
            return
        if not entry.has_state:
            return
        applied = (
            f"{stack.id} was applied at {entry.commit[:10] or entry.run}, and there is no state at {url}"
        )
        before = self._recorded_location(stack, entry)
        if before is None or before == url:
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
        location = self.memory.states.location(stack)
        if stack.workspace == DEFAULT_WORKSPACE or location is None or not location.is_remote:
            return []
        folder = location.name.rpartition("/")[0]
        states = {other.state for other in self.memory.project.stacks.values()}
        names = []
        for blob in self.memory.states.bucket(location).list(f"{folder}/"):
            beside = replace(location, name=blob.name)
            parent, _, file = blob.name.rpartition("/")
            if parent != folder or not file.endswith(".tfstate") or beside.url in states:
                continue
            head = self.memory.states.head_at(beside)
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
        url = self.memory.states.at(stack.state or "").url
        raise BlockedError(
            f"{key} is {stack.workspace}: there is no such workspace, and no stack uses {', '.join(names)}, "
            f"which {'is' if len(names) == 1 else 'are'} beside {url}.",
            advice=f"Correct {key} in infra.yaml. If the workspace is new: "
            f"`infra state forget {stack.id} --reason …`.",
            stack=stack.id,
        )

    def _recorded_location(self, stack: Stack, entry: LedgerEntry) -> str | None:
        """Where the last run that is recorded left the state; None when that cannot be told."""
        url = entry.state
        if not url:  # of an older infra: what the code named that was applied
            earlier = self.memory.earlier.at(base_commit(entry.commit), stack.id) if entry.commit else None
            url = (earlier.state if earlier else None) or ""
        return self.memory.states.at(url).url if url else None

    def _refuse_other_state(
        self, stack: Stack, entry: LedgerEntry, head: StateFile | None, location: Location
    ) -> None:
        """A state of another lineage, or one that is older than what was recorded."""
        if head is None or entry.result == "destroyed" or entry.forgotten:
            return
        if entry.lineage and head.lineage != entry.lineage:
            raise BlockedError(
                f"The state of {stack.id} at {location.url} has lineage {head.lineage or 'none'}; the ledger "
                f"knows {entry.lineage}: it is not the state that was applied last.",
                advice=_forget(stack)
                if head.is_empty
                else f"Find out who put it there. If it is the right one: "
                f"`infra state accept {stack.id} --lineage {head.lineage}`.",
                stack=stack.id,
            )
        if entry.serial is not None and head.serial < entry.serial:
            blob = self.memory.states.storage(location).stat(location.name)
            generation = blob.generation if blob else "none"
            raise BlockedError(
                f"The state of {stack.id} at {location.url} is older than what was recorded: it has serial "
                f"{head.serial} (generation {generation}), the ledger has {entry.serial} (generation "
                f"{entry.state_generation}).",
                advice=f"`infra state restore {stack.id} {entry.state_generation}` puts the newer one "
                f"back. If the older one is right: `infra state accept {stack.id} --serial {head.serial}`.",
                stack=stack.id,
            )

    def _refuse_old_copy(self, stack: Stack, entry: LedgerEntry, head: StateFile) -> None:
        """A copy that a move left behind, read by code from before the move."""
        if not entry.state or entry.state == stack.state or not entry.has_state:
            return
        if entry.serial is not None and head.serial > entry.serial:
            return
        applied = self.memory.earlier.at(base_commit(entry.commit), stack.id) if entry.commit else None
        if applied is None or applied.state != stack.state:
            return
        raise BlockedError(
            f"The state of {stack.id} was moved to {self.memory.states.at(entry.state).url}; this code "
            f"still names {self.memory.states.at(stack.state or '').url}.",
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


def old_location(config: Config, stack: Stack, root: Path) -> Location | None:
    """Where the stack's state lay under the id that it had before; None when that is no other place."""
    earlier = config.earlier_id(stack.id)
    if earlier is None or not stack.backend.empty:
        return None
    environment, _, name = earlier.partition("/")
    backend = config.backend_of(environment)
    if backend is None or isinstance(backend, FileBackend) or backend.kind != stack.backend.kind:
        return None
    location = backend_kind(backend.kind).location(backend.settings(environment, name), root)
    return None if location is None or location.url == stack.state else location


def unmoved_state(config: Config, states: States, stack: Stack, root: Path) -> Location | None:
    """Where a renamed stack's state still lies, when it has none under its new name."""
    old = old_location(config, stack, root)
    if old is None or states.generation(stack) is not None:
        return None
    return old if states.storage(old).stat(old.name) else None
