"""Repairs that a stack needs besides its plan, and whether a rollout may make them without approval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ImportedResource:
    """A resource that an interrupted apply made and that is taken back into the state by an import.

    `name` is its address with its id; `is_changed` says whether the plan changes it as well, or the import
    loses something of it.
    """

    name: str
    is_changed: bool


@dataclass(frozen=True)
class Repair:
    """What a stack needs besides its plan. `cause` says why, `summary` what was done; both are clauses.

    `steps` are done without asking anybody; `asks` are done, or left open, only after a yes. Where nothing
    asks, a rollout goes on by itself.
    """

    cause: str
    summary: str
    steps: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """Why it is not done without a yes, in one clause."""
        return f"{self.cause}, and to go on takes a yes: {'; '.join(self.asks)}"

    @property
    def result(self) -> str:
        """What was done, in one clause."""
        done = dict.fromkeys((*self.steps, *self.asks))
        return f"{self.summary}: {'; '.join(done)}" if done else self.summary

    @property
    def approved_steps(self) -> tuple[str, ...]:
        """What a yes covers besides the plan; empty where it takes none."""
        return tuple(dict.fromkeys((*self.steps, *self.asks))) if self.asks else ()


def repair_of_interrupted(
    run: str,
    *,
    lock: str = "",
    rescued: str = "",
    removed: Sequence[str] = (),
    taken: Sequence[ImportedResource] = (),
    unsure: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> Repair:
    """The repair of the interrupted apply `run`, and what of it only a person can decide.

    `lock` is the generation of the lock that the run left and that is provably its own, `rescued` names the
    state that it could not save and that continues the one in the backend. `removed` are objects that the run
    deleted and that the state still has, `unsure` those that may exist and could not be looked up, `left_out`
    those that exist and are not taken back.

    To release a lock that is the run's own, and to import what the plan leaves as it is, puts the state right
    and does nothing else. All the rest is asked about.
    """
    steps = [f"its lock {lock} is released"] if lock else []
    asks = []
    if rescued:
        asks.append(f"the state that it could not save is pushed ({rescued})")
    asks += [f"{name}, which it deleted, is removed from the state" for name in removed]
    for imported_resource in taken:
        words = f"{imported_resource.name} is taken back"
        if imported_resource.is_changed:
            asks.append(f"{words}, and changed")
        else:
            steps.append(words)
    asks += [f"{name} may exist and could not be looked up" for name in unsure]
    asks += [f"{name} is not taken back" for name in left_out]
    return Repair(
        f"the apply {run} was interrupted",
        f"resumed the interrupted apply {run}",
        tuple(steps),
        tuple(asks),
    )


def repair_of_lost_state(reason: str) -> Repair:
    """The repair of a stack whose state is gone for good: it is created again."""
    return Repair(
        "its state is gone", "its lost state was given up", asks=(f"the state is given up: {reason}",)
    )


def repair_of_superseded(commit: str) -> Repair:
    """The repair of a stack at which a commit was applied that trunk does not have."""
    return Repair(
        f"{commit} is applied there, which trunk does not have",
        f"went over {commit}, which trunk does not have",
        asks=(f"{commit} is gone over",),
    )
