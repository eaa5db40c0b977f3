"""Strings as far as the code tells them without being evaluated: literal pieces, names, and gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_DEPTH = 12
# More pieces than any real string has: names that double themselves grow without end.
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Ref:
    """A name inside a string: `var.x`, `local.x`, `path.module`, `each.key`.

    Kinds that stand for no name in the code: "?" is unknown, "null" is the value null, "key" and "item" are
    the keys and values of the collection in the local of that name, "folder" is the folder of that path
    from the project's root: `path.module` of a caller.
    """

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """The name of a file that `fileset(folder, pattern)` finds, relative to that folder."""

    folder: Text
    pattern: Text


Part = str | Ref | Listed
Text = tuple[Part, ...]

GAP = Ref("?")
PATH_MODULE = Ref("path", "module")
UNKNOWN: Text = (GAP,)
NULL: Text = (Ref("null"),)

# What a scope says of a name: its text and the scope in which that text is to be read; None if unknown.
Lookup = Callable[[Ref], "tuple[Text, NameScope] | None"]


@dataclass(frozen=True)
class NameScope:
    """Where names get their meaning: a root with its var files, or a module call with its arguments.

    `folder` is that of the code, None where `path.module` never leaves it.
    """

    lookup: Lookup
    folder: str | None = None


def literal(text: Text | None) -> str | None:
    """The string when nothing in it is open, else None."""
    if text is None:
        return None
    if len(text) == 1 and isinstance(text[0], str):
        return text[0]
    return "".join(part for part in text if isinstance(part, str)) if _is_literal(text) else None


def _is_literal(text: Text) -> bool:
    """True when the whole string is known."""
    return all(isinstance(part, str) for part in text)


def resolve(text: Text, scope: NameScope) -> Text:
    """Put the values of names in as far as `scope` tells them; `path.*` stays, the rest becomes a gap.

    `path.module` of another scope, from which a value comes, becomes its folder. A value that grows beyond
    MAX_PARTS on the way cannot be determined.
    """
    return _Resolver(scope.folder).resolve(text, scope, 0)


class _Resolver:
    """Replaces names by their values; names that lead to names are followed MAX_DEPTH deep."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self.parts = 0

    def resolve(self, text: Text, scope: NameScope, depth: int) -> Text:
        self.parts += len(text)
        if depth > MAX_DEPTH or self.parts > MAX_PARTS:
            return UNKNOWN
        resolved: list[Part] = []
        for part in text:
            if isinstance(part, str):
                resolved.append(part)
            elif isinstance(part, Ref) and part.kind in ("path", "folder"):
                is_foreign = part == PATH_MODULE and scope.folder not in (None, self.folder)
                resolved.append(Ref("folder", scope.folder or "") if is_foreign else part)
            elif isinstance(part, Listed):
                folder = self.resolve(part.folder, scope, depth + 1)
                resolved.append(Listed(folder, self.resolve(part.pattern, scope, depth + 1)))
            else:
                lookup = scope.lookup(part) if part.kind not in ("?", "null") else None
                resolved.extend(self.resolve(lookup[0], lookup[1], depth + 1) if lookup else UNKNOWN)
        return join(resolved) if self.parts <= MAX_PARTS else UNKNOWN


def join(parts: list[Part]) -> Text:
    """The parts with neighbouring literals made one."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined) or ("",)


def literal_prefix(text: Text) -> str:
    """The known beginning of a string; empty when it begins with a name."""
    return text[0] if text and isinstance(text[0], str) else ""
