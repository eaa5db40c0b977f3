"""Git's own files: conversions of code, submodules, LFS.

A conversion makes the files of a checkout differ from those that were reviewed; a submodule or an LFS server
decides what a checkout holds.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from orchestrator.config.globs import matches
from orchestrator.project.model import Finding, Project
from orchestrator.repository.tree import Tree

ATTRIBUTES_FILE = ".gitattributes"
MODULES_FILE = ".gitmodules"
LFS_FILE = ".lfsconfig"
# Attributes by which Git writes other bytes to a checkout than the repository holds.
CONVERTING = ("working-tree-encoding", "ident", "filter")
CODE = re.compile(
    r"(?:^|/)(?:[^/]+\.(?:tf|tofu|tfvars|tfquery|tftest|tofutest|tfbackend|hcl|rego)(?:\.json)?|infra\.ya?ml"
    r"|\.gitattributes|\.gitmodules|CODEOWNERS)$",
    re.IGNORECASE,
)
# A pattern with more stars than this counts as one that matches everything: matching it could take forever.
MAX_STARS = 5
MAX_LINES = 500


Values = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class AttributeLine:
    """One line of a `.gitattributes`: a pattern below `folder`, and the converting attributes that it sets.

    `folder` is from the top of the repository, `file` from the project's root. A value of None unsets an
    attribute.
    """

    file: str
    folder: str
    number: int
    pattern: str
    values: Values


@dataclass(frozen=True)
class OuterFiles:
    """Git's own files above a project's root, by their paths from that root (`../.gitattributes`).

    `prefix` is the project's folder in the repository, empty at its top.
    """

    prefix: str = ""
    contents: Mapping[str, bytes] = field(default_factory=dict)


def judge(head: Project, base: Project | None, allowed: Sequence[str]) -> Iterator[Finding]:
    """All of this module's findings, those of files above the project's root included."""
    outer = outer_files(head)
    before = outer_files(base) if base else OuterFiles()
    yield from conversions(head.tree, outer)
    known = {url for _, url, _, _ in _urls(base.tree, before)} if base else set()
    yield from submodules(_urls(head.tree, outer), known, allowed)
    yield from lfs_settings(head, base, outer, before)


def outer_files(project: Project) -> OuterFiles:
    """The files above a project's root, as its commit or the working tree has them."""
    repository = project.repository
    folder = repository.prefix.removesuffix("/")
    if not folder:
        return OuterFiles()
    parts = folder.split("/")
    parents = ["/".join(parts[:depth]) for depth in range(len(parts))]
    paths = [
        posixpath.join(parent, name)
        for parent in parents
        for name in (ATTRIBUTES_FILE, MODULES_FILE, LFS_FILE)
    ]
    contents = repository.files_from_top(paths, project.tree.commit)
    return OuterFiles(folder, {posixpath.relpath(path, folder): data for path, data in contents.items()})


def conversions(tree: Tree, outer: OuterFiles) -> Iterator[Finding]:
    """Code files that Git converts when it checks them out."""
    outer_paths = [path for path in outer.contents if path.endswith(ATTRIBUTES_FILE)]
    files = [(path, outer.contents[path]) for path in sorted(outer_paths, key=len, reverse=True)]
    files += [(path, tree.read(path)) for path in _attribute_files(tree)]
    macros: dict[str, Values] = {}
    lines = [line for path, data in files for line in read_attributes(data, path, outer.prefix, macros)]
    if not any(value is not None for line in lines for _, value in line.values):
        return
    if len(lines) > MAX_LINES:
        message = f"{len(lines)} lines set attributes that convert files; the guard reads {MAX_LINES}."
        advice = "Use fewer lines, with patterns."
        yield Finding("error", "git-conversion", message, advice, lines[0].file, lines[0].number)
        return
    reported: set[tuple[str, int]] = set()
    for path in tree.ids:
        if not CODE.search(path):
            continue
        for name, line in _conversions_of(posixpath.join(outer.prefix, path), lines):
            if (line.file, line.number) not in reported:
                reported.add((line.file, line.number))
                message = f"`{line.pattern} {name}` converts code on checkout, such as {path}."
                advice = "Leave code as it is: give the attribute to other files only."
                yield Finding("error", "git-conversion", message, advice, line.file, line.number)


def _attribute_files(tree: Tree) -> list[str]:
    """The `.gitattributes` files, those of outer folders first: later lines override earlier ones."""
    found = [path for path in tree.ids if posixpath.basename(path).lower() == ATTRIBUTES_FILE]
    return sorted(found, key=lambda path: (path.count("/"), path))


def _conversions_of(path: str, lines: Sequence[AttributeLine]) -> Iterator[tuple[str, AttributeLine]]:
    effective: dict[str, AttributeLine | None] = {}
    for line in lines:
        if _matches_path(line, path):
            for name, value in line.values:
                effective[name] = line if value is not None else None
    for name, setting in effective.items():
        if setting is not None:
            yield name, setting


def read_attributes(
    data: bytes, path: str, prefix: str = "", macros: dict[str, Values] | None = None
) -> list[AttributeLine]:
    """The lines of a `.gitattributes` file that set or unset a conversion, macros expanded.

    `path` is from the project's root, which is the folder `prefix` of the repository. `macros` are those of
    outer folders; this file's are added.
    """
    folder = posixpath.normpath(posixpath.join(prefix, posixpath.dirname(path)))
    folder = "" if folder == "." else folder
    macros = {} if macros is None else macros
    lines: list[AttributeLine] = []
    for number, text in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        words = re.findall(r'"(?:\\.|[^"\\])*"|\S+', text)
        if not words or words[0].startswith("#"):
            continue
        # Each attribute once: macros of macros could multiply them without end.
        values = tuple({name: value for word in words[1:] for name, value in _expanded(word, macros)}.items())
        if words[0].startswith("[attr]"):
            name = words[0].removeprefix("[attr]")
            # Git takes macros from the top of the repository alone.
            macros[name] = macros.get(name, values) if folder else values
        elif values:
            lines.append(AttributeLine(path, folder, number, _unquoted(words[0]), values))
    return lines


def _expanded(word: str, macros: dict[str, Values]) -> Values:
    is_unset = word[0] in "-!"
    name, _, value = word.lstrip("-!").partition("=")
    if name in CONVERTING:
        return ((name, None if is_unset else value),)
    return () if is_unset else macros.get(name, ())


def _unquoted(word: str) -> str:
    if not (word.startswith('"') and word.endswith('"') and len(word) > 1):
        return word
    return re.sub(r"\\(.)", r"\1", word[1:-1])


def _matches_path(line: AttributeLine, path: str) -> bool:
    prefix = f"{line.folder}/" if line.folder else ""
    return path.startswith(prefix) and bool(_pattern(line.pattern).fullmatch(path[len(prefix) :]))


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of `.gitattributes`; case is ignored, as some file systems do."""
    if pattern.count("*") > MAX_STARS:
        return re.compile(".*")
    anchored = "/" in pattern.rstrip("/")
    parts = [part for part in pattern.strip("/").split("/") if part]
    expression = "" if anchored else "(?:[^/]*/)*"
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part == "**":
            expression += ".*" if is_last else "(?:[^/]*/)*"
        else:
            expression += _segment(part) + ("" if is_last else "/")
    return re.compile(expression, re.IGNORECASE)


def _segment(part: str) -> str:
    """One part of a path as an expression; a bracket stands for any character, so that none is missed."""
    pieces = re.findall(r"\[\]?[^\]]*\]|\\.|\*+|.", part)
    return "".join(
        "[^/]*"
        if piece.startswith("*")
        else "[^/]"
        if piece == "?" or (len(piece) > 1 and piece[0] == "[")
        else re.escape(piece[-1])
        for piece in pieces
    )


def submodules(
    urls: Iterable[tuple[str, str, str, int]], known: Collection[str], allowed: Sequence[str]
) -> Iterator[Finding]:
    """Submodules whose URL is new or changed and not listed in `guard.modules`."""
    for name, url, file, line in urls:
        if url not in known and not matches(url, allowed):
            message = f"The Git submodule {name!r} comes from {url}, which trunk does not know."
            advice = f"An owner lists it on trunk: `guard: {{modules: […, {url!r}]}}` in infra.yaml."
            yield Finding("error", "submodule", message, advice, file, line)


def _urls(tree: Tree, outer: OuterFiles) -> list[tuple[str, str, str, int]]:
    """Name, URL, file and line of each submodule."""
    files = {path: data for path, data in outer.contents.items() if path.endswith(MODULES_FILE)}
    if MODULES_FILE in tree.ids:
        files[MODULES_FILE] = tree.read(MODULES_FILE)
    return [
        (name, url, file, line) for file, data in files.items() for name, url, line in read_submodules(data)
    ]


def read_submodules(data: bytes) -> list[tuple[str, str, int]]:
    """Name, URL and line of each submodule in a `.gitmodules` file."""
    found: list[tuple[str, str, int]] = []
    name = ""
    text = data.decode("utf-8", "replace")
    # A backslash at the end of a line continues it.
    for number, line in enumerate(text.replace("\\\n", "  ").splitlines(), start=1):
        section = re.match(r'\s*\[\s*submodule\s+"((?:\\.|[^"\\])*)"\s*\](.*)', line, re.IGNORECASE)
        name = section[1] if section else name
        setting = re.match(r"\s*url\s*=\s*(.*?)\s*$", section[2] if section else line, re.IGNORECASE)
        if setting:
            found.append((name, setting[1].strip('"'), number))
    return found


def lfs_settings(
    head: Project, base: Project | None, outer: OuterFiles, before: OuterFiles
) -> Iterator[Finding]:
    """A new or changed `.lfsconfig`: it names the server that large files come from."""
    if base is None:
        return
    changed = [path for path in outer.contents if outer.contents[path] != before.contents.get(path)]
    paths = [path for path in changed if path.endswith(LFS_FILE)]
    content = head.tree.ids.get(LFS_FILE)
    paths += [LFS_FILE] if content not in (None, base.tree.ids.get(LFS_FILE)) else []
    for path in paths:
        message = "This names the server that Git LFS takes files from, and gets credentials for it."
        yield Finding("error", "lfs-config", message, "Leave it out, or keep trunk's.", path, 1)
