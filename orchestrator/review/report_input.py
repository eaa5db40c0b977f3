"""What report hooks run on: facts about a change, and the files of trunk and of the change.

A job without any permission cannot check a repository out. So a job that may read packs both sides into a
folder, and the job that runs the hooks unpacks it.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.atomic_files import write_private
from orchestrator.config.hooks import EVENTS
from orchestrator.engine.hooks import HookCode, HookProcess, HookRun
from orchestrator.engine.job_reports import VERSION, read_document, unreadable_report
from orchestrator.errors import UsageError
from orchestrator.forge.event import Event
from orchestrator.json_values import from_json
from orchestrator.report.review import HookReport
from orchestrator.report.untrusted_markdown import LARGEST
from orchestrator.repository.git import Repository
from orchestrator.review.hook_reports import DueHook, find_due_hooks
from orchestrator.review.plan_reports import PlanReport
from orchestrator.review.pull_request.scope import ChangeScope

FILE = "input.json"
KIND = "report-input"
REPORT = EVENTS[-1]


@dataclass(frozen=True)
class ReportInput:
    """The facts about a change: its commits, the hooks that are due, and the affected stacks by environment.

    `prefix` is the project's folder in the repository, with a slash at its end.
    """

    pull_request: int
    head: str
    commit: str
    base: str
    prefix: str
    hooks: tuple[DueHook, ...]
    stacks: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class ChangeFolders:
    """The project's root in the files of trunk, and in those of the change."""

    base: Path
    head: Path


def make_input(scope: ChangeScope, event: Event | None, environments: Sequence[str]) -> ReportInput:
    """The input for a change, in some environments."""
    return ReportInput(
        pull_request=(event.pull_request if event else None) or 0,
        head=scope.planned.head,
        commit=scope.planned.commit,
        base=scope.planned.base or "",
        prefix=scope.project.repository.prefix,
        hooks=find_due_hooks(scope, environments),
        stacks={name: scope.part([name]).expected for name in environments},
    )


def pack(folder: Path, data: ReportInput, repository: Repository) -> None:
    """Writes the input and, where a hook is due, the files of both sides into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"version": VERSION, "kind": KIND, **asdict(data)}
    write_private(folder / FILE, json.dumps(content, separators=(",", ":")).encode())
    if not data.hooks:
        return
    with checked_out(repository, {"base": data.base, "head": data.commit}) as folders:
        for side, top in folders.items():
            path = top / data.prefix
            with tarfile.open(folder / f"{side}.tar", "w") as archive:
                archive.add(path, ".", filter=lambda member: None if member.name == "./.git" else member)


@contextmanager
def checked_out(repository: Repository, commits: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Checkouts of some commits by name, outside of the working tree; removed at the end."""
    with TemporaryDirectory(prefix="infra-report-") as temporary:
        folders = {side: Path(temporary, side) for side in commits}
        try:
            for side, folder in folders.items():
                repository.add_worktree(commits[side], folder)
            yield folders
        finally:
            for side, folder in folders.items():
                repository.remove_worktree(commits[side], folder)


@contextmanager
def unpacked(folder: Path) -> Iterator[tuple[ReportInput, ChangeFolders]]:
    """The input of a folder that `pack` wrote, with both sides' files; removed at the end."""
    path = folder / FILE
    document = read_document(path, KIND)
    try:
        data = from_json(ReportInput, document)
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable_report(path, error) from error
    with TemporaryDirectory(prefix="infra-report-") as temporary:
        folders = {side: Path(temporary, side) for side in ("base", "head")}
        for side, into in folders.items() if data.hooks else ():
            into.mkdir()
            try:
                with tarfile.open(folder / f"{side}.tar") as archive:
                    _extract(archive, into)
            except (OSError, tarfile.TarError) as error:
                raise UsageError(
                    f"{side}.tar cannot be unpacked: {error}.",
                    advice="`infra ci report --pack DIR` makes it.",
                ) from error
        yield data, ChangeFolders(folders["base"], folders["head"])


def _extract(archive: tarfile.TarFile, into: Path) -> None:
    """Unpacks an archive; nothing of it lands outside of the folder. Raises tarfile.TarError.

    The first releases of Python 3.11 lack `filter`; there each member is looked at here.
    """
    if hasattr(tarfile, "tar_filter"):
        archive.extractall(into, filter="tar")
        return
    links: set[PurePosixPath] = set()
    for member in archive:
        path = PurePosixPath(member.name)
        is_inside = not path.is_absolute() and ".." not in path.parts and links.isdisjoint(path.parents)
        if not is_inside or not (member.isfile() or member.isdir() or member.issym()):
            raise tarfile.ExtractError(f"{member.name!r} is no file in it")
        if member.issym():
            links.add(path)
        member.mode &= 0o755
        archive.extract(member, into)


def run_report_hooks(
    process: HookProcess, data: ReportInput, folders: ChangeFolders, code: str, plans: Sequence[PlanReport]
) -> tuple[HookReport, ...]:
    """Runs the hooks that are due with the code of one side, one after the other.

    `plans` are what plan jobs reported, for the hooks to read.
    """
    planned = {stack.id: stack.report.document() for plan in plans for stack in plan.review.stacks}
    facts = {
        "BASE": data.base,
        "COMMIT": data.commit,
        "BASE_FILES": str(folders.base),
        "HEAD_FILES": str(folders.head),
        "PULL_REQUEST": str(data.pull_request or ""),
    }
    trusted = HookCode(folders.base, folders.head)
    sides = {"base": trusted, "head": HookCode(folders.head, None)}
    reports = []
    for due in data.hooks:
        if due.hook.code != code:
            continue
        run = HookRun(REPORT, due.owner, _stacks(data, due, planned), facts)
        outcome = process.run(due.hook, run, sides[code])
        too_long = len(outcome.output.encode(errors="replace")) > LARGEST
        problem = outcome.problem or (f"it is longer than {LARGEST:,} bytes" if too_long else "")
        reports.append(due.report(markdown="" if problem else outcome.output, problem=problem))
    return tuple(reports)


def _stacks(data: ReportInput, due: DueHook, planned: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stacks that a hook is about: as they were planned, else by their names."""
    ids = (due.stack,) if due.stack else data.stacks.get(due.environment, ())
    return [planned.get(id_) or {"id": id_, "environment": due.environment} for id_ in ids]
