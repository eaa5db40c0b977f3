"""Whether a path that code reads stays among the files of the repository."""

from __future__ import annotations

import posixpath

from orchestrator.guard.facts import Read
from orchestrator.project.reads import Place
from orchestrator.project.text import Ref, Text, literal, literal_prefix, resolve
from orchestrator.project.tree import Lost, Tree

# Folders that programs keep beside the code: credentials, states, plans and providers lie in them.
HIDDEN = frozenset({".git", ".terraform", ".infra"})


def physical(tree: Tree, folder: str, told: str) -> str | None:
    """Where the operating system goes from `folder` by `told`, links followed; None: out of the tree."""
    start = tree.resolve(folder)
    if isinstance(start, Lost):
        return None
    at = start
    for part in told.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return None
            at = posixpath.dirname(at)
            continue
        found = tree.resolve(posixpath.join(at, part))
        if isinstance(found, Lost):
            return None
        at = found
    return at


def wrong_with(tree: Tree, use: Read, place: Place) -> str | None:
    """What is wrong with a path that a function reads, as the end of a sentence; None: nothing."""
    if use.function == "templatestring":
        return "evaluates a text as code, which may read any file"
    if use.function == "fileset":
        pattern = literal(resolve(use.pattern or (), place.scope)) if use.pattern is not None else None
        if pattern is None:
            return "looks for a pattern that cannot be told"
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/") or is_hidden(pattern):
            return f"looks for {pattern}, out of its folder"
    return wrong_path(tree, use.path, place, listed=use.listed)


def wrong_path(tree: Tree, path: Text, place: Place, *, listed: bool = False) -> str | None:
    """The same for a path alone. `listed`: what is open in it are names of files that were found below it."""
    text = resolve(path, place.scope)
    base, rest = place.root, text
    if text and isinstance(text[0], Ref) and text[0].kind == "path":
        base = place.folder if text[0].name == "module" else place.root
        rest = text[1:] or ("",)
        if literal_prefix(rest)[:1] not in ("", "/") or not isinstance(rest[0], str):
            return "reads a path that cannot be told"
    elif literal_prefix(text).startswith(("/", "~")):
        return f"reads {literal(text) or literal_prefix(text)}, an absolute path"
    told = literal(rest)
    if told is None:
        if not listed:
            return "reads a path that cannot be told"
        told = posixpath.dirname(literal_prefix(rest))
        if physical(tree, base, told) == "":
            return "reads what lies at the top of the repository, whatever its name"
    found = physical(tree, base, told)
    if found is None:
        return f"reads {told.lstrip('/')}, which leaves the repository"
    if is_hidden(found):
        return f"reads {found}, which is no code"
    return None


def is_hidden(path: str) -> bool:
    """Whether a path leads into Git's, Terraform's or infra's own folders."""
    # Some file systems do not tell `.GIT` from `.git`.
    return not HIDDEN.isdisjoint(path.casefold().split("/"))
