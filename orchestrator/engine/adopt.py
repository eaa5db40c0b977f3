"""`infra adopt`: records stacks as applied that were applied before infra, or without it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.engine.failures import failure
from orchestrator.engine.pipeline import RunRequest, plan_all
from orchestrator.engine.recorder import LedgerRecorder
from orchestrator.engine.session import Session
from orchestrator.engine.states import States
from orchestrator.errors import InfraError
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.layout_survey import name_folders, root_modules
from orchestrator.repository.model import Project

STATE_ENDING = ".tfstate"


@dataclass(frozen=True)
class Unmanaged:
    """What no stack manages: folders of root modules, `gs://` URLs of states, and buckets of the stacks that
    may not be listed, so that their states are not known."""

    roots: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    unlisted_buckets: tuple[str, ...] = ()

    def document(self) -> dict[str, list[str]]:
        """As `--json` has it."""
        return {
            "roots": list(self.roots),
            "states": list(self.states),
            "unlisted_buckets": list(self.unlisted_buckets),
        }


class Adoption(Enum):
    """What became of a stack: its name in the summary, and the reason in the stack's report."""

    ADOPTED = ("Adopted", "adopted: the ledger has this commit as applied")
    WOULD_ADOPT = ("Would be adopted", "its plan is empty: it would be adopted")
    NO_STATE = ("Never applied", "it has no state: there is nothing to adopt")
    HAS_CHANGES = ("Has changes", "its plan is not empty: what is there is not what this commit says")

    @property
    def title(self) -> str:
        """Its name in the summary."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """What the report of the stack says."""
        return self.value[1]


@dataclass(frozen=True)
class AdoptionResult:
    """A stack's report; `adoption` is None where it was not planned, or not recorded."""

    report: StackReport
    adoption: Adoption | None = None

    @property
    def title(self) -> str:
        """The name of its group in the summary."""
        return self.adoption.title if self.adoption else f"Not adopted, {self.report.result}"


def adopt(
    session: Session, recorder: LedgerRecorder, stacks: Sequence[str], *, dry_run: bool = False
) -> tuple[RunReport, Unmanaged]:
    """Plan; where nothing would change, record that this commit is what is applied.

    With `dry_run` nothing is recorded. The notes of the report count what is adopted, what has changes, and
    what no stack manages.
    """
    planned = plan_all(session, RunRequest(tuple(stacks), recorder.options))
    results = [
        _dry_run(session, plan.report) if dry_run else _adopt(session, recorder, plan.report)
        for plan in planned.values()
    ]
    notes = [] if dry_run else list(recorder.save())
    unmanaged = find_unmanaged(session.context.project, session.memory.states)
    notes += [*summarize(results), *describe_unmanaged(unmanaged)]
    return session.context.report("adopt", [result.report for result in results], notes=notes), unmanaged


def _result(report: StackReport, adoption: Adoption) -> AdoptionResult:
    return AdoptionResult(replace(report, reason=adoption.reason), adoption)


def _adopt(session: Session, recorder: LedgerRecorder, report: StackReport) -> AdoptionResult:
    stack = session.context.project.stacks[report.id]
    if report.result not in ("changed", "unchanged") or session.context.supervisor.interrupted:
        return AdoptionResult(report)
    try:
        is_applied = has_state(session.context.project, session.memory.states, report)
        if report.result == "changed":
            blocked = replace(report, result="blocked", advice=f"`infra apply {report.id}` instead.")
            return _result(blocked, Adoption.HAS_CHANGES if is_applied else Adoption.NO_STATE)
        if not is_applied:
            return _result(report, Adoption.NO_STATE)
        with recorder.claim(stack) as claim:
            recorder.applied(claim, "adopted")
            recorder.note(claim, report)
    except InfraError as error:
        return AdoptionResult(failure(session, stack, error))
    return _result(report, Adoption.ADOPTED)


def _dry_run(session: Session, report: StackReport) -> AdoptionResult:
    if report.result not in ("changed", "unchanged"):
        return AdoptionResult(report)
    stack = session.context.project.stacks[report.id]
    try:
        if not has_state(session.context.project, session.memory.states, report):
            return _result(report, Adoption.NO_STATE)
    except InfraError as error:
        return AdoptionResult(failure(session, stack, error))
    return _result(report, Adoption.HAS_CHANGES if report.result == "changed" else Adoption.WOULD_ADOPT)


def has_state(project: Project, states: States, report: StackReport) -> bool:
    """Whether a stack was applied: it has a state, or one whose location is not known.

    Terraform's gcs backend creates an empty state when it is first asked for one; where the plan has changes,
    such a state counts as none.
    """
    stack = project.stacks[report.id]
    if states.location(stack) is None:
        return True
    head = states.head(stack)
    return head is not None and not (head.is_empty and report.result == "changed")


def summarize(results: Iterable[AdoptionResult]) -> list[str]:
    """One line for each kind of outcome that occurred, with the stacks."""
    groups: dict[str, list[str]] = {}
    for result in results:
        groups.setdefault(result.title, []).append(result.report.id)
    return [f"{title}: {len(groups[title])} ({name_folders(groups[title])})" for title in sorted(groups)]


def find_unmanaged(project: Project, states: States) -> Unmanaged:
    """The root modules that are no stacks, and the states beside those of the stacks that belong to none.

    Each bucket is listed below the folder that all its states share.
    """
    managed = {stack.path for stack in project.stacks.values()}
    roots = tuple(path for path in root_modules(project.coverage.source) if path not in managed)
    names: dict[str, set[str]] = {}
    for location in filter(None, map(states.location, project.stacks.values())):
        if location.is_remote:
            names.setdefault(location.bucket, set()).add(location.name)
    strangers: list[str] = []
    unlisted = []
    for bucket, known in sorted(names.items()):
        folders = [posixpath.dirname(posixpath.dirname(name)) for name in known]
        prefix = posixpath.commonpath(folders) if all(folders) else ""
        try:
            blobs = states.bucket(states.at(f"gs://{bucket}/")).list(f"{prefix}/" if prefix else "")
            objects = {blob.name for blob in blobs if blob.name.endswith(STATE_ENDING)}
        except InfraError:
            unlisted.append(bucket)
            continue
        strangers += [f"gs://{bucket}/{name}" for name in sorted(objects - known)]
    return Unmanaged(roots, tuple(strangers), tuple(unlisted))


def describe_unmanaged(unmanaged: Unmanaged) -> list[str]:
    """Sentences about root modules that are no stacks, and states that belong to no stack."""
    roots, states, buckets = unmanaged.roots, unmanaged.states, unmanaged.unlisted_buckets
    notes = []
    if roots:
        notes.append(f"Unmanaged root modules, which are no stacks: {len(roots)} ({name_folders(roots)})")
    if states:
        notes.append(f"Unmanaged states, which belong to no stack: {len(states)} ({name_folders(states)})")
    if buckets:
        names = name_folders([f"gs://{name}" for name in buckets])
        notes.append(f"Not searched for unmanaged states, since they could not be listed: {names}")
    return notes
