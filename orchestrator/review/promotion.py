"""The promotion from one environment to the next: runs checks and soak, and records the outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from orchestrator.engine.checks import CheckOutcome, CheckRunner
from orchestrator.engine.pending import entries_of
from orchestrator.engine.promotion_decision import PromotionDecision, PromotionRequirements
from orchestrator.engine.promotion_lookup import PromotionHold, PromotionLookup
from orchestrator.engine.session import Session
from orchestrator.errors import ForbiddenError
from orchestrator.state.promotion_store import CheckResult, PromotionRecord, PromotionStore, Skip
from orchestrator.terraform.environment import child_environment


@dataclass(frozen=True)
class PromotionOutcome:
    """The outcome of an environment's checks; `soaked` is how long it soaked in this run, in seconds."""

    checks: tuple[CheckOutcome, ...] = ()
    soaked: float = 0.0


@dataclass
class EnvironmentPromotion:
    """The promotion of one environment at the session's commit.

    `clock` returns monotonic seconds, `sleep` waits for a number of seconds.
    """

    session: Session
    environment: str
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], None] = field(default=time.sleep)

    @cached_property
    def lookup(self) -> PromotionLookup:
        """The promotion records at this commit."""
        return PromotionLookup(self.session.context.project, self.session.memory.ledgers.promotions)

    @property
    def requirements(self) -> PromotionRequirements:
        """The checks and the soak that the environment must pass before the next one is applied."""
        return self.lookup.requirements(self.environment)

    def decision(self) -> PromotionDecision:
        """Whether the environment has passed."""
        return self.lookup.decision(self.environment)

    def hold(self) -> PromotionHold | None:
        """The earlier environment that blocks this one; None if it may be applied."""
        return self.lookup.hold(self.environment)

    def begin(self) -> None:
        """Records that the environment is about to change, which resets its checks and soak."""
        self._update(lambda record: replace(record, checks={}, soaked_until="", skipped=None))

    def skip(self, by: str, reason: str) -> None:
        """Records that the environment passes without its checks, who approved that, and the reason."""
        skip = Skip(by, reason, self._store().now(), self.session.context.info.id)
        self._update(lambda record: replace(record, skipped=skip))

    def verify(self, stacks: Sequence[str]) -> PromotionOutcome:
        """Runs the checks and the soak and records the outcomes; check blocks of `stacks` count.

        The record is written after the first round of checks and again after the soak, so that an interrupted
        run leaves an unfinished soak. Raises InterruptedRunError.
        """
        requirements, runner = self.requirements, self._runner
        outcomes = runner.run(stacks)
        self._record(outcomes)
        if not requirements.soak or any(not outcome.ok for outcome in outcomes):
            return PromotionOutcome(outcomes)
        seconds = self.soak_left()
        failed = {outcome.name: outcome for outcome in runner.soak(seconds)}
        if failed:
            outcomes = tuple(failed.get(outcome.name, outcome) for outcome in outcomes)
            self._record(outcomes)
            return PromotionOutcome(outcomes, seconds)
        now = self._store().now()
        self._update(lambda record: replace(record, soaked_until=now, skipped=None))
        return PromotionOutcome(outcomes, seconds)

    def soak_left(self) -> float:
        """Seconds that the environment still has to soak, counted from its newest apply in the ledger."""
        session = self.session
        stacks = [stack.id for stack in session.context.project.of(self.environment)]
        times = [
            entry.applied_at for entry in entries_of(session.memory, stacks).values() if entry.applied_at
        ]
        if not times:
            return 0.0
        now = datetime.fromisoformat(self._store().now())
        return max(0.0, self.requirements.soak - (now - datetime.fromisoformat(max(times))).total_seconds())

    @property
    def _runner(self) -> CheckRunner:
        session, name = self.session, self.environment
        settings = self.lookup.config.environment(name)
        env = child_environment(
            session.context.environ,
            passed=settings.env,
            extra={"INFRA_ENVIRONMENT": name},
            sandbox=bool(session.context.environ.get("INFRA_SANDBOX")),
        )
        return CheckRunner(
            environment=name,
            checks=settings.checks,
            root=session.context.project.root,
            env=env,
            supervisor=session.context.supervisor,
            mask=session.context.mask,
            state=lambda stack: session.memory.states.raw(session.context.project.stacks[stack]),
            clock=self.clock,
            sleep=self.sleep,
        )

    def _record(self, outcomes: Sequence[CheckOutcome]) -> None:
        """Writes the results of one round of checks; of two with the same name the failed one counts."""
        at, run = self._store().now(), self.session.context.info.id
        results: dict[str, CheckResult] = {}
        for outcome in sorted(outcomes, key=lambda outcome: outcome.ok, reverse=True):
            result = CheckResult("passed" if outcome.ok else "failed", at, run, outcome.message)
            results[outcome.name] = result
        self._update(lambda record: _with_results(record, results, soaks=bool(self.requirements.soak)))

    def _update(self, change: Callable[[PromotionRecord], PromotionRecord]) -> None:
        store = self._store()
        try:
            store.update(self.session.context.info.commit, change)
        except ForbiddenError as error:
            raise ForbiddenError(
                f"Whether {self.environment} passes its checks cannot be recorded: {error.message}",
                advice=f"Grant roles/storage.objectUser on the managed folder {store.base}/promotion/ to the "
                f"apply account of {self.environment}; `infra bootstrap` does that.",
            ) from error

    def _store(self) -> PromotionStore:
        store = self.session.memory.ledgers.promotions(self.environment)
        if store is None:
            raise ValueError(f"{self.environment} has no stacks")
        return store


def _with_results(
    record: PromotionRecord, results: dict[str, CheckResult], *, soaks: bool
) -> PromotionRecord:
    """The record after a round of checks; a clean pass, including the soak, ends a skip."""
    is_clean = all(result.result == "passed" for result in results.values())
    skipped = None if is_clean and not soaks else record.skipped
    return replace(record, checks=results, soaked_until="", skipped=skipped)
