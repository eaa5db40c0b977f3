"""Resolves paths in functions and strings to the files that the code reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from orchestrator.repository.facts import PathUse
from orchestrator.repository.hcl.text import Listed, NameScope, Ref, Text, literal, literal_prefix, resolve
from orchestrator.repository.model import Finding, Severity
from orchestrator.repository.tree import BrokenPath, Tree, inside
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
class FileReads:
    """The files that code reads: contents by path. `open` lists code files with an unresolvable path."""

    files: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, path: str, content: str) -> None:
        """Add a file. A content takes precedence over LISTED."""
        if content != LISTED or path not in self.files:
            self.files[path] = content


@dataclass(frozen=True)
class CodeLocation:
    """Where code stands: the folder of its module, the folder of its root, the names it knows."""

    folder: str
    root: str
    scope: NameScope


def needs_root(use: PathUse, scope: NameScope) -> bool:
    """True when the meaning of a path depends on the calling root module."""
    first = resolve(use.path, scope)[0]
    return not (isinstance(first, Ref) and first.kind == "path" and first.name == "module")


def add_file_read(tree: Tree, use: PathUse, file: str, location: CodeLocation, into: FileReads) -> None:
    """Add the files that one use of a path reads."""
    text = resolve(use.path, location.scope)
    base, rest = _base(text, location)
    if use.argument:
        _add_argument(tree, base, rest, location, into)
        return
    path_text = literal(rest)
    if path_text is None:
        names = _listed_paths(tree, rest, location)
        if names is None or use.pattern is not None:
            _add_open_path(tree, use, file, base, rest, into)
            return
        for name in names:
            path = inside(posixpath.join(base if base is not None else location.root, name.lstrip("/")))
            real = tree.resolve(path) if path is not None else None
            if path is not None and isinstance(real, str) and real in tree.ids:
                into.add(path, tree.ids[real])
        return
    if path_text.startswith(("/", "~")) and base is None:
        _add_finding(into, "warning", "path-outside", use, file, f"{path_text} is outside the project")
        return
    path = inside(posixpath.join(base if base is not None else location.root, path_text.lstrip("/")))
    real = tree.resolve(path) if path is not None else None
    if path is None or real is None or isinstance(real, BrokenPath):
        _add_finding(into, "warning", "path-outside", use, file, f"{path_text} leads out of the project")
        return
    if use.pattern is not None:
        _add_listed_names(tree, literal(resolve(use.pattern, location.scope)), path, into)
    elif real in tree.ids:
        into.add(path, tree.ids[real])
    elif (module := tree.submodule_of(real)) is not None:
        into.add(module, tree.submodules[module])
    elif tree.is_folder(real):
        _add_folder(tree, path, into)
    else:
        into.add(path, ABSENT)


def _base(text: Text, location: CodeLocation) -> tuple[str | None, Text]:
    """The folder that a path starts from (None: the root's, by default) and the rest of it."""
    folder = folder_of(text[0], location.folder, location.root)
    return (None, text) if folder is None else (folder, text[1:] or ("",))


def _listed_paths(tree: Tree, text: Text, location: CodeLocation) -> list[str] | None:
    """A path with a name that `fileset` finds in it, once for each name; None when unknown."""
    paths = [""]
    for part in text:
        if isinstance(part, str):
            paths = [path + part for path in paths]
            continue
        names = _listed_names(tree, part, location) if isinstance(part, Listed) else None
        if names is None or len(names) * len(paths) > MAX_LISTED:
            return None
        paths = [path + name for path in paths for name in names]
    return paths


def _listed_names(tree: Tree, part: Listed, location: CodeLocation) -> list[str] | None:
    base, rest = _base(part.folder, location)
    folder, pattern = literal(rest), literal(part.pattern)
    if folder is None or pattern is None or (base is None and folder.startswith(("/", "~"))):
        return None
    path = inside(posixpath.join(base if base is not None else location.root, folder.lstrip("/")))
    real = tree.resolve(path) if path is not None else None
    if not isinstance(real, str):
        return None
    cut = len(real) + 1 if real else 0
    matches = glob_pattern(pattern)
    return [name[cut:] for name in tree.below(real) if matches.fullmatch(name[cut:])]


def _add_argument(tree: Tree, base: str | None, rest: Text, location: CodeLocation, into: FileReads) -> None:
    """The value of an argument that may be a path: it counts when there is such a file or folder."""
    for name in _listed_paths(tree, rest, location) or ():
        if base is None and name.startswith(("/", "~")):
            continue
        path = inside(posixpath.join(base if base is not None else location.root, name.lstrip("/")))
        real = tree.resolve(path) if path else None
        if not path or not isinstance(real, str) or f"{location.root}/".startswith(f"{real}/"):
            continue
        if real in tree.ids:
            into.add(path, tree.ids[real])
        elif real in tree.submodules or tree.is_folder(real):
            _add_folder(tree, path, into)


def _add_open_path(
    tree: Tree, use: PathUse, file: str, base: str | None, rest: Text, into: FileReads
) -> None:
    """Add the whole folder before the first part of a path that cannot be determined."""
    prefix = literal_prefix(rest)
    folder = posixpath.dirname(prefix.lstrip("/") if base is not None else prefix)
    start = inside(posixpath.join(base or "", folder)) if base is not None and folder else None
    what = f"`{use.function}`" if use.function else "a path"
    if start:
        _add_folder(tree, start, into)
        if use.function:
            message = f"the path in {what} cannot be determined; all of {start} counts as read"
            _add_finding(into, "info", "path-open", use, file, message)
        return
    into.open.append(file)
    if use.function:
        _add_finding(into, "warning", "path-unknown", use, file, f"the path in {what} cannot be determined")


def _add_listed_names(tree: Tree, pattern: str | None, folder: str, into: FileReads) -> None:
    """`fileset` reads names, not contents."""
    real = tree.resolve(folder)
    if isinstance(real, BrokenPath):
        return
    cut = len(real) + 1 if real else 0
    matches = glob_pattern(pattern) if pattern is not None else None
    for path in tree.below(real):
        if matches is None or matches.fullmatch(path[cut:]):
            into.add(path, LISTED)


def _add_folder(tree: Tree, folder: str, into: FileReads) -> None:
    for path, content in contents(tree, folder):
        into.add(path, content)


def contents(tree: Tree, path: str) -> Iterator[tuple[str, str]]:
    """A file, or everything in a folder, links followed: paths with what stands for their content."""
    todo = [path]
    visited: set[str] = set()
    while todo:
        at = todo.pop()
        real = tree.resolve(at)
        if isinstance(real, BrokenPath) or real in visited:
            continue
        visited.add(real)
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
                elif name not in visited:
                    yield name, tree.ids[name]


# What a part of a glob that repeats becomes, and what it moves through: character, next state.
# A class that other languages read as one set within, or less, another; Python warns of it.
_TWO_MEANINGS = re.compile(r"^\^?\[|--|&&|~~|\|\|")
FOLDERS, ANYTHING, NAME = "(?:[^/]+/)*", ".*", "[^/]*"
OPEN, OR, CLOSE = "(?:", "|", ")"
REPEATING = frozenset({FOLDERS, ANYTHING, NAME})
# Expressions with more of them could try endless ways to match a name that does not.
MOST_REPEATING = 2


class Glob:
    """A glob, matched in time that grows with the text alone, whatever the pattern is.

    `parts` are expressions of single characters, of repetitions, and of choices. Few repetitions are one
    regular expression; for more, all ways to match are followed at once.
    """

    def __init__(self, parts: Sequence[str]) -> None:
        repeating = sum(part in REPEATING for part in parts)
        is_simple = repeating <= MOST_REPEATING and OPEN not in parts
        self._expression = re.compile("".join(parts), re.DOTALL) if is_simple else None
        self._steps: list[list[tuple[re.Pattern[str], int]]] = [[]]
        self._free: list[list[int]] = [[]]
        self._end = 0
        if not is_simple:
            self._end = self._build(parts)

    def fullmatch(self, text: str) -> bool:
        """Whether the whole text is as the glob has it."""
        if self._expression is not None:
            return self._expression.fullmatch(text) is not None
        states = self._closure({0})
        for character in text:
            following = (
                target for state in states for step, target in self._steps[state] if step.match(character)
            )
            states = self._closure(set(following))
            if not states:
                return False
        return self._end in states

    def _build(self, parts: Sequence[str]) -> int:
        """Lays out the states; returns the last one."""
        at = 0
        # Of each open choice: where it began, where its alternatives end.
        choices: list[tuple[int, int]] = []
        for part in parts:
            if part == OPEN:
                choices.append((at, self._new()))
                at = self._after(at)
            elif part == OR and choices:
                self._free[at].append(choices[-1][1])
                at = self._after(choices[-1][0])
            elif part == CLOSE and choices:
                _, end = choices.pop()
                self._free[at].append(end)
                at = end
            elif part == FOLDERS:
                at = self._after(at)
                inside = self._new()
                self._steps[at].append((_character("[^/]"), inside))
                self._steps[inside] += [(_character("[^/]"), inside), (_character("/"), at)]
            elif part in REPEATING:
                at = self._after(at)
                self._steps[at].append((_character(part[:-1]), at))
            else:
                following = self._new()
                self._steps[at].append((_character(part), following))
                at = following
        return at

    def _new(self) -> int:
        self._steps.append([])
        self._free.append([])
        return len(self._steps) - 1

    def _after(self, state: int) -> int:
        """A new state that is reached without a character."""
        following = self._new()
        self._free[state].append(following)
        return following

    def _closure(self, states: set[int]) -> set[int]:
        """The states with those that are reached from them without a character."""
        todo = list(states)
        while todo:
            for target in self._free[todo.pop()]:
                if target not in states:
                    states.add(target)
                    todo.append(target)
        return states


@cache
def _character(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.DOTALL)


@cache
def glob_pattern(pattern: str) -> Glob:
    """A glob as `fileset` has it: `*` stays in a folder, `**` goes down, and `?`, `[…]`, `{a,b}`."""
    out = []
    index = 0
    depth = 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if pattern.startswith("**/", index - 1):
            out.append(FOLDERS)
            index += 2
        elif pattern.startswith("**", index - 1):
            out.append(ANYTHING)
            index += 1
        elif char == "*":
            out.append(NAME)
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", index + 1)) > 0:
            inner = pattern[index:end].replace("\\", "\\\\")
            out.append(_class(f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"))
            index = end + 1
        elif char == "{":
            out.append(OPEN)
            depth += 1
        elif char in "}," and depth:
            out.append(OR if char == "," else CLOSE)
            depth -= char == "}"
        else:
            out.append(re.escape(char))
    return Glob([*out, *[CLOSE] * depth])


def _class(expression: str) -> str:
    """A class of characters; one that makes no sense, such as `[z-a]`, or two, stands for any."""
    if _TWO_MEANINGS.search(expression[1:]):
        return "[^/]"
    try:
        re.compile(expression)
    except re.error:
        return "[^/]"
    return expression


def code_contents(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    """Every file in a folder of code, without documentation, tests and examples."""
    cut = len(folder) + 1 if folder else 0
    for path, content in contents(tree, folder):
        if not NOT_READ.search(path[cut:]):
            yield path, content


def _add_finding(into: FileReads, severity: Severity, code: str, use: PathUse, file: str, text: str) -> None:
    advice = "" if severity == "info" else "Name what is read under `reads:` of the stack in infra.yaml."
    message = f"{text[0].upper()}{text[1:]}."
    into.findings.append(Finding(severity, code, message, advice, file, use.line))
