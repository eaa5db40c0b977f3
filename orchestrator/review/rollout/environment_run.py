"""The outcome of a rollout in one environment, before it is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.engine.checks import CheckOutcome
from orchestrator.errors import Exit, exit_code_of
from orchestrator.report.model import APPLIED_RESULTS, RunReport, StackReport
from orchestrator.report.rollout import State, WayOut
from orchestrator.review.approvals import Verdict

# What an environment was left with: the first of these that a stack ended in names it.
STATES: tuple[tuple[str, State], ...] = (
    ("interrupted", "partial"),
    ("failed", "failed"),
    ("mismatch", "mismatch"),
    ("blocked", "blocked"),
    ("locked", "failed"),
    ("unchecked", "failed"),
    ("aborted", "failed"),
    ("waiting", "waiting"),
)


@dataclass(frozen=True)
class EnvironmentRun:
    """The outcome of a rollout in one environment.

    `report` is None where the environment was not started because `behind`, an earlier environment, is not
    done; `hold_reason` says why if this run did not apply `behind` itself.

    `pending` maps the pending stacks to the reason, `verdicts` each planned stack to its verdict. Skipped
    stacks: `overtaken` have a newer commit applied, `elsewhere` were applied by another run after this run's
    gate, `superseded` are changed by newer commits of trunk. `way_out` is how unapproved plans can be
    approved. `pending_unknown` is true where the pending stacks could not be read. `owners` maps stacks to
    the pull requests whose changes are pending. `heartbeat` warns that drift checks stopped; `error` says
    why the environment failed as a whole.
    """

    environment: str
    report: RunReport | None = None
    pending: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    checks: tuple[CheckOutcome, ...] = ()
    soaked: float = 0.0
    behind: str = ""
    hold_reason: str = ""
    notes: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    way_out: WayOut = "pull request"
    heartbeat: str = ""
    error: str = ""
    error_code: int = 0
    pending_unknown: bool = False
    owners: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def stacks(self) -> tuple[StackReport, ...]:
        """The stacks' reports."""
        return self.report.stacks if self.report else ()

    @property
    def applied(self) -> tuple[str, ...]:
        """Stacks that were changed."""
        return tuple(stack.id for stack in self.stacks if stack.result in APPLIED_RESULTS)

    @property
    def is_incomplete(self) -> bool:
        """Whether pending stacks were left unapplied although no stack reports an error."""
        if not self.pending or self.behind or self.error or (self.report and self.report.exit_code):
            return False
        done = {stack.id for stack in self.stacks if stack.result in (*APPLIED_RESULTS, "unchanged")}
        return bool(self._skipped - {*self.overtaken, *self.elsewhere}) or not (done or self._skipped)

    @property
    def _skipped(self) -> set[str]:
        return {stack.id for stack in self.stacks if stack.result == "skipped"}

    @property
    def unapplied(self) -> tuple[str, ...]:
        """Pending stacks that were neither applied nor found unchanged, nor applied by a newer commit."""
        done = {stack.id for stack in self.stacks if stack.result in (*APPLIED_RESULTS, "unchanged")}
        return tuple(sorted(self.pending.keys() - done - set(self.overtaken)))

    @property
    def exit_code(self) -> int:
        """The environment's part of the command's exit code."""
        codes = [self.report.exit_code if self.report else 0, self.error_code]
        if self.hold_reason:
            codes.append(int(Exit.BLOCKED))
        if self.is_incomplete or not all(check.ok for check in self.checks):
            codes.append(int(Exit.ERROR))
        return codes[0] if codes[0] == int(Exit.INTERRUPTED) else exit_code_of(codes)

    @property
    def stops(self) -> bool:
        """Whether the next environments must wait."""
        return self.exit_code != 0 or bool(self.behind)

    @property
    def state(self) -> State:
        """The state in one word."""
        if self.behind:
            return "waiting" if self.pending or self.pending_unknown else "nothing"
        results = {stack.result for stack in self.stacks}
        state: State | None = next((state for result, state in STATES if result in results), None)
        if state == "failed" and (self.applied or any(stack.partial for stack in self.stacks)):
            return "partial"
        if state == "blocked" and self._waits_for_gate:
            return "gate"
        if self.error:
            return "partial" if self.applied else "failed"
        if state is None and self.is_incomplete:
            if self._skipped and self._skipped <= {*self.superseded, *self.overtaken, *self.elsewhere}:
                return "superseded"
            return "partial" if self.applied else "failed"
        if state is None and not all(check.ok for check in self.checks):
            return "stopped"
        return state or ("applied" if self.applied else "nothing")

    @property
    def _waits_for_gate(self) -> bool:
        blocked = [stack.id for stack in self.stacks if stack.result == "blocked"]
        return any(self.verdicts[id_].kind == "gate" for id_ in blocked if id_ in self.verdicts)

    @property
    def pull_requests(self) -> tuple[int, ...]:
        """The pull requests whose changes this rollout concerns."""
        verdict_numbers = (number for verdict in self.verdicts.values() for number in verdict.pull_requests)
        pending_numbers = (number for numbers in self.owners.values() for number in numbers)
        return tuple(sorted({*verdict_numbers, *pending_numbers}))
