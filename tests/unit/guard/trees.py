"""Projects made of strings, as a commit would have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha1

from orchestrator.repository.git import Repository
from orchestrator.repository.hcl import File
from orchestrator.repository.loading import read_tree
from orchestrator.repository.model import Project
from orchestrator.repository.source import ParseCache
from orchestrator.repository.tree import Tree

CONFIG = "backend: {gcs: {bucket: 'acme-{environment}'}}\nenvironments: {dev: {}, prod: {}}\n"
BACKEND = 'terraform {\n  backend "gcs" {}\n}\n'
TRUNK: Mapping[str, str | bytes] = {
    "infra.yaml": CONFIG,
    "infra/envs/dev/net/versions.tf": BACKEND,
    "infra/envs/dev/net/main.tf": "# before\n",
}


class Trees:
    """Makes projects; the repository only lends its folder."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def __call__(
        self,
        files: Mapping[str, str | bytes | None],
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
        extract: Callable[[File], object] | None = None,
    ) -> Project:
        """A project with these files; None leaves one out. `extract` is that of `ParseCache`."""
        texts = {name: text for name, text in files.items() if text is not None}
        data = {name: text if isinstance(text, bytes) else text.encode() for name, text in texts.items()}
        ids = {name: sha1(text, usedforsecurity=False).hexdigest() for name, text in data.items()}
        tree = Tree(ids, lambda path: data[path], links=links, submodules=submodules, commit="0" * 40)
        return read_tree(self.repository, tree, ParseCache(extract=extract))
