"""Flattens the arguments and nested blocks of a block into one list of settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.repository.hcl import Block, Expression
from orchestrator.repository.hcl.text import Text


@dataclass(frozen=True, slots=True)
class Setting:
    """An argument or a nested block, and the names that lead to it.

    `text` is None for a block, an object and a list. `is_open` is true for a value that may hold names which
    cannot be determined.
    """

    path: tuple[str, ...]
    line: int | None
    text: Text | None = None
    is_open: bool = False

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path[-1]


def settings_of(block: Block, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """The settings of a block at any depth, `dynamic` blocks and lists looked through."""
    for name, attribute in block.attributes.items():
        yield from _of_expression(attribute.expression, (*path, name), attribute.line)
    if block.is_json:
        # In JSON every block is an attribute too.
        return
    for kind, body in block.nested():
        yield Setting((*path, kind), body.line)
        yield from settings_of(body, (*path, kind))


def _of_expression(expression: Expression, path: tuple[str, ...], line: int | None) -> Iterator[Setting]:
    elements, members = expression.elements, expression.members
    if elements is not None:
        yield Setting(path, line)
        for name, element in elements.items():
            yield from _of_expression(element, (*path, name), element.line)
    elif members is not None:
        yield Setting(path, line)
        for member in members:
            yield from _of_expression(member, path, member.line)
    else:
        yield Setting(path, line, expression.text, is_open=expression.string is None)
