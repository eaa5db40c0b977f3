"""The facts of one run: what it works on, how it masks, where it reports."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.engine.folders import Folders
from orchestrator.engine.ports import Progress
from orchestrator.errors import UsageError
from orchestrator.masking import NO_SECRETS, Masker, SecretSet
from orchestrator.process import Supervisor
from orchestrator.project import graph
from orchestrator.project.model import Project, Stack
from orchestrator.project.select import select
from orchestrator.report.model import RunInfo, RunReport, StackReport


@dataclass(frozen=True)
class RunContext:
    """What a run works on and where it reports; shared by its threads.

    `environ` is the environment without what the CLI configuration withholds, `secrets` are those among the
    input variables, `workers` is how many stacks run at once unless `requested_workers` or infra.yaml says
    otherwise, `began` is `time.monotonic()` at the start.
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
    began: float = field(default_factory=time.monotonic)

    def select(self, names: Sequence[str], cwd: Path | None = None) -> tuple[str, ...]:
        """The stacks that names on the command line mean; UsageError for one that means nothing."""
        return select(self.project, names, cwd)

    def one(self, name: str) -> Stack:
        """The one stack that a name means; UsageError when it means several."""
        found = self.select([name])
        if len(found) != 1:
            raise UsageError(
                f"{name} means {len(found)} stacks.", advice=f"Name one: {', '.join(found[:5])}."
            )
        self.project.require(found)
        return self.project.stacks[found[0]]

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
        places = {name: place for place, name in enumerate(self.project.order.all)}
        project = self.project.stacks
        return sorted(
            stacks, key=lambda id: (places[project[id].environment] if id in project else len(places), id)
        )

    def prerequisites(self, stacks: Iterable[str], *, destroy: bool) -> dict[str, set[str]]:
        """For each stack what must end before it starts: what it reads, or for `destroy` what reads it."""
        wanted = set(stacks)
        needs = self.project.prerequisites()
        if destroy:
            needs = {id: set(readers) for id, readers in graph.dependants(needs).items()}
        return graph.restrict(needs, wanted)

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
    ) -> RunReport:
        """The run so far as a report."""
        return RunReport(
            command,
            replace(self.info, seconds=time.monotonic() - self.began),
            tuple(stacks),
            detailed=detailed,
            interrupted=self.supervisor.interrupted,
            notes=tuple(notes),
        )
