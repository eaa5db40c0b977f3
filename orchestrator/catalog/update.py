"""Updates folders that were made from templates: three-way, so that own changes stay."""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.atomic_files import path_below, write_below
from orchestrator.catalog.entries import CatalogEntry, find_entry, template_folder
from orchestrator.catalog.record import RECORD_FILE, TemplateRecord, parse_record, record_rendering
from orchestrator.catalog.rendering import Rendering, RenderRequest, read_questions, render_template
from orchestrator.errors import ProjectError
from orchestrator.report.escape import code
from orchestrator.repository.model import Project

# Three contents of a file (ours, base, theirs) to the merged one, and whether it has conflicts.
Merge = Callable[[bytes, bytes, bytes], tuple[bytes, bool]]


@dataclass(frozen=True)
class FolderUpdate:
    """What an update makes of one folder.

    `files` are new contents by path from the project's root, None for a file to delete. `conflicts` are
    paths with a reason each: their contents are kept or hold conflict markers.
    """

    folder: str
    template: str
    old_version: str
    new_version: str
    files: Mapping[str, bytes | None]
    conflicts: tuple[tuple[str, str], ...] = ()


def find_records(project: Project, below: str = "") -> list[str]:
    """The folders below a path that were made from templates."""
    tree = project.tree
    paths = [path for path in tree.below(below) if posixpath.basename(path) == RECORD_FILE]
    return [posixpath.dirname(path) for path in paths if path not in tree.links]


def plan_updates(
    project: Project, folders: Sequence[str], data: Mapping[str, str], merge: Merge, *, asks: bool = False
) -> Iterator[FolderUpdate]:
    """What the newest templates make of some folders; those that are up to date are left out.

    `data` answers questions that the newer template asks. Raises ProjectError for a record that does not fit
    the catalogue, and what rendering raises.
    """
    for folder in folders:
        path = posixpath.join(folder, RECORD_FILE)
        record = parse_record(project.tree.read(path), path)
        entry = find_entry(project, record.template)
        if entry.source != record.source:
            raise ProjectError(
                f"{folder} was made from {record.source}, and {record.template} of the catalogue is another "
                f"template, from {entry.source}.",
                file=path,
                advice="Correct `source` in the record if it is the same template.",
            )
        base = render_record(project, entry, record, record.version, {})
        newest = render_record(project, entry, record, entry.version, data, asks=asks)
        if dict(base.files) != dict(newest.files) or data:
            yield _merge_folder(project, folder, record, entry, base, newest, merge)


def render_record(
    project: Project,
    entry: CatalogEntry,
    record: TemplateRecord,
    version: str,
    data: Mapping[str, str],
    *,
    asks: bool = False,
) -> Rendering:
    """What a version of the recorded template makes of the recorded answers; `data` replaces some of them."""
    with template_folder(project, entry, version) as template:
        questions = read_questions(template)
        context = {key: value for key, value in record.answers.items() if key not in questions}
        answers = {key: value for key, value in record.answers.items() if key in questions}
        return render_template(
            RenderRequest(entry.name, template, context, {**answers, **data}, {}, entry.is_trusted, asks=asks)
        )


def _merge_folder(
    project: Project,
    folder: str,
    record: TemplateRecord,
    entry: CatalogEntry,
    base: Rendering,
    newest: Rendering,
    merge: Merge,
) -> FolderUpdate:
    files: dict[str, bytes | None] = {}
    conflicts: list[tuple[str, str]] = []
    for name in sorted({*base.files, *newest.files}):
        path = posixpath.join(folder, name)
        before, after = base.files.get(name), newest.files.get(name)
        current = _read(project.root, path)
        if before == after or current == after:
            continue
        if current == before:
            files[path] = after
        elif current is None:
            conflicts.append((path, "deleted here, and changed in the template: it stays deleted"))
        elif after is None:
            conflicts.append((path, "changed here, and deleted in the template: it stays"))
        else:
            merged, has_conflicts = merge(current, before or b"", after)
            files[path] = merged
            if has_conflicts:
                conflicts.append((path, "changed here and in the template: conflict markers"))
    renewed = record_rendering(entry.name, entry.source, entry.version, newest)
    files[posixpath.join(folder, RECORD_FILE)] = renewed.render()
    return FolderUpdate(folder, entry.name, record.version, entry.version, files, tuple(conflicts))


def _read(root: Path, path: str) -> bytes | None:
    """The bytes of a file, None where there is none; ProjectError where no update may write."""
    real = path_below(root, path)
    if (root / path).is_symlink() or (real.exists() and not real.is_file()):
        raise ProjectError(f"{path} is not a regular file.", advice=f"Look at {root / path}.")
    return real.read_bytes() if real.exists() else None


def write_update(root: Path, update: FolderUpdate) -> None:
    """Writes what an update changes."""
    for path, data in update.files.items():
        if data is None:
            path_below(root, path).unlink()
        else:
            write_below(root, path, data)


def describe_updates(updates: Sequence[FolderUpdate]) -> str:
    """What a pull request with updates does, and which conflicts are left, as Markdown."""
    lines = [
        f"- {code(update.folder)}: {code(update.template)} {code(update.old_version[:10])} → "
        f"{code(update.new_version[:10])}"
        for update in updates
    ]
    conflicts = [f"- {code(path)}: {reason}" for update in updates for path, reason in update.conflicts]
    if conflicts:
        lines += ["", "Conflicts to resolve before this can be merged:", "", *conflicts]
    return "\n".join(lines) + "\n"


def merge_contents(project: Project) -> Merge:
    """Merges as `git merge-file` does, with labels that say which side is whose."""

    def merge(current: bytes, base: bytes, newest: bytes) -> tuple[bytes, bool]:
        with tempfile.TemporaryDirectory(prefix="infra-") as folder:
            files = {"here": current, "template before": base, "template now": newest}
            paths = {label: Path(folder, label) for label in files}
            for label, data in files.items():
                paths[label].write_bytes(data)
            return project.repository.merge_files(paths)

    return merge
