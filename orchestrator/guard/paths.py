"""Checks that paths which code reads stay inside the repository."""

from __future__ import annotations

import posixpath

from orchestrator.guard.facts import PATH_FUNCTIONS, FileRead
from orchestrator.repository.file_reads import CodeLocation
from orchestrator.repository.hcl.text import Listed, Text, literal, literal_prefix, resolve
from orchestrator.repository.tree import BrokenPath, Tree
from orchestrator.repository.variables import folder_of

# Folders that programs keep beside the code: credentials, states, plans and providers lie in them.
HIDDEN = frozenset({".git", ".terraform", ".infra"})


def resolve_physical(tree: Tree, folder: str, path: str) -> str | None:
    """Resolve `path` from `folder` as the operating system does; None when it leaves the tree."""
    start = tree.resolve(folder)
    if isinstance(start, BrokenPath):
        return None
    at = start
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return None
            at = posixpath.dirname(at)
            continue
        resolved = tree.resolve(posixpath.join(at, part))
        if isinstance(resolved, BrokenPath):
            return None
        at = resolved
    return at


def read_problem(tree: Tree, use: FileRead, location: CodeLocation) -> str | None:
    """The problem with a path that a function reads, as the end of a sentence; None for a valid path."""
    if use.function not in PATH_FUNCTIONS:
        return "evaluates a text as code, which may read any file"
    if use.function == "fileset":
        pattern = literal(resolve(use.pattern or (), location.scope)) if use.pattern is not None else None
        if pattern is None:
            return "looks for a pattern that cannot be determined"
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/") or is_hidden(pattern):
            return f"looks for {pattern}, out of its folder"
    # What a template does cannot be known without knowing which one it is.
    may_list = use.function not in ("templatefile", "fileset")
    return path_problem(tree, use.path, location, may_list=may_list)


def path_problem(tree: Tree, path: Text, location: CodeLocation, *, may_list: bool = False) -> str | None:
    """The problem with a path, as in `read_problem`. `may_list` allows names that `fileset` finds."""
    text = resolve(path, location.scope)
    base, rest = location.root, text
    folder = folder_of(text[0], location.folder, location.root) if text else None
    if folder is not None:
        base = folder
        rest = text[1:] or ("",)
        if literal_prefix(rest)[:1] not in ("", "/") or not isinstance(rest[0], str):
            return "reads a path that cannot be determined"
    elif literal_prefix(text).startswith(("/", "~")):
        return f"reads {literal(text) or literal_prefix(text)}, an absolute path"
    directory = literal(rest)
    if directory is None:
        if not (may_list and _is_listed(rest)):
            return "reads a path that cannot be determined"
        directory = posixpath.dirname(literal_prefix(rest))
        if resolve_physical(tree, base, directory) == "":
            return "reads what lies at the top of the repository, whatever its name"
    real = resolve_physical(tree, base, directory)
    if real is None:
        return f"reads {directory.lstrip('/')}, which leaves the repository"
    if is_hidden(real):
        return f"reads {real}, which is no code"
    return None


def _is_listed(text: Text) -> bool:
    """Whether every open part of a path, each after a slash, is a name that `fileset` finds in its folder."""
    for before, part in zip(("", *text), text, strict=False):
        if isinstance(part, str):
            continue
        pattern = literal(part.pattern) if isinstance(part, Listed) else None
        if pattern is None or ".." in pattern.split("/") or pattern.startswith(("/", "~")):
            return False
        if not (isinstance(before, str) and before.endswith("/")):
            return False
    return True


def is_hidden(path: str) -> bool:
    """Whether a path leads into Git's, Terraform's or infra's own folders."""
    # Some file systems do not tell `.GIT` from `.git`.
    return not HIDDEN.isdisjoint(path.casefold().split("/"))
