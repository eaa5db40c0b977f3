"""The files in which jobs hand on what report hooks wrote, and which of them are accepted.

A report hook may be code of the pull request, so all of a file may be forged. What it says is shown as such,
below the name of a hook that trunk has; anything else is left out with a note.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.config.hooks import Hook, HookOwner
from orchestrator.engine.job_reports import VERSION, find_artifacts, read_document, unreadable_report
from orchestrator.errors import UsageError
from orchestrator.forge.event import Event
from orchestrator.json_values import from_json
from orchestrator.report.review import HookReport
from orchestrator.report.untrusted_markdown import LARGEST
from orchestrator.review.pull_request.scope import ChangeScope

PREFIX = "hook-reports"
KIND = "hook-reports"
ARTIFACT_PREFIX = "infra-"
MISSING = "no job reported it: see its job; `infra init --force` writes the workflow that runs it"
_MOST_BYTES = 4 * 1024 * 1024
_LONGEST_PROBLEM = 400
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class DueHook:
    """A report hook that has to run for a change: of an environment, or of a `stack`."""

    environment: str
    stack: str
    hook: Hook

    @property
    def owner(self) -> HookOwner:
        """What the hook belongs to."""
        return HookOwner(self.environment, self.stack)

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others."""
        return self.environment, self.stack, self.hook.name

    def report(self, *, markdown: str = "", problem: str = "") -> HookReport:
        """The hook's report, or what went wrong with it."""
        return HookReport(self.hook.name, self.environment, self.stack, self.hook.code, markdown, problem)


@dataclass(frozen=True)
class HookReports:
    """The reports of one job, for one head; `artifact` is the folder that holds the file."""

    pull_request: int
    head: str
    commit: str
    code: str
    reports: tuple[HookReport, ...]
    artifact: str = field(default="", compare=False)


def find_due_hooks(scope: ChangeScope, environments: Sequence[str]) -> tuple[DueHook, ...]:
    """The report hooks of trunk's infra.yaml for what a change affects in some environments."""
    due = []
    for name in environments:
        ids = scope.part([name]).expected
        owners = [scope.rules.environment_hooks(name), *(scope.rules.stack_hooks(name, id_) for id_ in ids)]
        due += [DueHook(name, owner.stack, hook) for owner in owners if ids for hook in owner.hooks.report]
    return tuple(due)


def write_hook_reports(folder: Path, reports: HookReports) -> Path:
    """Writes `DIR/hook-reports-CODE.json`; creates the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PREFIX}-{reports.code}.json"
    content = {"version": VERSION, "kind": KIND, **asdict(reports)}
    write_private(path, json.dumps(content, separators=(",", ":")).encode())
    return path


def read_hook_reports(folders: Iterable[Path]) -> tuple[tuple[HookReports, ...], tuple[str, ...]]:
    """Reads every file of reports in and below some folders, and a note for each that cannot be read."""
    files: list[HookReports] = []
    notes: list[str] = []
    for path, artifact in find_artifacts(folders, PREFIX).items():
        try:
            document = read_document(path, KIND, _MOST_BYTES)
            files.append(replace(_read(path, document), artifact=artifact))
        except UsageError as error:
            notes.append(f"Reports{f' in {artifact}' if artifact else ''} were left out. {error.message}.")
    return tuple(files), tuple(notes)


def _read(path: Path, document: object) -> HookReports:
    try:
        return from_json(HookReports, document)
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable_report(path, error) from error


def validate_hook_reports(
    scope: ChangeScope, event: Event | None, files: Sequence[HookReports], mask: Callable[[str], str]
) -> tuple[tuple[HookReport, ...], tuple[str, ...]]:
    """One report for each hook that is due, and a note for each file that was left out.

    A hook that no accepted file reports has a report that says so.
    """
    accepted: dict[tuple[str, str, str], HookReport] = {}
    notes = []
    due = {each.key: each for each in find_due_hooks(scope, scope.environments)}
    for file in files:
        why = explain_rejection(scope, event, file, due)
        if why:
            notes.append(f"Reports{f' in {file.artifact}' if file.artifact else ''} were left out: {why}.")
            continue
        for report in file.reports:
            accepted.setdefault((report.environment, report.stack, report.name), _cleaned(report, mask))
    reports = tuple(accepted.get(key) or each.report(problem=MISSING) for key, each in due.items())
    return reports, tuple(notes)


def explain_rejection(
    scope: ChangeScope,
    event: Event | None,
    file: HookReports,
    due: dict[tuple[str, str, str], DueHook],
) -> str:
    """Why a file is left out, as a clause; empty if it is accepted."""
    if (file.head, file.commit) != (scope.planned.head, scope.planned.commit):
        return "they are of another commit"
    if event and file.pull_request != (event.pull_request or 0):
        return "they are of another pull request"
    if file.artifact.startswith(ARTIFACT_PREFIX) and file.artifact != f"infra-report-{file.code}":
        return "another job than that of the reports wrote them"
    for report in file.reports:
        hook = due.get((report.environment, report.stack, report.name))
        if hook is None or (hook.hook.code, report.code) != (file.code, file.code):
            return "they name a hook that trunk does not have"
        if len(report.markdown.encode(errors="replace")) > LARGEST:
            return "one is too long"
    return ""


def _cleaned(report: HookReport, mask: Callable[[str], str]) -> HookReport:
    """A report without secrets and control characters."""
    markdown, problem = (_CONTROL.sub("", mask(part)) for part in (report.markdown, report.problem))
    return replace(report, markdown=markdown, problem=problem[:_LONGEST_PROBLEM])
