"""The facts of one run: what it works on, how it masks, where it reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.engine.folders import Folders
from orchestrator.engine.ports import Progress
from orchestrator.masking import NO_SECRETS, Masker, SecretSet
from orchestrator.process import Supervisor
from orchestrator.report.model import RunFailure, RunInfo, RunReport, StackReport
from orchestrator.repository import graph
from orchestrator.repository.advice import advice_for
from orchestrator.repository.model import Project, Stack
from orchestrator.repository.selection import select, select_one


@dataclass(frozen=True)
class RunContext:
    """What a run works on and where it reports; shared by its threads.

    `environ` is the environment without what the CLI configuration withholds, `secrets` are those among the
    input variables, `workers` is how many stacks run at once unless `requested_workers` or infra.yaml says
    otherwise, `began` is `time.monotonic()` at the start. `link_trace` gets the `traceparent` of each run
    whose approved plans this run compares with, `trace_step` each step of a stack that is no command.
    """

    project: Project
    info: RunInfo
    environ: Mapping[str, str]
    folders: Folders
    masker: Masker
    progress: Progress
    supervisor: Supervisor
    workers: int
    requested_workers: int | None = None
    secrets: SecretSet = NO_SECRETS
    link_trace: Callable[[str], None] = lambda traceparent: None
    trace_step: Callable[[str, str, float, str], None] = lambda stack, name, seconds, error: None
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, stack: str, name: str) -> Iterator[None]:
        """A step of a stack, which traces show."""
        started, error = time.monotonic(), ""
        try:
            yield
        except Exception as raised:
            error = type(raised).__name__
            raise
        finally:
            self.trace_step(stack, name, time.monotonic() - started, error)

    def select(self, names: Sequence[str], cwd: Path) -> tuple[str, ...]:
        """The stacks that names, typed in the folder `cwd`, mean; UsageError for one that means nothing."""
        return select(self.project, names, cwd)

    def select_one(self, name: str, cwd: Path) -> Stack:
        """The one stack that a name, typed in the folder `cwd`, means; UsageError when it means several."""
        id_ = select_one(self.project, name, cwd)
        self.project.require([id_])
        return self.project.stacks[id_]

    def workers_in(self, environment: str) -> int:
        """How many stacks of an environment run at once: as requested, as configured, else one per core."""
        configured = self.project.config.environment(environment).parallelism
        return self.requested_workers or configured or self.workers

    def protected(self, stacks: Iterable[str]) -> tuple[str, ...]:
        """The protected environments among those of the stacks, in promotion order."""
        names = {self.project.stacks[id].environment for id in stacks}
        order = self.project.order
        return tuple(n for n in order.all if n in names and self.project.config.is_protected(n, order))

    def in_order(self, stacks: Iterable[str]) -> list[str]:
        """Stack ids in promotion order, and by name inside an environment; the order of every report."""
        positions = {name: position for position, name in enumerate(self.project.order.all)}
        project = self.project.stacks
        return sorted(
            stacks,
            key=lambda id: (positions[project[id].environment] if id in project else len(positions), id),
        )

    def prerequisites(self, stacks: Iterable[str], *, destroy: bool) -> dict[str, set[str]]:
        """For each stack what must end before it starts: what it reads, or for `destroy` what reads it."""
        selected = set(stacks)
        needs = self.project.prerequisites()
        if destroy:
            needs = {id: set(readers) for id, readers in graph.dependants(needs).items()}
        return graph.restrict(needs, selected)

    def mask(self, text: str, secrets: SecretSet = NO_SECRETS) -> str:
        """A text without secrets: those given, those among the input variables, and what looks like one."""
        return self.masker.mask_text(text, self.secrets | secrets)

    def report(
        self,
        command: str,
        stacks: Iterable[StackReport],
        *,
        detailed: bool = False,
        notes: Sequence[str] = (),
        failures: Sequence[RunFailure] = (),
    ) -> RunReport:
        """The run so far as a report."""
        return RunReport(
            command,
            replace(self.info, seconds=time.monotonic() - self.began),
            tuple(self._with_advice(stack) for stack in stacks),
            detailed=detailed,
            interrupted=self.supervisor.interrupted,
            notes=(
                *(advice_for(self.project, note) for note in notes),
                *(failure.note() for failure in failures),
            ),
            failures=tuple(failures),
        )

    def _with_advice(self, report: StackReport) -> StackReport:
        """The report with the commands in its advice and notes as they work for the stack."""
        notes = tuple(advice_for(self.project, note) for note in report.notes)
        return replace(report, advice=advice_for(self.project, report.advice), notes=notes)
