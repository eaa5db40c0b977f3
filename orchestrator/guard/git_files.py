"""Checks Git's own files: conversions of code, submodules, LFS.

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
from orchestrator.repository.model import Finding, Project
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


# What surely means the same to Git as to `_pattern`; only such a line is trusted to leave code alone.
PLAIN = re.compile(r"/?[A-Za-z0-9_.*?-]+(?:/[A-Za-z0-9_.*?-]+)*")
# Git skips longer lines.
LONGEST_LINE = 2_000
BLANKS = " \t\r"
MACRO = "[attr]"


@dataclass(frozen=True)
class AttributeLine:
    """One line of a `.gitattributes`: a pattern below `folder`, and what it does to converting attributes.

    `folder` is from the top of the repository, `file` from the project's root. `values` says of each
    converting attribute whether the line sets it or unsets it. `pattern` is None where it may be any.
    """

    file: str
    folder: str
    number: int
    text: str
    pattern: str | None
    values: Mapping[str, bool]


@dataclass(frozen=True)
class OuterFiles:
    """Git's own files above a project's root, by their paths from that root (`../.gitattributes`).

    `prefix` is the project's folder in the repository, empty at its top.
    """

    prefix: str = ""
    contents: Mapping[str, bytes] = field(default_factory=dict)


def check_git_files(head: Project, base: Project | None, allowed: Sequence[str]) -> Iterator[Finding]:
    """All findings of this module, including those in files above the project's root."""
    outer = _outer_files(head)
    before = _outer_files(base) if base else OuterFiles()
    yield from conversions(head.tree, outer)
    urls = {url for _, url, _, _ in _urls(base.tree, before)} if base else set()
    yield from submodules(_urls(head.tree, outer), urls, allowed)
    yield from _lfs_settings(head, base, outer, before)


def _outer_files(project: Project) -> OuterFiles:
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
    """Code files that Git converts when it checks them out.

    What sets a conversion is read as broadly as any Git may read it, what unsets one as narrowly.
    """
    outer_paths = [path for path in outer.contents if path.endswith(ATTRIBUTES_FILE)]
    files = [(path, outer.contents[path]) for path in sorted(outer_paths, key=len, reverse=True)]
    files += [(path, tree.read(path)) for path in _attribute_files(tree)]
    macros = converting_macros(data for _, data in files)
    lines = [line for path, data in files for line in read_attributes(data, path, outer.prefix, macros)]
    if not any(any(line.values.values()) for line in lines):
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
                message = f"`{line.text} {name}` converts code on checkout, such as {path}."
                advice = "Leave code as it is: give the attribute to other files only."
                yield Finding("error", "git-conversion", message, advice, line.file, line.number)


def _attribute_files(tree: Tree) -> list[str]:
    """The `.gitattributes` files, those of outer folders first: later lines override earlier ones."""
    ids = [path for path in tree.ids if posixpath.basename(path).lower() == ATTRIBUTES_FILE]
    return sorted(ids, key=lambda path: (path.count("/"), path))


def _conversions_of(path: str, lines: Sequence[AttributeLine]) -> Iterator[tuple[str, AttributeLine]]:
    effective: dict[str, AttributeLine] = {}
    for line in lines:
        for name, is_set in line.values.items():
            if is_set and _may_match(line, path):
                effective[name] = line
            elif not is_set and name in effective and _surely_matches(line, path):
                del effective[name]
    yield from effective.items()


def converting_macros(files: Iterable[bytes]) -> dict[str, frozenset[str]]:
    """The macros that may set a converting attribute, also by other macros, with those attributes.

    Git expands a macro by its last definition, whether that comes before or after its use.
    """
    mentioned_by: dict[str, set[str]] = {}
    for data in files:
        for _, text in _lines(data):
            first, words = _words(text)
            if first.startswith(MACRO):
                # The name may follow after a blank.
                names = [first.removeprefix(MACRO)] if first != MACRO else words[:1]
                for word in words:
                    mentioned_by.setdefault(_name(word), set()).update(names)
    macros: dict[str, frozenset[str]] = {}
    for attribute in CONVERTING:
        todo = [attribute]
        visited = {attribute}
        while todo:
            for macro in mentioned_by.get(todo.pop(), set()) - visited:
                visited.add(macro)
                todo.append(macro)
                macros[macro] = macros.get(macro, frozenset()) | {attribute}
    return macros


def read_attributes(
    data: bytes, path: str, prefix: str = "", macros: Mapping[str, frozenset[str]] | None = None
) -> list[AttributeLine]:
    """The lines of a `.gitattributes` file that set or unset a conversion.

    `path` is from the project's root, which is the folder `prefix` of the repository; `macros` are as in
    `converting_macros`.
    """
    folder = posixpath.normpath(posixpath.join(prefix, posixpath.dirname(path)))
    folder = "" if folder == "." else folder
    is_exact = posixpath.basename(path) == ATTRIBUTES_FILE
    lines: list[AttributeLine] = []
    for number, text in _lines(data):
        first, words = _words(text)
        if first.startswith((MACRO, "#")):
            continue
        values: dict[str, bool] = {}
        for word in words:
            name = _name(word)
            if name in CONVERTING:
                values[name] = word[0] not in "-!"
            elif word[0] not in "-!":
                values |= dict.fromkeys((macros or {}).get(name, ()), True)
        # A pattern with escapes is whatever Git makes of it.
        pattern = None if text.startswith('"') and "\\" in text else first
        if not (is_exact and len(text) <= LONGEST_LINE and PLAIN.fullmatch(_first_word(text))):
            values = {name: is_set for name, is_set in values.items() if is_set}
        if values:
            lines.append(AttributeLine(path, folder, number, first, pattern, values))
    return lines


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, as Git splits them, with their numbers."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        text = line.decode("utf-8", "surrogateescape").strip(BLANKS)
        if text:
            yield number, text


def _first_word(text: str) -> str:
    """The beginning of a line up to what Git takes for a blank; Python takes other characters for one too."""
    return re.split(f"[{BLANKS}]", text, maxsplit=1)[0]


def _words(text: str) -> tuple[str, list[str]]:
    """A line's pattern, or its macro, and its attributes."""
    quoted = re.match(r'"((?:\\.|[^"\\])*)"', text)
    first = quoted[1] if quoted else _first_word(text)
    rest = text[quoted.end() if quoted else len(first) :]
    return first, [word for word in re.split(f"[{BLANKS}]+", rest) if word]


def _name(word: str) -> str:
    return word.lstrip("-!").partition("=")[0]


def _may_match(line: AttributeLine, path: str) -> bool:
    if line.pattern is None:
        return True
    below = _path_below(line.folder, path)
    return below is not None and bool(_pattern(line.pattern, re.IGNORECASE).fullmatch(below))


def _surely_matches(line: AttributeLine, path: str) -> bool:
    """Whether each Git matches a path by a line of a plain pattern."""
    below = _path_below(line.folder, path)
    if below is None or line.pattern is None or line.pattern.count("*") > MAX_STARS:
        return False
    return bool(_pattern(line.pattern).fullmatch(below))


def _path_below(folder: str, path: str) -> str | None:
    prefix = f"{folder}/" if folder else ""
    return path[len(prefix) :] if path.startswith(prefix) else None


@cache
def _pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern of `.gitattributes`, matched too broadly rather than too narrowly."""
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
    return re.compile(expression, flags)


def _segment(part: str) -> str:
    """One part of a path as an expression; a bracket with more than letters stands for any character."""
    pieces = re.findall(r"\[[!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]])*\]|\\.|\*+|.", part)
    return "".join(map(_piece, pieces))


def _piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if len(piece) > 1 and piece[0] == "[":
        return piece if piece[1:-1].isalnum() and piece.isascii() else "[^/]"
    return "[^/]" if piece == "?" else re.escape(piece[-1])


def submodules(
    urls: Iterable[tuple[str, str, str, int]], trunk_urls: Collection[str], allowed: Sequence[str]
) -> Iterator[Finding]:
    """Submodules whose URL is new or changed and not listed in `guard.modules`."""
    for name, url, file, line in urls:
        if url not in trunk_urls and not matches(url, allowed):
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
    rows: list[tuple[str, str, int]] = []
    name = ""
    text = data.decode("utf-8", "replace")
    # A backslash at the end of a line continues it.
    for number, line in enumerate(text.replace("\\\n", "  ").splitlines(), start=1):
        section = re.match(
            r'\s*\[\s*submodule(?:\s+"((?:\\.|[^"\\])*)"\s*|\.([^\]]*))\](.*)', line, re.IGNORECASE
        )
        name = (section[1] or section[2] or "") if section else name
        setting = re.match(r"\s*url\s*=\s*(.*?)\s*$", section[3] if section else line, re.IGNORECASE)
        if setting:
            rows.append((name, setting[1].strip('"'), number))
    return rows


def _lfs_settings(
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
