"""Trees of files in memory, and the stacks that a configuration finds in them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1

from orchestrator.config import Config, load_text
from orchestrator.repository.discovery import Discovery, discover
from orchestrator.repository.source import Source
from orchestrator.repository.tree import Tree


def memory_tree(files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Tree:
    """A commit with these files, and links by what they hold."""
    ids = {path: sha1(text.encode()).hexdigest() for path, text in files.items()}
    return Tree(ids, lambda path: files[path].encode(), links=links, commit="0" * 40)


def source_of(tree: Tree, config: Config) -> Source:
    """The code of a tree."""
    return Source(tree, str(config.roots.modules))


def stacks_of(files: Mapping[str, str], settings: str = "") -> Discovery:
    """What a repository with these files and this infra.yaml consists of."""
    config = load_text(settings) if settings else Config()
    tree = memory_tree(files)
    return discover(tree, config, source_of(tree, config))
