"""HCL → syntax tree, attributes, strings. The only module that touches tree-sitter.

Expressions are never evaluated: a value is a string as far as the code spells it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import tree_sitter
import tree_sitter_hcl

from orchestrator.project.text import GAP, UNKNOWN, Part, Ref, Text, join, literal

# A number that HCL knows and the grammar does not: an exponent without a fraction.
EXPONENT = re.compile(rb"(?<![\w.\"])(\d+)[eE](?=[-+]?\d)")
ESCAPE = re.compile(r'\\(?:(["\\nrt])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([$%])(?=[$%]\{)(?=\4)')
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}

Node = tree_sitter.Node


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def syntax_tree(data: bytes) -> tuple[Node, tuple[int | None, str] | None]:
    """The syntax tree, and the place and text of its first error."""
    root = _parser().parse(data).root_node
    if root.has_error and EXPONENT.search(data):
        # Same length, so every offset still fits the bytes as they are.
        root = _parser().parse(EXPONENT.sub(rb"\g<1>0", data).replace(b"0-", b"00")).root_node
    return root, _first_error(root, data) if root.has_error else None


def _first_error(root: Node, data: bytes) -> tuple[int, str]:
    node = root
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    # A tree that is an error from its first byte on tells more by what inside it is one.
    while node.is_error and (inner := next((c for c in node.children if c.is_error), None)) is not None:
        node = inner
    # What is missing at the end of a file is told at its last line.
    line = data[: min(node.start_byte, len(data.rstrip()))].count(b"\n") + 1
    at = data.splitlines()[line - 1 : line]
    return line, at[0].decode("utf-8", "replace").strip()[:80] if at else ""


def body_of(node: Node) -> Node | None:
    return next((child for child in node.named_children if child.type == "body"), None)


def blocks_of(node: Node) -> Iterator[Node]:
    body = body_of(node)
    yield from (child for child in (body.named_children if body else ()) if child.type == "block")


class Code:
    """The bytes of one file, and how to read the nodes of its tree."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def head(self, node: Node) -> list[str]:
        """The type of a block and its labels."""
        words = []
        for child in node.named_children:
            if child.type == "identifier":
                words.append(self.raw(child))
            elif child.type == "string_lit":
                words.append(unescape(self.raw(child)[1:-1]))
            else:
                break
        return words

    def attributes(self, body: Node | None) -> Iterator[tuple[str, Node]]:
        """Names and expressions of the attributes directly in a body."""
        for child in body.named_children if body else ():
            if child.type == "attribute":
                parts = child.named_children
                if len(parts) >= 2:
                    yield self.raw(parts[0]), parts[1]

    def known(self, node: Node) -> dict[str, Text]:
        """The attributes of a block that are strings, or names of strings."""
        found = ((name, self.text(value)) for name, value in self.attributes(body_of(node)))
        return {name: text for name, text in found if text != UNKNOWN}

    def is_object(self, expression: Node) -> bool:
        return inner(expression, "collection_value", "object") is not None

    def object(self, expression: Node) -> dict[str, Text]:
        """The elements of an object whose keys are literal."""
        node = inner(expression, "collection_value", "object")
        found: dict[str, Text] = {}
        for element in node.named_children if node else ():
            if element.type == "object_elem":
                key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
                if key is not None and value is not None:
                    bare = inner(key, "variable_expr")
                    name = self.raw(bare) if bare and key.named_child_count == 1 else literal(self.text(key))
                    if name is not None:
                        found[name] = self.text(value)
        return found

    def text(self, expression: Node) -> Text:
        """An expression as a string, as far as it can be told."""
        children = expression.named_children
        if len(children) != 1:
            return self.name(children)
        node = children[0]
        match node.type:
            case "literal_value":
                only = node.named_children[0] if node.named_child_count else None
                if only is None or only.type == "null_lit":
                    return UNKNOWN
                return (unescape(self.raw(only)[1:-1]) if only.type == "string_lit" else self.raw(only),)
            case "template_expr":
                return self.template(node.named_children[0])
            case "function_call":
                arguments = self.arguments(node)
                named = self.raw(node.named_children[0])
                return self.text(arguments[0]) if named == "abspath" and len(arguments) == 1 else UNKNOWN
            case "expression":
                return self.text(node)
            case _:
                return UNKNOWN

    def name(self, children: list[Node]) -> Text:
        """`var.x`, `local.x` or `path.x`; anything longer or else cannot be told."""
        if len(children) == 2 and children[0].type == "variable_expr" and children[1].type == "get_attr":
            kind, name = self.raw(children[0]), self.raw(children[1]).lstrip(". \t\n")
            if kind in ("var", "local", "path"):
                return (Ref(kind, name),)
        return UNKNOWN

    def template(self, node: Node) -> Text:
        """A string with interpolations. Literals are cut from the bytes, since the grammar drops blanks."""
        quoted = node.type == "quoted_template"
        start, end = self.inside(node, quoted)
        parts: list[Part] = []
        for child in node.named_children:
            if child.type in ("template_interpolation", "template_directive"):
                parts.append(self.literal(start, child.start_byte, quoted))
                code = next((one for one in child.named_children if one.type == "expression"), None)
                told = code is not None and child.type == "template_interpolation"
                parts.extend(self.text(code) if told and code is not None else (GAP,))
                start = child.end_byte
        parts.append(self.literal(start, end, quoted))
        return join(parts)

    def inside(self, node: Node, quoted: bool) -> tuple[int, int]:
        """Where the content of a template begins and ends."""
        if quoted:
            return node.start_byte + 1, node.end_byte - 1
        marks = [child for child in node.named_children if child.type == "heredoc_identifier"]
        start = self.data.find(b"\n", marks[0].end_byte) + 1
        end = self.data.rfind(b"\n", 0, marks[-1].start_byte) + 1
        return start, max(start, end)

    def literal(self, start: int, end: int, quoted: bool) -> str:
        raw = self.data[start:end].decode("utf-8", "surrogateescape")
        return unescape(raw) if quoted else raw.replace("$${", "${").replace("%%{", "%{")

    def arguments(self, call: Node) -> list[Node]:
        """The expressions between the parentheses of a call."""
        node = next((child for child in call.named_children if child.type == "function_arguments"), None)
        return [child for child in node.named_children if child.type == "expression"] if node else []

    def raw(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def line(self, node: Node) -> int:
        return node.start_point.row + 1


def inner(node: Node, *types: str) -> Node | None:
    """Follow first children of the given types down; None when one is missing."""
    found: Node | None = node
    for wanted in types:
        found = (
            next((child for child in found.named_children if child.type == wanted), None) if found else None
        )
    return found


def unescape(raw: str) -> str:
    """A quoted string's content without its escapes."""
    if "\\" not in raw and "${" not in raw and "%{" not in raw:
        return raw
    return ESCAPE.sub(_unescaped, raw)


def _unescaped(match: re.Match[str]) -> str:
    simple, short, long, doubled = match.groups()
    if doubled:
        return ""
    return ESCAPES[simple] if simple else chr(int(short or long, 16))
