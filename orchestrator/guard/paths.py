"""Whether a path that code reads stays among the files of the repository."""

from __future__ import annotations

import posixpath

from orchestrator.guard.facts import Read
from orchestrator.project.reads import Place
from orchestrator.repository.hcl.text import Listed, Text, literal, literal_prefix, resolve
from orchestrator.repository.tree import Lost, Tree
from orchestrator.repository.variables import folder_of

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
    # What a template does cannot be known without knowing which one it is.
    may_list = use.function not in ("templatefile", "fileset")
    return wrong_path(tree, use.path, place, may_list=may_list)


def wrong_path(tree: Tree, path: Text, place: Place, *, may_list: bool = False) -> str | None:
    """The same for a path alone. `may_list`: names that `fileset` finds may stand in it."""
    text = resolve(path, place.scope)
    base, rest = place.root, text
    folder = folder_of(text[0], place.folder, place.root) if text else None
    if folder is not None:
        base = folder
        rest = text[1:] or ("",)
        if literal_prefix(rest)[:1] not in ("", "/") or not isinstance(rest[0], str):
            return "reads a path that cannot be told"
    elif literal_prefix(text).startswith(("/", "~")):
        return f"reads {literal(text) or literal_prefix(text)}, an absolute path"
    told = literal(rest)
    if told is None:
        if not (may_list and _is_listed(rest)):
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
