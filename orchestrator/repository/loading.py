"""Loads a project from a working tree or a commit.

`load(folder)` reads the project that a folder is in.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.config import Config
    from orchestrator.repository.git import Repository
    from orchestrator.repository.model import Project
    from orchestrator.repository.source import ParseCache
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


def load(start: Path, memo: ParseCache | None = None, *, with_stored: bool = False) -> Project:
    """The project around a folder, as its working tree is now, uncommitted files included.

    `memo` may hold what is extracted from files besides. With `with_stored`, facts of code that an earlier
    run stored in the clone are used, and those of new code are stored.
    """
    from orchestrator.repository.git import Repository

    repository = Repository.open(start)
    root = find_root(start, repository.top)
    repository = repository.at(root)
    if with_stored:
        from orchestrator.repository.code_cache import CodeCache
        from orchestrator.repository.source import ParseCache

        memo = replace(memo or ParseCache(), stored=CodeCache(repository.git_folder))
    return read_tree(repository, repository.working_tree(), memo)


def load_commit(project: Project, revision: str) -> Project:
    """The same project as a commit has it, its infra.yaml included. Equal files are not read again."""
    return read_tree(project.repository, commit_tree(project, revision), project.coverage.source.memo)


def commit_tree(project: Project, revision: str) -> Tree:
    """The files of a commit; those that are the same in the working tree are read there, unless `--cold`."""
    memo = project.coverage.source.memo
    checkout = project.tree if memo.stored is not None and project.tree.commit is None else None
    return project.repository.commit_tree(revision, memo, checkout)


def read_tree(
    repository: Repository, tree: Tree, memo: ParseCache | None = None, config: Config | None = None
) -> Project:
    """Load the project of a tree; `config` replaces the tree's infra.yaml."""
    with no_garbage_collection():
        project = _read_tree(repository, tree, memo, config)
    if memo is not None and memo.stored is not None:
        memo.stored.save()
    return project


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """No garbage collection: reading makes many objects and drops none, and each pass would look at all."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read_tree(repository: Repository, tree: Tree, memo: ParseCache | None, config: Config | None) -> Project:
    from orchestrator.repository.discovery import discover
    from orchestrator.repository.edges import EdgeFinder
    from orchestrator.repository.fingerprint import Coverage
    from orchestrator.repository.model import Project
    from orchestrator.repository.modules import product_of
    from orchestrator.repository.source import Source

    config = config or config_of(repository, tree)
    source = Source(tree, str(config.roots.modules), memo, product_of(config.terraform.binary))
    discovery = discover(tree, config, source)
    names = {stack.environment for stack in discovery.stacks.values()}
    order = config.promotion_order(names)
    rank = {name: index for index, name in enumerate(order.all)}
    ids = sorted(discovery.stacks, key=lambda id_: (rank[discovery.stacks[id_].environment], id_))
    stacks = {id_: discovery.stacks[id_] for id_ in ids}
    edges = EdgeFinder(source, stacks, discovery.scopes)
    return Project(
        root=repository.root,
        config=config,
        order=order,
        stacks=stacks,
        modules=discovery.modules,
        edges=edges.find(),
        foreign=tuple(edges.foreign),
        findings=(*discovery.findings, *edges.findings),
        repository=repository,
        tree=tree,
        coverage=Coverage(source, config, discovery.scopes),
    )


def config_of(repository: Repository, tree: Tree) -> Config:
    """infra.yaml as the tree has it; the defaults without one."""
    from orchestrator.config import FILE_NAME, link_error, load, load_text

    if tree.commit is None:
        return load(repository.root)
    name = f"{tree.commit[:10]}:{FILE_NAME}"
    if FILE_NAME in tree.links:
        raise link_error(name)
    return load_text(tree.read(FILE_NAME) if FILE_NAME in tree.ids else b"", name)
