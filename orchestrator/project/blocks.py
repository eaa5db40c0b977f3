"""HCL → blocks, attributes and strings with their lines, for whoever looks at how the code is written."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.repository.hcl.syntax import Node, syntax_tree, unescape

if TYPE_CHECKING:
    from orchestrator.repository.source import Source

ROOT = ""
# In a quoted string these are code; the rest is what it says.
CODE_IN_STRING = ("template_interpolation", "template_directive")


@dataclass(frozen=True)
class Attribute:
    """`name = value`. `source` is the expression as it is written, `line` that of the name.

    `value` is the string when the expression is a plain one. `elements` are those of an object, by key.
    """

    name: str
    source: str
    line: int
    value: str | None = None
    elements: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class String:
    """A string inside a block: its text (gaps where it holds code), and the names that lead to it."""

    text: str
    line: int
    path: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A block, or with an empty `kind` a whole file."""

    kind: str
    labels: tuple[str, ...]
    line: int
    attributes: Mapping[str, Attribute]
    blocks: tuple[Block, ...]
    strings: tuple[String, ...]

    def of(self, kind: str) -> tuple[Block, ...]:
        """The blocks of a kind directly inside."""
        return tuple(block for block in self.blocks if block.kind == kind)

    @property
    def name(self) -> str:
        """The last label; empty without any."""
        return self.labels[-1] if self.labels else ""


def read(data: bytes) -> Block:
    """A file as one block. What does not parse is left out; `terraform validate` tells about it."""
    root, _ = syntax_tree(data)
    body = next((child for child in root.named_children if child.type == "body"), None)
    attributes, blocks = _body(data, body)
    return Block(ROOT, (), 1, attributes, blocks, tuple(_strings(data, body, ())))


def of_folder(source: Source, folder: str) -> list[tuple[str, Block]]:
    """The Terraform files of a folder as blocks, each with its path from the project's root."""
    from orchestrator.project.jsonblocks import read as read_json

    found = []
    for name, path in source.code(folder):
        data = source.tree.read(path)
        block = read_json(data) if name.endswith(".json") else read(data)
        found.append((posixpath.join(folder, name), block))
    return found


def _body(data: bytes, body: Node | None) -> tuple[dict[str, Attribute], tuple[Block, ...]]:
    attributes: dict[str, Attribute] = {}
    blocks = []
    for child in body.named_children if body else ():
        if child.type == "attribute" and len(child.named_children) >= 2:
            key, value = child.named_children[:2]
            name = _raw(data, key)
            attributes[name] = _attribute(data, name, value, _line(key))
        elif child.type == "block":
            blocks.append(_block(data, child))
    return attributes, tuple(blocks)


def _block(data: bytes, node: Node) -> Block:
    words: list[str] = []
    for child in node.named_children:
        if child.type == "identifier":
            words.append(_raw(data, child))
        elif child.type == "string_lit":
            words.append(unescape(_raw(data, child)[1:-1]))
        else:
            break
    body = next((child for child in node.named_children if child.type == "body"), None)
    attributes, blocks = _body(data, body)
    return Block(words[0], tuple(words[1:]), _line(node), attributes, blocks, tuple(_strings(data, body, ())))


def _attribute(data: bytes, name: str, expression: Node, line: int) -> Attribute:
    plain = _plain(data, expression)
    elements = {one.name: one for one in _elements(data, expression)}
    return Attribute(name, _raw(data, expression), line, plain, elements)


def _elements(data: bytes, expression: Node) -> Iterator[Attribute]:
    """The elements of an object written with literal keys."""
    node = expression
    for kind in ("collection_value", "object"):
        found = next((child for child in node.named_children if child.type == kind), None)
        if found is None or (node.named_child_count != 1 and kind == "collection_value"):
            return
        node = found
    for element in node.named_children:
        key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
        if element.type == "object_elem" and key is not None and value is not None:
            name = _plain(data, key)
            yield _attribute(data, _raw(data, key) if name is None else name, value, _line(key))


def _plain(data: bytes, expression: Node) -> str | None:
    """The text of an expression that is a string without code."""
    strings = list(_strings(data, expression, ()))
    whole = _raw(data, expression).strip()
    if len(strings) != 1 or not (whole.startswith('"') and whole.endswith('"')) or "${" in whole:
        return None
    return strings[0].text if expression.named_child_count == 1 else None


def _strings(data: bytes, node: Node | None, path: tuple[str, ...]) -> Iterator[String]:
    """Every string below a node, with the names of blocks, attributes and object keys on the way."""
    for child in node.named_children if node is not None else ():
        if child.type == "string_lit" or child.type in ("quoted_template", "heredoc_template"):
            yield String(_text(data, child), _line(child), path)
            for code in (one for one in child.named_children if one.type in CODE_IN_STRING):
                yield from _strings(data, code, path)
        elif child.type == "block":
            head = child.named_children[0]
            body = next((one for one in child.named_children if one.type == "body"), None)
            yield from _strings(data, body, (*path, _raw(data, head)))
        elif child.type == "attribute":
            head, *rest = child.named_children
            for one in rest:
                yield from _strings(data, one, (*path, _raw(data, head)))
        elif child.type == "object_elem":
            key, value = child.child_by_field_name("key"), child.child_by_field_name("val")
            name = _raw(data, key).strip('"') if key is not None else "?"
            yield from _strings(data, value, (*path, name))
        else:
            yield from _strings(data, child, path)


def _text(data: bytes, node: Node) -> str:
    """What a string says, its code left out."""
    literal = (one for one in node.named_children if one.type == "template_literal")
    return unescape("".join(_raw(data, one) for one in literal))


def _raw(data: bytes, node: Node) -> str:
    return data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")


def _line(node: Node) -> int:
    return node.start_point.row + 1
