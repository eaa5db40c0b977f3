"""The report of a run, masked, as frozen dataclasses. Renderers read only this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.errors import Exit, exit_code_of
from orchestrator.plan.cost import MonthlyCost, costs_of_environments
from orchestrator.report.documents import finding_document
from orchestrator.repository.model import Finding

Result = Literal[
    "unchanged",
    "changed",
    "applied",
    "destroyed",
    "failed",
    "aborted",
    "waiting",
    "skipped",
    "blocked",
    "locked",
    "interrupted",
    "mismatch",
    "unchecked",
]

COUNT_KEYS = ("create", "update", "replace", "delete", "import", "move", "forget")
NO_COUNTS: Mapping[str, int] = dict.fromkeys(COUNT_KEYS, 0)

# Results of a stack that was changed as a whole.
APPLIED_RESULTS: tuple[Result, ...] = ("applied", "destroyed")
# The order of results: failures, then changes, then the rest.
ORDER_OF_ATTENTION: tuple[Result, ...] = (
    "interrupted",
    "failed",
    "mismatch",
    "blocked",
    "locked",
    "unchecked",
    "aborted",
    "waiting",
    "destroyed",
    "applied",
    "changed",
    "skipped",
    "unchanged",
)


@dataclass(frozen=True)
class StackReport:
    """One stack in one run.

    `changes` and `outputs` are dictionaries in the shape of `--json`; `diff` is Terraform's own text, and
    everything is masked. `advice` says what to type next. `findings` are the policy's. `partial` is true when
    a failed stack's state had moved: something was applied to it. `cost` is None where it was not estimated.
    """

    id: str
    environment: str
    result: Result
    reason: str = ""
    seconds: float = 0.0
    counts: Mapping[str, int] = field(default_factory=lambda: dict(NO_COUNTS))
    changes: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[str, ...] = ()
    diagnostics: tuple[Mapping[str, Any], ...] = ()
    diff: str = ""
    advice: str = ""
    notes: tuple[str, ...] = ()
    unrecorded: bool = False
    error_class: str = ""
    code: int = int(Exit.ERROR)
    partial: bool = False
    findings: tuple[Finding, ...] = ()
    cost: MonthlyCost | None = None

    @property
    def is_forbidden(self) -> bool:
        """True when a rule of the policy does not let it be applied."""
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def has_applied(self) -> bool:
        """True when something was applied or destroyed, in part at least."""
        return self.result in APPLIED_RESULTS or self.partial

    @property
    def is_destructive(self) -> bool:
        """True when something is deleted or replaced."""
        return bool(self.counts["delete"] or self.counts["replace"])

    def exit_code(self, *, applying: bool, detailed: bool) -> int:
        """What this stack adds to the run's code (README, "Exit codes")."""
        match self.result:
            case "failed":
                return int(Exit.PARTIAL) if self.partial else self.code
            case "interrupted":
                return int(Exit.PARTIAL)
            case "unchecked":
                return int(Exit.ERROR)
            case "mismatch":
                return int(Exit.MISMATCH)
            case "blocked":
                return int(Exit.BLOCKED)
            case "locked":
                return int(Exit.LOCKED)
            case "waiting":
                return int(Exit.ERROR) if applying else int(Exit.OK)
            case "changed" if self.is_forbidden:
                return int(Exit.BLOCKED)
            case "changed":
                return int(Exit.CHANGES) if detailed else int(Exit.OK)
            case _:
                return int(Exit.OK)

    def document(self) -> dict[str, Any]:
        """The stack as it stands in `--json`."""
        return {
            "id": self.id,
            "environment": self.environment,
            "result": self.result,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "counts": dict(self.counts),
            "changes": [dict(change) for change in self.changes],
            "outputs": list(self.outputs),
            "diagnostics": [dict(diagnostic) for diagnostic in self.diagnostics],
            "advice": self.advice,
            "notes": list(self.notes),
            "findings": [finding_document(finding) for finding in self.findings],
            "cost": self.cost.document() if self.cost else None,
        }


@dataclass(frozen=True)
class RunInfo:
    """Which run this is: `started` is RFC 3339 in UTC, `commit` is empty before the first commit.

    `traceparent` names the run's span to others, where telemetry is on.
    """

    id: str
    trigger: str
    commit: str
    started: str
    seconds: float
    traceparent: str = ""

    def document(self) -> dict[str, Any]:
        """The run as it stands in `--json`."""
        return {
            "id": self.id,
            "trigger": self.trigger,
            "commit": self.commit,
            "started": self.started,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class RunFailure:
    """A failure of a run that changes no result of a stack; `stack` is empty where it concerns several."""

    error_class: str
    message: str
    advice: str
    stack: str = ""

    def note(self) -> str:
        """The failure and its advice in one line; that of a hook ends with words of a program."""
        return f"{self.message.rstrip('.')}. {self.advice}"

    def document(self) -> dict[str, Any]:
        """The failure as an entry of the document's `errors`."""
        return {
            "class": self.error_class,
            "message": self.message,
            "advice": self.advice,
            "file": None,
            "line": None,
            "key": None,
            "stack": self.stack or None,
        }


@dataclass(frozen=True)
class RunReport:
    """A whole run of `plan`, `apply` or `destroy`. The messages of `failures` are among the notes."""

    command: str
    run: RunInfo
    stacks: tuple[StackReport, ...]
    detailed: bool = False
    interrupted: bool = False
    notes: tuple[str, ...] = ()
    failures: tuple[RunFailure, ...] = ()

    @property
    def exit_code(self) -> int:
        """The run's code: the most serious of its stacks'; 130 when Ctrl-C came before anything changed."""
        applying = self.command != "plan"
        codes = [stack.exit_code(applying=applying, detailed=self.detailed) for stack in self.stacks]
        code = exit_code_of([*codes, *([int(Exit.ERROR)] if self.failures else [])])
        changed = any(stack.has_applied for stack in self.stacks)
        if self.interrupted:
            return int(Exit.PARTIAL) if changed else int(Exit.INTERRUPTED)
        return code

    def by_attention(self) -> tuple[StackReport, ...]:
        """The stacks, failures first; within one result in the run's own order."""
        return tuple(sorted(self.stacks, key=lambda stack: ORDER_OF_ATTENTION.index(stack.result)))

    def document(self) -> dict[str, Any]:
        """The whole `--json` document except its version, which the writer adds."""
        return {
            "run": self.run.document(),
            "stacks": [stack.document() for stack in self.stacks],
            "costs": cost_documents(sum_by_environment(self.stacks)),
            "errors": [
                *(error_of(stack) for stack in self.stacks if stack.error_class),
                *(failure.document() for failure in self.failures),
            ],
        }


def sum_by_environment(stacks: Iterable[StackReport]) -> dict[str, MonthlyCost]:
    """What the plans of stacks change of each environment's monthly cost; empty where none was estimated."""
    planned = [stack for stack in stacks if stack.cost or stack.result in ("changed", "blocked")]
    return costs_of_environments((stack.environment, stack.id, stack.cost) for stack in planned)


def cost_documents(costs: Mapping[str, MonthlyCost]) -> list[dict[str, Any]]:
    """Costs by environment as they stand in `--json`."""
    return [{"environment": environment, **cost.document()} for environment, cost in costs.items()]


def error_of(stack: StackReport) -> dict[str, Any]:
    """A failed stack as an entry of the document's `errors`."""
    diagnostic: Mapping[str, Any] = stack.diagnostics[0] if stack.diagnostics else {}
    return {
        "class": stack.error_class,
        "message": stack.reason,
        "advice": stack.advice,
        "file": diagnostic.get("file"),
        "line": diagnostic.get("line"),
        "key": None,
        "stack": stack.id,
    }
