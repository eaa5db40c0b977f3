"""What an apply on trunk did in one environment, before it becomes text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.engine.checks import CheckOutcome
from orchestrator.errors import Exit, exit_code_of
from orchestrator.report.landing import Landing, LandingCheck, State, WayOut
from orchestrator.report.model import RunReport, StackReport
from orchestrator.review.approvals import Verdict

WENT = ("applied", "destroyed")
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
class Landed:
    """One environment. `report` is None where it was not begun, because `behind` was not done.

    `held` says why `behind`, an environment that this run did not apply, has not passed its checks.

    `owed` are the stacks that trunk owed it, with why; `verdicts` what was said of each plan, by stack;
    `overtaken` are stacks that were left alone since something newer on trunk is applied there already;
    `elsewhere` are those for which another run has done what a gate of this one approved; `superseded` are
    those that newer commits of trunk change. `way_out` is how what was not approved can be.
    `owed_unknown` is true where what is pending could not be found out. `owners` are the pull requests whose
    changes are pending, by stack, also of a stack that could not be planned. `heartbeat` says that nobody
    looks for drift any more; `error` why it could not be dealt with at all.
    """

    environment: str
    report: RunReport | None = None
    owed: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    checks: tuple[CheckOutcome, ...] = ()
    soaked: float = 0.0
    behind: str = ""
    held: str = ""
    notes: tuple[str, ...] = ()
    overtaken: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    way_out: WayOut = "pull request"
    heartbeat: str = ""
    error: str = ""
    error_code: int = 0
    owed_unknown: bool = False
    owners: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def stacks(self) -> tuple[StackReport, ...]:
        """The stacks' reports."""
        return self.report.stacks if self.report else ()

    @property
    def applied(self) -> tuple[str, ...]:
        """Stacks that are changed now."""
        return tuple(one.id for one in self.stacks if one.result in WENT)

    @property
    def lost(self) -> bool:
        """True when something that was owed was left as it is, and no stack says that this was wrong."""
        if not self.owed or self.behind or self.error or (self.report and self.report.exit_code):
            return False
        settled = {one.id for one in self.stacks if one.result in (*WENT, "unchanged")}
        return bool(self._skipped - {*self.overtaken, *self.elsewhere}) or not (settled or self._skipped)

    @property
    def _skipped(self) -> set[str]:
        return {one.id for one in self.stacks if one.result == "skipped"}

    @property
    def left(self) -> tuple[str, ...]:
        """Pending stacks that were neither applied nor found unchanged, nor done by a newer commit."""
        settled = {one.id for one in self.stacks if one.result in (*WENT, "unchanged")}
        return tuple(sorted(self.owed.keys() - settled - set(self.overtaken)))

    @property
    def exit_code(self) -> int:
        """The environment's part of the command's exit code."""
        codes = [self.report.exit_code if self.report else 0, self.error_code]
        if self.held:
            codes.append(int(Exit.BLOCKED))
        if self.lost or not all(one.ok for one in self.checks):
            codes.append(int(Exit.ERROR))
        return codes[0] if codes[0] == int(Exit.INTERRUPTED) else exit_code_of(codes)

    @property
    def stops(self) -> bool:
        """Whether the next environments must wait."""
        return self.exit_code != 0 or bool(self.behind)

    @property
    def state(self) -> State:
        """The one word for it."""
        if self.behind:
            return "waiting" if self.owed or self.owed_unknown else "nothing"
        results = {one.result for one in self.stacks}
        found: State | None = next((state for result, state in STATES if result in results), None)
        if found == "failed" and (self.applied or any(one.partial for one in self.stacks)):
            return "partial"
        if found == "blocked" and self._waits_for_gate:
            return "gate"
        if self.error:
            return "partial" if self.applied else "failed"
        if found is None and self.lost:
            if self._skipped and self._skipped <= {*self.superseded, *self.overtaken, *self.elsewhere}:
                return "superseded"
            return "partial" if self.applied else "failed"
        if found is None and not all(one.ok for one in self.checks):
            return "stopped"
        return found or ("applied" if self.applied else "nothing")

    @property
    def _waits_for_gate(self) -> bool:
        blocked = [one.id for one in self.stacks if one.result == "blocked"]
        return any(self.verdicts[id_].kind == "gate" for id_ in blocked if id_ in self.verdicts)

    @property
    def pull_requests(self) -> tuple[int, ...]:
        """Those whose changes this was about."""
        judged = (number for verdict in self.verdicts.values() for number in verdict.pull_requests)
        pending = (number for numbers in self.owners.values() for number in numbers)
        return tuple(sorted({*judged, *pending}))


def landing_checks(checks: tuple[CheckOutcome, ...]) -> tuple[LandingCheck, ...]:
    """Checks as the texts have them."""
    return tuple(LandingCheck(one.name, one.ok, one.message) for one in checks)


__all__ = ["Landed", "Landing", "landing_checks"]
