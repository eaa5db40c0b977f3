"""Runs of the shipped apply workflow against the sandbox's GitHub: its jobs' order, gates and queues.

The jobs' conditions, environments and concurrency groups are read from the workflow itself; what they execute
is the command that it names, in a job of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from orchestrator.sandbox.github import runs
from tests.support.ci import CiProject
from tests.support.cli import InfraResult
from tests.support.merging import LOOK, REPORT_RIGHTS
from tests.support.workflows import SOURCE, read_yaml

RIGHTS = {"plan": LOOK, "apply": LOOK, "ask": REPORT_RIGHTS, "tell": REPORT_RIGHTS}
_EXPRESSION = re.compile(r"\$\{\{(.*)\}\}", re.DOTALL)


@dataclass
class Rollout:
    """One run of infra-apply for trunk as it is now; `advance` plays its jobs as far as they can get.

    `outcomes` has the result of each job that ended, `outputs` those of compare jobs, `ran` what the commands
    printed, by job.
    """

    ci: CiProject
    target: WorkflowTarget
    outcomes: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    ran: dict[str, InfraResult] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.jobs: dict[str, Any] = read_yaml(
            render(self.target, SOURCE)[".github/workflows/infra-apply.yml"]
        )["jobs"]
        self.commit = self.ci.github.trunk
        with self.ci.github.locked_repository as repository:
            self.run = runs.start_run(repository, "infra-apply.yml", "push", "main", self.commit, "olga").id

    def advance(self) -> None:
        """Start every job whose turn it is, and execute what may begin, until nothing more happens."""
        progress = True
        while progress:
            progress = False
            for name, job in self.jobs.items():
                if name in self.outcomes or not self._is_due(job):
                    continue
                if name not in self.open and not self._condition(job):
                    self.outcomes[name] = "skipped"
                elif self._begins(name, job):
                    self._finish(name, self._execute(name))
                else:
                    continue
                progress = True

    def approve(self, environment: str, by: str) -> None:
        """Approve the gate of an environment as one of its reviewers."""
        with self.ci.github.locked_repository as repository:
            runs.review_run(repository, self.run, f"{environment}-approval", by)

    def waiting(self) -> list[str]:
        """The jobs that wait, for reviewers or for their turn."""
        return [name for name in self.open if self._status(name) in ("waiting", "queued")]

    def _is_due(self, job: Mapping[str, Any]) -> bool:
        return all(name in self.outcomes for name in _names(job.get("needs")))

    def _condition(self, job: Mapping[str, Any]) -> bool:
        """The job's `if`, for a push: no input is given, nothing was cancelled."""
        match = _EXPRESSION.search(str(job.get("if", "${{ true }}")))
        text = match[1] if match else str(job["if"])
        needs = {
            name: {"result": self.outcomes[name], "outputs": self.outputs.get(name, {})}
            for name in _names(job.get("needs"))
        }
        names = {
            "value": lambda path: _value(path, needs),
            "cancelled": lambda: False,
            "always": lambda: True,
        }
        return bool(eval(_python(text), names))  # noqa: S307 - a condition of our own workflow

    def _begins(self, name: str, job: Mapping[str, Any]) -> bool:
        """Whether a job is in progress, started on GitHub first when it was not."""
        if name not in self.open:
            concurrency = job.get("concurrency") or {}
            with self.ci.github.locked_repository as repository:
                self.open[name] = runs.start_job(
                    repository,
                    self.run,
                    name,
                    environment=job.get("environment", ""),
                    group=concurrency.get("group", ""),
                    queue=concurrency.get("queue", "single"),
                ).id
        return self._status(name) == "in_progress"

    def _status(self, name: str) -> str:
        with self.ci.github.locked_repository as repository:
            run = runs.find_run(repository.repository, self.run)
            return next(job.status for job in run.jobs if job.id == self.open[name])

    def _finish(self, name: str, conclusion: str) -> None:
        with self.ci.github.locked_repository as repository:
            runs.finish_job(repository, self.run, self.open.pop(name), conclusion)
        self.outcomes[name] = conclusion

    def _execute(self, name: str) -> str:
        kind, _, environment = name.partition("-")
        if kind == "gate":
            return "success"
        compared, applied = (self.ci.folder / f"{what}-{self.run}-{environment}" for what in ("ask", "tell"))
        report = {
            "plan": compared / f"infra-compare-{environment}",
            "apply": applied / f"infra-apply-{environment}",
        }
        command: tuple[str, ...]
        match kind:
            case "plan":
                command = ("compare", environment, "--report", str(report["plan"]))
            case "apply":
                ticket = self._ticket(environment)
                command = ("apply", environment, "--gate", ticket, "--report", str(report["apply"]))
            case "tell":
                pending = self.outputs.get(f"plan-{environment}", {}).get("pending", "")
                command = ("comment", str(applied), "--environment", environment, "--pending", pending)
            case _:
                command = ("comment", str(compared))
        output = self.ci.folder / f"output-{self.run}-{name}"
        more = {"GITHUB_RUN_ID": str(self.run), "GITHUB_OUTPUT": str(output), "GITHUB_SHA": self.commit}
        infra = self.ci.job(0, event="push", rights=RIGHTS[kind], commit=self.commit, **more)
        self.ran[name] = infra("ci", *command)
        self.outputs[name] = _outputs(output)
        return "success" if self.ran[name].code == 0 else "failure"

    def _ticket(self, environment: str) -> str:
        """What the apply job is given: the seal, if the gate was passed."""
        passed = self.outcomes.get(f"gate-{environment}") == "success"
        return self.outputs[f"plan-{environment}"]["ticket"] if passed else ""


def _names(needs: Any) -> list[str]:
    return [needs] if isinstance(needs, str) else list(needs or ())


def _python(text: str) -> str:
    """An expression of GitHub Actions as one of Python."""
    words = re.compile(r"'[^']*'|[a-z][\w.-]*\b(?!\()|&&|\|\||!(?!=)")
    swap = {"&&": " and ", "||": " or ", "!": " not ", "true": "True"}

    def word(match: re.Match[str]) -> str:
        python = match[0]
        if python.startswith("'") or python in ("cancelled", "always"):
            return python
        return swap.get(python) or f"value({python!r})"

    return "(" + words.sub(word, text).replace("\n", " ") + ")"


def _value(path: str, needs: Mapping[str, Any]) -> str:
    """A context's value; what is not there is empty, as are all inputs of a push."""
    value: Any = {"needs": needs, "inputs": {}}
    for part in path.split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    return value if isinstance(value, str) else ""


def _outputs(path: Path) -> dict[str, str]:
    """The outputs that a step wrote, in both of their spellings."""
    outputs: dict[str, str] = {}
    lines = iter(path.read_text().splitlines() if path.exists() else ())
    for line in lines:
        name, delimiter, end = line.partition("<<")
        if delimiter and "=" not in name:
            value: list[str] = []
            while (text := next(lines)) != end:
                value.append(text)
            outputs[name] = "\n".join(value)
        elif "=" in line:
            name, _, rest = line.partition("=")
            outputs[name] = rest
    return outputs
