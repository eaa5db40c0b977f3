"""The report of module tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import Exit
from orchestrator.report.model import RunInfo

# `untested`: it has no tests. `hollow`: a test file of it asserts nothing.
ModuleResult = Literal["passed", "failed", "untested", "hollow", "interrupted"]
ATTENTION: tuple[ModuleResult, ...] = ("failed", "hollow", "untested", "interrupted", "passed")


@dataclass(frozen=True)
class ModuleProblem:
    """Why something failed, and where: `file` is a path from the project's root."""

    summary: str
    detail: str = ""
    file: str | None = None
    line: int | None = None

    @property
    def location(self) -> str:
        """`file:line` as far as it is known."""
        return ":".join(str(part) for part in (self.file, self.line) if part)

    def document(self) -> dict[str, Any]:
        """As it stands in `--json`."""
        return {"summary": self.summary, "detail": self.detail, "file": self.file, "line": self.line}


@dataclass(frozen=True)
class CheckedRun:
    """One `run` block of a test file; `status` is Terraform's: pass, fail, error or skip."""

    file: str
    name: str
    status: str
    seconds: float
    line: int | None = None
    problems: tuple[ModuleProblem, ...] = ()

    def document(self) -> dict[str, Any]:
        """As it stands in `--json`."""
        return {
            "file": self.file,
            "name": self.name,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "line": self.line,
            "problems": [problem.document() for problem in self.problems],
        }


@dataclass(frozen=True)
class CheckedModule:
    """One module. `id` is its path; `cached` says that the result is an earlier one, of the same content."""

    id: str
    result: ModuleResult
    reason: str = ""
    advice: str = ""
    seconds: float = 0.0
    runs: tuple[CheckedRun, ...] = ()
    problems: tuple[ModuleProblem, ...] = ()
    cached: bool = False

    def count(self, *statuses: str) -> int:
        """How many runs ended in one of these ways."""
        return sum(run.status in statuses for run in self.runs)

    @property
    def all_problems(self) -> tuple[ModuleProblem, ...]:
        """The module's own and those of its runs; equal ones once."""
        problems = (*self.problems, *(problem for run in self.runs for problem in run.problems))
        return tuple(dict.fromkeys(problems))

    def document(self) -> dict[str, Any]:
        """As it stands in `--json`."""
        return {
            "id": self.id,
            "result": self.result,
            "reason": self.reason,
            "advice": self.advice,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "runs": [run.document() for run in self.runs],
            "problems": [problem.document() for problem in self.problems],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> CheckedModule:
        """The module that `document()` made."""
        runs = tuple(
            CheckedRun(**{**run, "problems": tuple(ModuleProblem(**problem) for problem in run["problems"])})
            for run in document["runs"]
        )
        problems = tuple(ModuleProblem(**problem) for problem in document["problems"])
        return cls(**{**document, "runs": runs, "problems": problems})


@dataclass(frozen=True)
class ModulesReport:
    """All modules of one `infra test`; `notes` say what the results do not.

    A module without tests is a warning, unless tests are `required`.
    """

    run: RunInfo
    modules: tuple[CheckedModule, ...]
    simulated: bool = False
    notes: tuple[str, ...] = ()
    required: bool = False

    @property
    def exit_code(self) -> int:
        """0 when every module passed; 130 when the run was interrupted and nothing failed."""
        results = {module.result for module in self.modules}
        if any(self.is_wrong(module) for module in self.modules):
            return int(Exit.ERROR)
        return int(Exit.INTERRUPTED) if "interrupted" in results else int(Exit.OK)

    def is_wrong(self, module: CheckedModule) -> bool:
        """Whether a module is a reason to fail."""
        return module.result in ("failed", "hollow") or (self.required and module.result == "untested")

    def by_attention(self) -> tuple[CheckedModule, ...]:
        """What went wrong first."""
        return tuple(sorted(self.modules, key=lambda module: ATTENTION.index(module.result)))

    def document(self) -> dict[str, Any]:
        """The `--json` document except its version, which the writer adds."""
        return {
            "run": self.run.document(),
            "stacks": [],
            "simulated": self.simulated,
            "modules": [module.document() for module in self.modules],
            "notes": list(self.notes),
            "errors": [
                _error(module)
                for module in self.modules
                if self.is_wrong(module) or module.result == "interrupted"
            ],
        }


def _error(module: CheckedModule) -> dict[str, Any]:
    first = next(iter(module.all_problems), ModuleProblem(module.reason))
    return {
        "class": "TerraformError",
        "message": f"{module.id}: {module.reason or first.summary}",
        "advice": module.advice,
        "file": first.file,
        "line": first.line,
        "key": None,
        "stack": None,
    }
