"""The report of a drift check, masked, as frozen dataclasses. Renderers and issues read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.drift.model import CATEGORIES, Category, DriftedResource, MatchedIgnoreRule
from orchestrator.errors import Exit, exit_code_of
from orchestrator.report.model import RunInfo

DriftResult = Literal["clean", "drifted", "blocked", "unchecked", "skipped", "destroyed"]
Severity = Literal["", "low", "medium", "high"]

ORDER: tuple[DriftResult, ...] = ("drifted", "blocked", "unchecked", "skipped", "destroyed", "clean")
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low", "")


@dataclass(frozen=True)
class StackDrift:
    """One stack in one run of checks.

    `result` is `clean`, `drifted`, `unchecked` with a `reason`, `blocked` where no plan may be made of its
    state (`infra plan` says the same), `skipped` when its turn did not come, or `destroyed`.
    `commit` is what it was compared with: the one last applied, or after a failed run the one that it tried.
    `partial` is true when the last run did not bring the whole stack to a commit: it failed, or was of a
    part. `resources` are all that differ, also those that nobody need look at; `outputs` the names of those
    that an apply would change. `pending` says why the stack is pending, apart from drift. `failed`
    is true for a blocked one, and for an unchecked one when something is wrong, and false when its time has
    just not come: it is being applied, or never was. `paths` are the folders whose owners answer for it. Of
    the memory: `first_seen`, how often it `came_back`, `last_checked` before this run, `digest` of what
    drifted, and `ended`, how a drift ended that was there before. `is_new` is true when the drift began or
    changed since the last check, and when that check did not fail for the same reason.
    """

    id: str
    environment: str
    result: DriftResult
    reason: str = ""
    advice: str = ""
    seconds: float = 0.0
    commit: str = ""
    partial: bool = False
    resources: tuple[DriftedResource, ...] = ()
    outputs: tuple[str, ...] = ()
    pending: str = ""
    notes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    failed: bool = False
    error_class: str = ""
    diagnostics: tuple[Mapping[str, Any], ...] = ()
    digest: str = ""
    first_seen: str = ""
    came_back: int = 0
    last_checked: str = ""
    ended: str = ""
    ended_by: str = ""
    remediation: str = ""
    is_new: bool = False

    @property
    def loud(self) -> tuple[DriftedResource, ...]:
        """The resources that need attention."""
        return tuple(resource for resource in self.resources if self.is_loud(resource))

    @property
    def quiet(self) -> tuple[DriftedResource, ...]:
        """The resources that need no attention, or only an apply."""
        return tuple(resource for resource in self.resources if not self.is_loud(resource))

    def is_loud(self, resource: DriftedResource) -> bool:
        """Whether a resource counts as drift. Unapplied changes after a partial run do not."""
        if resource.is_quiet or resource.is_waiting:
            return False
        return not (self.partial and resource.category == "unapplied")

    @property
    def severity(self) -> Severity:
        """High if something was deleted, conflicts with the code, or would be deleted or replaced."""
        loud = self.loud
        if not loud:
            return ""
        if any(
            resource.kind == "deleted" or resource.category == "conflict" or resource.is_destructive
            for resource in loud
        ):
            return "high"
        return "medium" if any(resource.category in ("reverted", "unapplied") for resource in loud) else "low"

    @property
    def counts(self) -> dict[str, int]:
        """Attributes by class, quiet ones included; a resource without any counts as one of its own class.

        What a rule of infra.yaml covers is counted as `suppressed` alone.
        """
        counts: dict[str, int] = dict.fromkeys((*CATEGORIES, "suppressed"), 0)
        for resource in self.resources:
            for category, rule in _members(resource):
                counts["suppressed" if rule else category] += 1
        return counts

    def document(self) -> dict[str, Any]:
        """The stack as it stands in `--json`."""
        return {
            "id": self.id,
            "environment": self.environment,
            "result": self.result,
            "reason": self.reason,
            "advice": self.advice,
            "seconds": round(self.seconds, 3),
            "commit": self.commit,
            "partial": self.partial,
            "severity": self.severity or None,
            "counts": self.counts,
            "resources": [
                {**resource.document(), "drift": self.is_loud(resource)} for resource in self.resources
            ],
            "outputs": list(self.outputs),
            "pending": self.pending or None,
            "notes": list(self.notes),
            "paths": list(self.paths),
            "failed": self.failed,
            "diagnostics": [dict(diagnostic) for diagnostic in self.diagnostics],
            "digest": self.digest,
            "first_seen": self.first_seen or None,
            "came_back": self.came_back,
            "last_checked": self.last_checked or None,
            "ending": self.ended or None,
            "ended_by": self.ended_by or None,
            "remediation": self.remediation or None,
        }


def _members(resource: DriftedResource) -> list[tuple[Category, bool]]:
    if not resource.attributes:
        return [(resource.category, resource.rule is not None)]
    whole = resource.rule is not None
    return [(attribute.category, whole or attribute.rule is not None) for attribute in resource.attributes]


@dataclass(frozen=True)
class RuleFinding:
    """An obsolete ignore rule: `expired`, or `unused` in a complete run."""

    rule: MatchedIgnoreRule
    what: Literal["expired", "unused"]

    @property
    def words(self) -> str:
        """The finding as people read it."""
        named = f"drift.ignore: {self.rule.address} {self.rule.attribute}"
        if self.what == "expired":
            return f"{named}: expired on {self.rule.until}. Renew it, or let it go."
        return f"{named}: covers nothing any more. Remove it."


@dataclass(frozen=True)
class DriftReport:
    """The report of a run.

    `stale` are stacks that were not checked for too long; `lost` are sentences about stacks without a report.
    """

    run: RunInfo
    stacks: tuple[StackDrift, ...]
    rules: tuple[RuleFinding, ...] = ()
    stale: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    complete: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """8 for drift, 4 where a stack is blocked, 1 where a check failed, 130 after Ctrl-C, else 0."""
        if self.interrupted:
            return int(Exit.INTERRUPTED)
        codes = {"drifted": Exit.DRIFT, "blocked": Exit.BLOCKED}
        return exit_code_of(
            int(codes.get(stack.result, Exit.ERROR if stack.failed else Exit.OK)) for stack in self.stacks
        )

    def count(self, result: DriftResult) -> int:
        """How many stacks have a result."""
        return sum(stack.result == result for stack in self.stacks)

    def by_attention(self) -> tuple[StackDrift, ...]:
        """The stacks, the worst drift first, then what could not be checked; else in the run's order."""
        return tuple(
            sorted(
                self.stacks, key=lambda stack: (ORDER.index(stack.result), SEVERITIES.index(stack.severity))
            )
        )

    def document(self) -> dict[str, Any]:
        """The whole `--json` document except its version, which the writer adds."""
        return {
            "run": self.run.document(),
            "stacks": [stack.document() for stack in self.stacks],
            "rules": [{"finding": rule.what, **rule.rule.document()} for rule in self.rules],
            "stale": list(self.stale),
            "complete": dict(self.complete),
            "notes": list(self.notes),
            "errors": [
                {
                    "class": stack.error_class or "StateError",
                    "message": stack.reason,
                    "advice": stack.advice,
                    "file": None,
                    "line": None,
                    "key": None,
                    "stack": stack.id,
                }
                for stack in self.stacks
                if stack.failed
            ],
        }
