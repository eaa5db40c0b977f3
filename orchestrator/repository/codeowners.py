"""Reads CODEOWNERS files with GitHub's rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.config.globs import matches
from orchestrator.repository.tree import Tree

# The first of these that is there counts.
PATHS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
# GitHub reads no larger file.
LARGEST = 3 * 1024 * 1024

_OWNER = re.compile(r"^(?:@[\w.-]+(?:/[\w.-]+)?|[^@\s]+@[^@\s]+\.[^@\s]+)$")


@dataclass(frozen=True)
class OwnerRule:
    """One line: a pattern and who owns what it matches, nobody when `owners` is empty."""

    pattern: str
    owners: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class CodeOwners:
    """The rules in the file's order. `file` is where they stand, None when there is no file.

    `mistakes` are lines that GitHub skips, each with what is wrong with it.
    """

    file: str | None = None
    rules: tuple[OwnerRule, ...] = ()
    mistakes: tuple[tuple[int, str], ...] = ()

    def rule(self, path: str) -> OwnerRule | None:
        """The last rule that matches a path from the repository's root."""
        for owner_rule in reversed(self.rules):
            if _is_match(owner_rule.pattern, path):
                return owner_rule
        return None

    def of(self, path: str) -> tuple[str, ...]:
        """The owners of a path: `@user`, `@org/team` or an e-mail address; none when nobody owns it."""
        rule = self.rule(path)
        return rule.owners if rule else ()


def read(tree: Tree) -> CodeOwners:
    """The CODEOWNERS of a tree whose root is the repository's; without a file there are no rules."""
    for path in PATHS:
        real = tree.find(path)
        if real is not None:
            data = tree.read(real)
            if len(data) > LARGEST:
                return CodeOwners(path, mistakes=((1, "the file is larger than 3 MB, so GitHub ignores it"),))
            return parse(data.decode("utf-8", "replace"), path)
    return CodeOwners()


def parse(text: str, file: str = PATHS[0]) -> CodeOwners:
    """The rules that a text holds. A line with a mistake is skipped, as GitHub does."""
    rules: list[OwnerRule] = []
    mistakes: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = _words(line)
        if not words:
            continue
        pattern, *owners = words
        wrong = _mistake_in(pattern, owners)
        if wrong:
            mistakes.append((number, wrong))
        else:
            rules.append(OwnerRule(pattern, tuple(owners), number))
    return CodeOwners(file, tuple(rules), tuple(mistakes))


def _words(line: str) -> list[str]:
    """The pattern and the owners; `\\ ` is a space within a pattern, `#` begins a remark."""
    words = re.findall(r"(?:\\.|[^\s\\])+", line)
    for position, word in enumerate(words):
        if word.startswith("#"):
            words = words[:position]
            break
    return [word.replace("\\ ", " ") for word in words]


def _mistake_in(pattern: str, owners: list[str]) -> str:
    """Why GitHub rejects the line; empty for a valid line."""
    if pattern.startswith("!"):
        return f"{pattern}: there is no way to take a path out with `!`"
    if "[" in pattern or "]" in pattern:
        return f"{pattern}: `[…]` does not work here"
    if pattern.startswith("\\#"):
        return f"{pattern}: a path that begins with # cannot be named"
    bad = next((owner for owner in owners if not _OWNER.match(owner)), None)
    return f"{bad} is not an owner: write @user, @org/team or an e-mail address" if bad else ""


def _is_match(pattern: str, path: str) -> bool:
    """Whether GitHub's pattern means a path: like .gitignore, but `folder/*` does not go down into folders.

    All places in the path that the pattern's beginning can lead to are followed together, so that no pattern
    takes longer than its length times the path's.
    """
    parts = [part for part in pattern.split("/") if part]
    names = path.split("/")
    if not parts:
        # "/" alone names no file.
        return False
    is_anchored = "/" in pattern.rstrip("/")
    at = {0} if is_anchored else set(range(len(names)))
    for part in parts[:-1]:
        at = set(range(min(at), len(names))) if part == "**" else _positions_after(names, at, part)
        at.discard(len(names))
        if not at:
            return False
    last = parts[-1]
    if last == "**":
        return not pattern.endswith("/") or min(at) + 1 < len(names)
    ends = _positions_after(names, at, last)
    if pattern.endswith("/"):
        return any(end < len(names) for end in ends)
    return len(names) in ends if is_anchored and last == "*" else bool(ends)


def _positions_after(names: list[str], at: set[int], part: str) -> set[int]:
    """The positions after the names that one part of a pattern matches."""
    return {position + 1 for position in at if matches(names[position], [part])}
