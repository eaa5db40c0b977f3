"""Strings as far as the code tells them without being evaluated: literal pieces, names, and gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Ref:
    """A name inside a string: `var.x`, `local.x`, `path.module`. kind "?" is what cannot be told."""

    kind: str
    name: str = ""


Part = str | Ref
Text = tuple[Part, ...]

GAP = Ref("?")
UNKNOWN: Text = (GAP,)

# What a scope says of a name: its text and the scope in which that text is to be read; None if unknown.
Lookup = Callable[[Ref], "tuple[Text, Scope] | None"]


@dataclass(frozen=True)
class Scope:
    """Where names get their meaning: a root with its var files, or a module call with its arguments."""

    lookup: Lookup


def literal(text: Text | None) -> str | None:
    """The string when nothing in it is open, else None."""
    if text is None:
        return None
    if len(text) == 1 and isinstance(text[0], str):
        return text[0]
    return "".join(part for part in text if isinstance(part, str)) if is_literal(text) else None


def is_literal(text: Text) -> bool:
    """True when the whole string is known."""
    return all(isinstance(part, str) for part in text)


def resolve(text: Text, scope: Scope, depth: int = 0) -> Text:
    """Put the values of names in as far as `scope` tells them; `path.*` stays, the rest becomes a gap."""
    found: list[Part] = []
    for part in text:
        if isinstance(part, str) or part.kind == "path":
            found.append(part)
            continue
        known = scope.lookup(part) if depth < MAX_DEPTH and part.kind != "?" else None
        found.extend(resolve(known[0], known[1], depth + 1) if known else UNKNOWN)
    return join(found)


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
