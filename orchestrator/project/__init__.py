"""What the repository says: stacks, modules, what reads what, what a change affects.

`load(folder)` reads the project that a folder is in.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.project.git import Repository
    from orchestrator.project.model import Project
    from orchestrator.repository.source import Memo
    from orchestrator.repository.tree import Tree


def find_root(start: Path, top: Path) -> Path:
    """The project's root: the nearest folder upward with infra.yaml, else the top of the repository."""
    from orchestrator.config import FILE_NAME

    start, top = start.resolve(), top.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
        if folder == top:
            break
    return top


def load(start: Path, memo: Memo | None = None) -> Project:
    """The project around a folder, as its working tree is now, uncommitted files included.

    `memo` may hold what is extracted from files besides.
    """
    from orchestrator.project.git import Repository

    repository = Repository.open(start)
    root = find_root(start, repository.top)
    repository = repository.at(root)
    return read_tree(repository, repository.working_tree(), memo)


def load_commit(project: Project, revision: str) -> Project:
    """The same project as a commit has it, its infra.yaml included. Equal files are not read again."""
    memo = project.coverage.source.memo
    return read_tree(project.repository, project.repository.commit_tree(revision, memo), memo)


def read_tree(
    repository: Repository, tree: Tree, memo: Memo | None = None, config: Config | None = None
) -> Project:
    """Everything that a tree of files says; `config` counts in place of its infra.yaml."""
    with uncollected():
        return _read_tree(repository, tree, memo, config)


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection: reading makes many objects and drops none, and each pass would look at all."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read_tree(repository: Repository, tree: Tree, memo: Memo | None, config: Config | None) -> Project:
    from orchestrator.project.discovery import discover
    from orchestrator.project.edges import Edges
    from orchestrator.project.fingerprint import Coverage
    from orchestrator.project.model import Project
    from orchestrator.repository.modules import product_of
    from orchestrator.repository.source import Source

    config = config or _config_of(repository, tree)
    source = Source(tree, str(config.roots.modules), memo, product_of(config.terraform.binary))
    found = discover(tree, config, source, repository.root)
    names = {stack.environment for stack in found.stacks.values()}
    order = config.promotion_order(names)
    place = {name: index for index, name in enumerate(order.all)}
    ids = sorted(found.stacks, key=lambda id_: (place[found.stacks[id_].environment], id_))
    stacks = {id_: found.stacks[id_] for id_ in ids}
    edges = Edges(source, stacks, found.scopes)
    return Project(
        root=repository.root,
        config=config,
        order=order,
        stacks=stacks,
        modules=found.modules,
        edges=edges.find(),
        foreign=tuple(edges.foreign),
        findings=(*found.findings, *edges.findings),
        repository=repository,
        tree=tree,
        coverage=Coverage(source, config, found.scopes),
    )


def _config_of(repository: Repository, tree: Tree) -> Config:
    """infra.yaml as the tree has it; the defaults without one."""
    from orchestrator.config import FILE_NAME, link_error, load, load_text

    if tree.commit is None:
        return load(repository.root)
    name = f"{tree.commit[:10]}:{FILE_NAME}"
    if FILE_NAME in tree.links:
        raise link_error(name)
    return load_text(tree.read(FILE_NAME) if FILE_NAME in tree.ids else b"", name)
