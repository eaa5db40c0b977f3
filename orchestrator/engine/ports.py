"""Interfaces between a run and its caller: progress, consent and the apply gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.report.model import RunReport, StackReport

if TYPE_CHECKING:
    from orchestrator.engine.stack_plan import StackPlan
    from orchestrator.process import Command, Completed
    from orchestrator.repository.model import Stack
    from orchestrator.state.records import LedgerEntry


class FinishedItem(Protocol):
    """What has ended: a stack, a module."""

    @property
    def id(self) -> str:
        """Its name in the run."""

    @property
    def result(self) -> str:
        """One word."""

    @property
    def reason(self) -> str:
        """Why, when the word does not say it."""

    @property
    def seconds(self) -> float:
        """How long it took."""


class Progress(Protocol):
    """Told what happens as it happens, from several threads. Texts are short and masked."""

    def begin(self, stacks: Sequence[str]) -> None:
        """The stacks that this part of the run goes through."""

    def doing(self, stack: str, text: str) -> None:
        """What Terraform is doing for a stack now."""

    def done(self, report: FinishedItem) -> None:
        """A stack has ended."""

    def end(self) -> None:
        """This part of the run is over; the terminal is free."""


@dataclass(frozen=True)
class MaskedProgress:
    """A progress whose texts are masked on the way: addresses and messages are Terraform's own."""

    inner: Progress
    mask: Callable[[str], str]

    def begin(self, stacks: Sequence[str]) -> None:
        """See `Progress`."""
        self.inner.begin(stacks)

    def doing(self, stack: str, text: str) -> None:
        """See `Progress`."""
        self.inner.doing(stack, self.mask(text))

    def done(self, report: FinishedItem) -> None:
        """See `Progress`: reports are masked where they are made."""
        self.inner.done(report)

    def end(self) -> None:
        """See `Progress`."""
        self.inner.end()


class Telemetry(Protocol):
    """Notes what happens in a run, for a collector; safe from many threads."""

    @property
    def traceparent(self) -> str:
        """Names the run's span to others."""

    def recording(self, progress: Progress) -> Progress:
        """A progress that also notes when each stack begins and ends."""

    def trace(self, command: Command, done: Completed) -> None:
        """Note a command that has ended."""

    def step(self, stack: str, name: str, seconds: float, error: str) -> None:
        """Note a step of a stack that has ended and is no command; `error` is a class of error or empty."""

    def link(self, traceparent: str) -> None:
        """Note that this run applies what another one has planned."""


class Consent(Protocol):
    """Asked before anything changes. Every method raises BlockedError when the answer is no."""

    def to_apply(self, report: RunReport, *, protected: Sequence[str]) -> None:
        """Show the plans and ask for all of them; `protected` are environments whose name must be given."""

    def to_repair(self, stack: str, findings: Sequence[str], steps: Sequence[str]) -> None:
        """Say what was found of a run that was interrupted, and ask whether to take these steps."""

    def again(self, report: StackReport, why: str, *, protected: Sequence[str]) -> None:
        """Show a plan that was made or changed after the first question, and ask for it alone.

        `protected` are environments whose name must be given, since the first question did not ask for it.
        """


class ApplyGate(Protocol):
    """Asked for each plan at the moment when it is about to be applied, the stack being ours already."""

    def check(self, stack: Stack, planned: StackPlan, before: LedgerEntry | None) -> None:
        """`before` is what the ledger said until now. May be called from several threads.

        Raises MismatchError for a plan that is not the approved one, BlockedError for one that nobody
        approved.
        """


class AllowAll:
    """An ApplyGate for runs in which the question to a person is all that it takes."""

    def check(self, stack: Stack, planned: StackPlan, before: LedgerEntry | None) -> None:
        """Allow every plan."""


ALLOW_ALL = AllowAll()


class SilentProgress:
    """A Progress for runs that nobody watches."""

    def begin(self, stacks: Sequence[str]) -> None:
        """Nothing."""

    def doing(self, stack: str, text: str) -> None:
        """Nothing."""

    def done(self, report: FinishedItem) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
