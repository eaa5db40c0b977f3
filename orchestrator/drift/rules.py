"""Matches addresses and attributes against globs and ignore rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path as File
from typing import Any

from orchestrator.config.drift import IgnoreRule
from orchestrator.config.expressions import parse_expression
from orchestrator.config.globs import matches
from orchestrator.plan.addresses import without_keys

_STEP = re.compile(r"(?=[.\[])")


def matches_path(glob: str, path: str) -> bool:
    """Whether a glob matches an attribute or one of its parents."""
    return any(matches(parent, (glob,)) for parent in _with_parents(path))


def _with_parents(path: str) -> Iterator[str]:
    yield path
    for match in reversed(list(_STEP.finditer(path))):
        if match.start():
            yield path[: match.start()]


def covers(rule: IgnoreRule, address: str, path: str, value: Any, today: date) -> bool:
    """Whether a rule is in force and covers an attribute, or with an empty path the whole resource."""
    if rule.until < today or not matches(address, (rule.address,)):
        return False
    if not path:
        return rule.attribute == "*" and rule.value is None
    if not matches_path(rule.attribute, path):
        return False
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return rule.value is None or parse_expression(rule.value).search(text)


def is_volatile(globs: Iterable[str], kind: str, path: str) -> bool:
    """Whether an attribute of a type changes by itself, as globs over TYPE.ATTRIBUTE say."""
    plain = without_keys(path)
    for glob in globs:
        of_type, _, of_attribute = glob.partition(".")
        if matches(kind, (of_type,)) and matches_path(of_attribute, plain):
            return True
    return False


@cache
def shipped_volatile() -> tuple[str, ...]:
    """The globs of volatile attributes that infra ships."""
    document = _shipped()
    globs = [f"*.{name}" for name in document["any"]["attributes"]]
    for kind, names in document["types"].items():
        globs += [f"{kind}.{name}" for name in names]
    return tuple(globs)


def is_content(kind: str, path: str) -> bool:
    """Whether an attribute represents content that the provider does not read back."""
    return path in _shipped()["content"].get(kind, ())


@cache
def _shipped() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(File(__file__).with_name("volatile.toml").read_text(encoding="utf-8"))
