"""Globs over addresses and attributes, and which ignore rule covers what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache
from pathlib import Path as File
from typing import Any

from orchestrator.config.drift import IgnoreRule

_INDEX = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_STEP = re.compile(r"(?=[.\[])")


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` are the only signs that mean something else: addresses are full of brackets."""
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in glob)
    return re.compile("".join(parts), re.DOTALL)


def matches(glob: str, text: str) -> bool:
    """Whether a whole text is what a glob says."""
    return _pattern(glob).fullmatch(text) is not None


def matches_path(glob: str, path: str) -> bool:
    """Whether a glob names an attribute, or something that the attribute is part of."""
    return any(matches(glob, one) for one in _with_parents(path))


def _with_parents(path: str) -> Iterator[str]:
    yield path
    for match in reversed(list(_STEP.finditer(path))):
        if match.start():
            yield path[: match.start()]


def covers(rule: IgnoreRule, address: str, path: str, value: Any, today: date) -> bool:
    """Whether a rule counts today and covers an attribute, or with an empty path a whole resource."""
    if rule.until < today or not matches(rule.address, address):
        return False
    if not path:
        return rule.attribute == "*" and rule.value is None
    if not matches_path(rule.attribute, path):
        return False
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return rule.value is None or re.search(rule.value, text) is not None


def is_volatile(globs: Iterable[str], kind: str, path: str) -> bool:
    """Whether an attribute of a type changes by itself, as globs over TYPE.ATTRIBUTE say."""
    plain = _INDEX.sub("", path)
    for glob in globs:
        of_type, _, of_attribute = glob.partition(".")
        if matches(of_type, kind) and matches_path(of_attribute, plain):
            return True
    return False


@cache
def shipped_volatile() -> tuple[str, ...]:
    """The globs that infra knows by itself."""
    document = _shipped()
    found = [f"*.{name}" for name in document["any"]["attributes"]]
    for kind, names in document["types"].items():
        found += [f"{kind}.{name}" for name in names]
    return tuple(found)


def is_content(kind: str, path: str) -> bool:
    """Whether an attribute of a type stands for content that its provider does not read."""
    return path in _shipped()["content"].get(kind, ())


@cache
def _shipped() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(File(__file__).with_name("volatile.toml").read_text(encoding="utf-8"))
