"""The layer of the code: environments, stacks, modules, edges, owners, and the commits of trunk.

It also says where the memory of each environment is. While the files are the same, nothing is parsed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import __version__
from orchestrator.engine.ledgers import configured_location, memory_folder
from orchestrator.engine.ownership import MemoryFolder
from orchestrator.engine.states import EMULATOR, States, refuse_half_simulated
from orchestrator.errors import GitError
from orchestrator.forge.owners import read_owners
from orchestrator.insight.dataset import Dataset, Transaction
from orchestrator.repository import codeowners
from orchestrator.repository.git import Repository
from orchestrator.repository.model import Project
from orchestrator.state.location import Location

# Commits of trunk that are read.
MOST_COMMITS = 10_000
_MERGED = re.compile(r"^Merge pull request #([0-9]{1,9})\b|\(#([0-9]{1,9})\)$")


@dataclass(frozen=True)
class EnvironmentSource:
    """Where the memory of an environment is.

    `folders` has None for this machine's own ledger. `states` maps stack ids to locations, `folder_of` to the
    folder that the stack is in, `earlier` to the id that it had before.
    """

    name: str
    folders: tuple[MemoryFolder | None, ...]
    states: Mapping[str, Location] = field(default_factory=dict)
    folder_of: Mapping[str, MemoryFolder | None] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)


def pull_request_of(subject: str) -> int | None:
    """The pull request that a commit's subject names, as merges and squashes have it."""
    match = _MERGED.search(subject)
    return int(match[1] or match[2]) if match else None


def refresh_code(
    dataset: Dataset, repository: Repository, environ: Mapping[str, str], load: Callable[[], Project]
) -> None:
    """Brings the layer up to date; `load` reads the project, which is called only where a file differs."""
    key = _key(repository, environ)
    if dataset.setting("code") != key:
        project = load()
        refuse_half_simulated(project, environ)
        with dataset.transaction() as transaction:
            transaction.clear("code")
            _write_project(transaction, project, environ)
            transaction.execute("DELETE FROM reading WHERE environment NOT IN (SELECT name FROM env)")
            transaction.note("code", key)
            transaction.note("trunk", project.config.trunk or "")
            transaction.note("trunk_commit", "")
    _refresh_trunk(dataset, repository)


def read_sources(dataset: Dataset, root: Path) -> list[EnvironmentSource]:
    """Where the memory of each environment is, by the code that was read last."""
    folders: dict[str, list[MemoryFolder | None]] = {}
    for environment, bucket, prefix, base in dataset.rows("SELECT * FROM folder ORDER BY base, bucket"):
        folder = MemoryFolder(str(bucket), str(prefix), str(base)) if bucket else None
        folders.setdefault(str(environment), []).append(folder)
    by_key = {
        (folder.bucket, folder.base): folder for known in folders.values() for folder in known if folder
    }
    sources = []
    for (name,) in dataset.rows("SELECT name FROM env ORDER BY position"):
        rows = dataset.rows(
            "SELECT id, state, bucket, base, earlier FROM stack WHERE environment = ?", (name,)
        )
        sources.append(
            EnvironmentSource(
                str(name),
                tuple(folders.get(str(name), ())),
                {str(id_): _location(str(state), root) for id_, state, *_ in rows if state is not None},
                {str(id_): by_key.get((str(bucket), str(base))) for id_, _, bucket, base, _ in rows},
                {str(id_): str(earlier) for id_, *_, earlier in rows if earlier},
            )
        )
    return sources


def _location(url: str, root: Path) -> Location:
    location = Location.parse(url)
    return location if location.is_remote else Location("", str(root / location.name))


def _key(repository: Repository, environ: Mapping[str, str]) -> str:
    """A hash of every file that the layer is read from, and of what decides where memories are."""
    tree = repository.working_tree()
    digest = hashlib.sha256(
        f"{__version__} {environ.get(EMULATOR, '')} {repository.root}\n".encode("utf-8", "surrogateescape")
    )
    for names in (tree.ids, tree.links, tree.submodules):
        digest.update(json.dumps(sorted(names.items())).encode())
    # Git may ignore the one, and the others may lie above the project.
    paths = [repository.root / "infra.yaml", *(repository.top / path for path in codeowners.PATHS)]
    for path in paths:
        digest.update(path.read_bytes() if path.is_file() else b"\0")
    return digest.hexdigest()


def _write_project(transaction: Transaction, project: Project, environ: Mapping[str, str]) -> None:
    config, order = project.config, project.order
    names = dict.fromkeys([*project.environments, *config.environments])
    transaction.insert(
        "env",
        [(name, index, int(config.is_protected(name, order))) for index, name in enumerate(names)],
    )
    states, owners = States(project, environ), read_owners(project)
    folders: dict[tuple[str, MemoryFolder | None], None] = {}
    rows = []
    for stack in project.stacks.values():
        folder = memory_folder(config, stack.environment, states.location(stack))
        folders[stack.environment, folder] = None
        rows.append(
            (
                *(stack.id, stack.environment, stack.name, stack.path, stack.state),
                *((folder.bucket, folder.base) if folder else ("", "")),
                config.earlier_id(stack.id) or "",
                " ".join(owners.of_folder(stack.path)),
            )
        )
    for name in names:
        # Where the last stack was deleted, its environment's memory is still there.
        folder = memory_folder(config, name, configured_location(config, name))
        if folder and not project.of(name):
            folders[name, folder] = None
    transaction.insert("stack", rows)
    transaction.insert(
        "folder",
        [
            (name, *((folder.bucket, folder.prefix, folder.base) if folder else ("", "", name)))
            for name, folder in folders
        ],
    )
    transaction.insert("module", _module_rows(project))
    transaction.insert(
        "edge",
        [
            (
                *(edge.source, edge.target, edge.kind, edge.name),
                None if edge.outputs is None else " ".join(sorted(edge.outputs)),
                *(edge.file, edge.line),
            )
            for edge in project.edges
        ],
    )


def _module_rows(project: Project) -> Iterator[tuple[str, str, int]]:
    for stack in project.stacks.values():
        for module in project.coverage.modules(stack):
            yield stack.id, module, int(module in stack.modules)


def _refresh_trunk(dataset: Dataset, repository: Repository) -> None:
    """Reads the commits of trunk where it has moved; none where this clone has no trunk."""
    try:
        head = repository.resolve(repository.trunk(dataset.setting("trunk") or None))
        if head == dataset.setting("trunk_commit"):
            return
        commits = repository.line(head, MOST_COMMITS)
    except GitError:
        head, commits = "", []
    with dataset.transaction() as transaction:
        transaction.execute("DELETE FROM trunk")
        transaction.insert(
            "trunk",
            [
                (
                    *(commit.id, position, commit.subject, commit.author),
                    f"{commit.when:%Y-%m-%dT%H:%M:%SZ}",
                    pull_request_of(commit.subject),
                )
                for position, commit in enumerate(commits)
            ],
        )
        transaction.note("trunk_commit", head)
