"""Git's own files: conversions of code, submodules, LFS.

A conversion makes the files of a checkout differ from those that were reviewed; a submodule or an LFS server
decides what a checkout holds.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    r"(?:^|/)(?:[^/]+\.(?:tf|tofu|tfvars|tftest|tofutest|tfbackend|hcl|rego)(?:\.json)?|infra\.ya?ml"
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

    A value of None unsets an attribute.
    """

    file: str
    folder: str
    number: int
    pattern: str
    values: Values


def conversions(tree: Tree) -> Iterator[Finding]:
    """Code files that Git converts when it checks them out."""
    lines = [line for path in _attribute_files(tree) for line in read_attributes(tree.read(path), path)]
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
        for name, line in _conversions_of(path, lines):
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


def read_attributes(data: bytes, path: str) -> list[AttributeLine]:
    """The lines of a `.gitattributes` file that set or unset a conversion, macros expanded."""
    folder = posixpath.dirname(path)
    macros: dict[str, Values] = {}
    lines: list[AttributeLine] = []
    for number, text in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        words = re.findall(r'"(?:\\.|[^"\\])*"|\S+', text)
        if not words or words[0].startswith("#"):
            continue
        # Each attribute once: macros of macros could multiply them without end.
        values = tuple({name: value for word in words[1:] for name, value in _expanded(word, macros)}.items())
        if words[0].startswith("[attr]"):
            macros[words[0].removeprefix("[attr]")] = values
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


def submodules(head: Project, base: Project | None, allowed: Sequence[str]) -> Iterator[Finding]:
    """Submodules whose URL is new or changed and not listed in `guard.modules`."""
    known = {url for _, url, _ in _urls(base.tree)} if base else set()
    for name, url, line in _urls(head.tree):
        if url not in known and not matches(url, allowed):
            message = f"The Git submodule {name!r} comes from {url}, which trunk does not know."
            advice = f"An owner lists it on trunk: `guard: {{modules: […, {url!r}]}}` in infra.yaml."
            yield Finding("error", "submodule", message, advice, MODULES_FILE, line)


def _urls(tree: Tree) -> list[tuple[str, str, int]]:
    """Name, URL and line of each submodule."""
    if MODULES_FILE not in tree.ids:
        return []
    found: list[tuple[str, str, int]] = []
    name = ""
    text = tree.read(MODULES_FILE).decode("utf-8", "replace")
    # A backslash at the end of a line continues it.
    for number, line in enumerate(text.replace("\\\n", "  ").splitlines(), start=1):
        section = re.match(r'\s*\[\s*submodule\s+"((?:\\.|[^"\\])*)"\s*\](.*)', line, re.IGNORECASE)
        name = section[1] if section else name
        setting = re.match(r"\s*url\s*=\s*(.*?)\s*$", section[2] if section else line, re.IGNORECASE)
        if setting:
            found.append((name, setting[1].strip('"'), number))
    return found


def lfs_settings(head: Project, base: Project | None) -> Iterator[Finding]:
    """A new or changed `.lfsconfig`: it names the server that large files come from."""
    content = head.tree.ids.get(LFS_FILE)
    before = base.tree.ids.get(LFS_FILE) if base else content
    if content is not None and content != before:
        message = "This names the server that Git LFS takes files from, and gets credentials for it."
        advice = "Leave it out, or keep trunk's."
        yield Finding("error", "lfs-config", message, advice, LFS_FILE, 1)
