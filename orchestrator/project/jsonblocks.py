"""Terraform's JSON files as blocks. JSON keeps no lines: every block stands on line 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orchestrator.project.blocks import Attribute, Block, String

# How many labels a kind of block has; what is not here has none.
LABELS = {
    "resource": 2,
    "data": 2,
    "module": 1,
    "variable": 1,
    "output": 1,
    "provider": 1,
    "run": 1,
    "backend": 1,
}
# Where in a block an object is a block, and not a value.
NESTED = frozenset(
    {"assert", "validation", "module", "terraform", "required_providers", "backend", "lifecycle"}
)


def read(data: bytes, *kinds: str) -> Block:
    """A file as one block, its top-level blocks of `kinds` alone (all when none are named)."""
    try:
        document = json.loads(data)
    except ValueError:
        document = {}
    blocks: list[Block] = []
    for kind, content in document.items() if isinstance(document, dict) else ():
        if not kinds or kind in kinds:
            blocks += _labelled(kind, (), content, LABELS.get(kind, 0))
    return Block("", (), 1, {}, tuple(blocks), ())


def labelled_objects(data: bytes) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """The top-level blocks of a file as the objects that they are: kind, labels, content."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    for kind, content in document.items() if isinstance(document, dict) else ():
        yield from _objects(kind, (), content, LABELS.get(kind, 0))


def _objects(
    kind: str, labels: tuple[str, ...], content: Any, left: int
) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    for one in content if isinstance(content, list) else [content]:
        if isinstance(one, dict) and left:
            for name, below in one.items():
                yield from _objects(kind, (*labels, name), below, left - 1)
        elif isinstance(one, dict):
            yield kind, labels, one


def _labelled(kind: str, labels: tuple[str, ...], content: Any, left: int) -> Iterator[Block]:
    for _, found, one in _objects(kind, labels, content, left):
        yield _block(kind, found, one)


def _block(kind: str, labels: tuple[str, ...], content: dict[str, Any]) -> Block:
    blocks: list[Block] = []
    attributes: dict[str, Attribute] = {}
    for name, value in content.items():
        if name in NESTED:
            blocks += _labelled(name, (), value, LABELS.get(name, 0))
        else:
            attributes[name] = _attribute(name, value)
    return Block(kind, labels, 1, attributes, tuple(blocks), tuple(strings_in(content, ())))


def _attribute(name: str, value: Any) -> Attribute:
    plain = value if isinstance(value, str) and "${" not in value else None
    elements = {key: _attribute(key, one) for key, one in value.items()} if isinstance(value, dict) else {}
    return Attribute(name, json.dumps(value, ensure_ascii=False), 1, plain, elements)


def strings_in(value: Any, path: tuple[str, ...] = ()) -> Iterator[String]:
    if isinstance(value, str):
        yield String(value, 1, path)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from strings_in(below, (*path, key))
    elif isinstance(value, list):
        for below in value:
            yield from strings_in(below, path)
