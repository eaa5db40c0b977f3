"""The files that code reads: paths in functions and strings → files of the tree, if they can be told."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from orchestrator.project.model import Finding, Severity
from orchestrator.repository.facts import PathUse
from orchestrator.repository.hcl.text import Listed, Ref, Scope, Text, literal, literal_prefix, resolve
from orchestrator.repository.tree import Lost, Tree, inside
from orchestrator.repository.variables import folder_of

# What stands for content where there is none to hash.
ABSENT = "absent"
LISTED = "listed"
# Made by Terraform while it runs; never part of what a folder means.
MADE = re.compile(r"(?:^|/)(?:[^/]*\.tfstate(?:\.backup)?|\.terraform\.lock\.hcl)$")


# Beside the code of a module, and never read by it.
NOT_READ = re.compile(
    r"^(?:tests|examples)/|(?:^|/)README[^/]*$|\.tf(?:test|mock)\.(?:hcl|json)$", re.IGNORECASE
)
# More names than one pattern finds in code that people write.
MAX_LISTED = 10_000


@dataclass
class Reads:
    """What some code reads: contents by path; `open` are the files with a path that cannot be told."""

    files: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, path: str, content: str) -> None:
        """Note a file. That its name was listed says less than what is in it."""
        if content != LISTED or path not in self.files:
            self.files[path] = content


@dataclass(frozen=True)
class Place:
    """Where code stands: the folder of its module, the folder of its root, the names it knows."""

    folder: str
    root: str
    scope: Scope


def needs_root(use: PathUse, scope: Scope) -> bool:
    """True when it depends on the root that calls the module what the path means."""
    first = resolve(use.path, scope)[0]
    return not (isinstance(first, Ref) and first.kind == "path" and first.name == "module")


def read(tree: Tree, use: PathUse, file: str, place: Place, into: Reads) -> None:
    """Add what one use of a path reads."""
    text = resolve(use.path, place.scope)
    base, rest = _base(text, place)
    if use.argument:
        _read_argument(tree, base, rest, place, into)
        return
    told = literal(rest)
    if told is None:
        names = listed_paths(tree, rest, place)
        if names is None or use.pattern is not None:
            _read_open(tree, use, file, base, rest, into)
            return
        for name in names:
            path = inside(posixpath.join(base if base is not None else place.root, name.lstrip("/")))
            real = tree.resolve(path) if path is not None else None
            if path is not None and isinstance(real, str) and real in tree.ids:
                into.add(path, tree.ids[real])
        return
    if told.startswith(("/", "~")) and base is None:
        _tell(into, "warning", "path-outside", use, file, f"{told} is outside the project")
        return
    path = inside(posixpath.join(base if base is not None else place.root, told.lstrip("/")))
    real = tree.resolve(path) if path is not None else None
    if path is None or real is None or isinstance(real, Lost):
        _tell(into, "warning", "path-outside", use, file, f"{told} leads out of the project")
        return
    if use.pattern is not None:
        _read_set(tree, literal(resolve(use.pattern, place.scope)), path, into)
    elif real in tree.ids:
        into.add(path, tree.ids[real])
    elif (module := tree.submodule_of(real)) is not None:
        into.add(module, tree.submodules[module])
    elif tree.is_folder(real):
        _read_folder(tree, path, into)
    else:
        into.add(path, ABSENT)


def _base(text: Text, place: Place) -> tuple[str | None, Text]:
    """The folder that a path starts from (None: the root's, by default) and the rest of it."""
    folder = folder_of(text[0], place.folder, place.root)
    return (None, text) if folder is None else (folder, text[1:] or ("",))


def listed_paths(tree: Tree, text: Text, place: Place) -> list[str] | None:
    """A path with a name that `fileset` finds in it, once for each name; None when it cannot be told."""
    paths = [""]
    for part in text:
        if isinstance(part, str):
            paths = [path + part for path in paths]
            continue
        names = _listed_names(tree, part, place) if isinstance(part, Listed) else None
        if names is None or len(names) * len(paths) > MAX_LISTED:
            return None
        paths = [path + name for path in paths for name in names]
    return paths


def _listed_names(tree: Tree, part: Listed, place: Place) -> list[str] | None:
    base, rest = _base(part.folder, place)
    folder, pattern = literal(rest), literal(part.pattern)
    if folder is None or pattern is None or (base is None and folder.startswith(("/", "~"))):
        return None
    path = inside(posixpath.join(base if base is not None else place.root, folder.lstrip("/")))
    real = tree.resolve(path) if path is not None else None
    if not isinstance(real, str):
        return None
    cut = len(real) + 1 if real else 0
    matches = glob_pattern(pattern)
    return [name[cut:] for name in tree.below(real) if matches.fullmatch(name[cut:])]


def _read_argument(tree: Tree, base: str | None, rest: Text, place: Place, into: Reads) -> None:
    """The value of an argument that may be a path: it counts when there is such a file or folder."""
    for name in listed_paths(tree, rest, place) or ():
        if base is None and name.startswith(("/", "~")):
            continue
        path = inside(posixpath.join(base if base is not None else place.root, name.lstrip("/")))
        real = tree.resolve(path) if path else None
        if not path or not isinstance(real, str) or f"{place.root}/".startswith(f"{real}/"):
            continue
        if real in tree.ids:
            into.add(path, tree.ids[real])
        elif real in tree.submodules or tree.is_folder(real):
            _read_folder(tree, path, into)


def _read_open(tree: Tree, use: PathUse, file: str, base: str | None, rest: Text, into: Reads) -> None:
    """A path with a gap: the folder before the gap is taken whole."""
    prefix = literal_prefix(rest)
    folder = posixpath.dirname(prefix.lstrip("/") if base is not None else prefix)
    start = inside(posixpath.join(base or "", folder)) if base is not None and folder else None
    what = f"`{use.function}`" if use.function else "a path"
    if start:
        _read_folder(tree, start, into)
        if use.function:
            message = f"the path in {what} cannot be told; all of {start} counts as read"
            _tell(into, "info", "path-open", use, file, message)
        return
    into.open.append(file)
    if use.function:
        _tell(into, "warning", "path-unknown", use, file, f"the path in {what} cannot be told")


def _read_set(tree: Tree, pattern: str | None, folder: str, into: Reads) -> None:
    """`fileset` reads names, not contents."""
    real = tree.resolve(folder)
    if isinstance(real, Lost):
        return
    cut = len(real) + 1 if real else 0
    matches = glob_pattern(pattern) if pattern is not None else None
    for path in tree.below(real):
        if matches is None or matches.fullmatch(path[cut:]):
            into.add(path, LISTED)


def _read_folder(tree: Tree, folder: str, into: Reads) -> None:
    for path, content in contents(tree, folder):
        into.add(path, content)


def contents(tree: Tree, path: str) -> Iterator[tuple[str, str]]:
    """A file, or everything in a folder, links followed: paths with what stands for their content."""
    todo = [path]
    seen: set[str] = set()
    while todo:
        at = todo.pop()
        real = tree.resolve(at)
        if isinstance(real, Lost) or real in seen:
            continue
        seen.add(real)
        if real in tree.ids:
            yield at, tree.ids[real]
        elif real in tree.submodules:
            yield at, tree.submodules[real]
        elif at == path and not tree.is_folder(real):
            yield at, ABSENT
        else:
            for name in tree.below(real):
                if MADE.search(name):
                    continue
                if name in tree.links:
                    todo.append(name)
                elif name not in seen:
                    yield name, tree.ids[name]


@cache
def glob_pattern(pattern: str) -> re.Pattern[str]:
    """A glob as `fileset` has it: `*` stays in a folder, `**` goes down, and `?`, `[…]`, `{a,b}`."""
    out = []
    index = 0
    depth = 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if pattern.startswith("**/", index - 1):
            out.append("(?:[^/]+/)*")
            index += 2
        elif pattern.startswith("**", index - 1):
            out.append(".*")
            index += 1
        elif char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", index + 1)) > 0:
            inner = pattern[index:end].replace("\\", "\\\\")
            out.append(f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]")
            index = end + 1
        elif char == "{":
            out.append("(?:")
            depth += 1
        elif char in "}," and depth:
            out.append("|" if char == "," else ")")
            depth -= char == "}"
        else:
            out.append(re.escape(char))
    return re.compile("".join(out) + ")" * depth, re.DOTALL)


def code_contents(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    """What a folder of code may read of itself: all of it but prose, tests and examples."""
    cut = len(folder) + 1 if folder else 0
    for path, content in contents(tree, folder):
        if not NOT_READ.search(path[cut:]):
            yield path, content


def _tell(into: Reads, severity: Severity, code: str, use: PathUse, file: str, text: str) -> None:
    advice = "" if severity == "info" else "Name what is read under `reads:` of the stack in infra.yaml."
    message = f"{text[0].upper()}{text[1:]}."
    into.findings.append(Finding(severity, code, message, advice, file, use.line))
