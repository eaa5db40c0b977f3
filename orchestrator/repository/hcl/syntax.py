"""HCL → syntax tree, attributes, strings. The only module that touches tree-sitter.

Expressions are never evaluated: a value is a string as far as the code spells it out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import tree_sitter
import tree_sitter_hcl

from orchestrator.repository.hcl.text import GAP, NULL, UNKNOWN, Listed, Part, Ref, Text, join, literal

# Beyond these a file is not read: parsing takes memory and time that no code which people write needs. A
# syntax tree takes up to 200 bytes for each byte that counts.
MAX_BYTES = 1024 * 1024
# Each word or sign has several nodes in the tree, and counts as that many bytes. Code that people write has
# one in four bytes.
TOKEN_BYTES = 3
# Smaller files are not worth counting.
UNCOUNTED = 64 * 1024
SIGNS = b'()[]{},.:?="$'
SPACED_WORDS = bytes(
    byte if chr(byte).isalnum() or byte in b"_-" or byte > 127 else 32 for byte in range(256)
)
MAX_NESTING = 100
# Levels of the syntax tree, of which one nested expression has several and a chain of operators one a term.
MAX_LEVELS = 2_000
# A file with more brackets that close nothing than this is not worth parsing.
MAX_UNCLOSED = 20_000

BOM = b"\xef\xbb\xbf"
BRACKETS = b"()[]{}"
NOT_BRACKETS = bytes(set(range(256)) - set(BRACKETS))
NESTING = frozenset({"expression", "block"})
# A number that HCL knows and the grammar does not: an exponent without a fraction.
EXPONENT = re.compile(rb"(?<![\w.\"])(\d+)[eE](?=[-+]?\d)")
ESCAPE = re.compile(r'\\(?:(["\\nrt])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([$%])(?=[$%]\{)(?=\4)')
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
# Numbers that read the same as a string: Terraform writes 1.50 as 1.5 and 1e3 as 1000.
PLAIN_NUMBER = re.compile(r"(?:0|[1-9]\d{0,14})(?:\.\d{0,14}[1-9])?")
# Functions whose result has the same elements as their argument.
SAME_ELEMENTS = frozenset({"toset", "tolist", "sort", "distinct", "reverse"})

Node = tree_sitter.Node
# The first thing in a file that cannot be read: its line and what it is.
Problem = tuple[int | None, str]


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def syntax_tree(data: bytes) -> tuple[Node, Problem | None]:
    """The syntax tree, empty beyond the limits, and the first thing in it that is wrong."""
    problem = _beyond_limits(data)
    if problem is not None:
        return _parser().parse(b"").root_node, problem
    root = _parser().parse(data).root_node
    if root.has_error and EXPONENT.search(data):
        # Same length, so every offset still fits the bytes as they are.
        root = _parser().parse(EXPONENT.sub(rb"\g<1>0", data).replace(b"0-", b"00")).root_node
    if root.descendant_count > MAX_NESTING and (line := _too_deep(root)) is not None:
        return _parser().parse(b"").root_node, (line, f"it is nested more than {MAX_NESTING} deep")
    return root, _first_error(root, data) if root.has_error else None


def counted_size(data: bytes) -> int:
    """The bytes of a file as limits count them: more where it holds little but words and signs."""
    if len(data) <= UNCOUNTED:
        return len(data)
    signs = len(data) - len(data.translate(None, SIGNS))
    words = len(data.translate(SPACED_WORDS).split())
    return max(len(data), TOKEN_BYTES * (signs + words))


def _beyond_limits(data: bytes) -> Problem | None:
    """What makes a file too large, or too nested, to be parsed at all."""
    if len(data) > MAX_BYTES:
        return None, f"it is larger than {MAX_BYTES // 1024 // 1024} MiB"
    if counted_size(data) > MAX_BYTES:
        return None, f"it holds more than {MAX_BYTES // TOKEN_BYTES:,} words and signs"
    if len(data) <= MAX_UNCLOSED:
        return None
    brackets = data.translate(None, NOT_BRACKETS)
    for _ in range(MAX_NESTING):
        closed = brackets.replace(b"()", b"").replace(b"[]", b"").replace(b"{}", b"")
        if len(closed) == len(brackets):
            break
        brackets = closed
    if len(brackets) > MAX_UNCLOSED:
        return None, f"it is nested more than {MAX_NESTING} deep"
    return None


def _too_deep(root: Node) -> int | None:
    """The line where expressions and blocks are nested beyond the limit. Only large subtrees are visited."""
    todo = [(root, 0, 0)]
    while todo:
        node, nesting, level = todo.pop()
        if nesting > MAX_NESTING or level > MAX_LEVELS:
            return node.start_point.row + 1
        spare = min(MAX_NESTING - nesting, MAX_LEVELS - level)
        for child in node.named_children:
            if child.descendant_count > spare:
                todo.append((child, nesting + (child.type in NESTING), level + 1))
    return None


def _first_error(root: Node, data: bytes) -> Problem:
    node = root
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    # A tree that is an error from its first byte on tells more by what inside it is one.
    while node.is_error and (inner := next((c for c in node.children if c.is_error), None)) is not None:
        node = inner
    # What is missing at the end of a file is reported at its last line.
    line = data[: min(node.start_byte, len(data.rstrip()))].count(b"\n") + 1
    at = data.splitlines()[line - 1 : line]
    return line, at[0].decode("utf-8", "replace").strip()[:80] if at else ""


def named(node: Node | None) -> list[Node]:
    """The children of a node that mean something: no brackets, no comments."""
    return [child for child in node.named_children if child.type != "comment"] if node else []


def body_of(node: Node) -> Node | None:
    """The body of a block, or of a whole file."""
    return next((child for child in node.named_children if child.type == "body"), None)


def blocks_of(node: Node) -> Iterator[Node]:
    """The blocks directly in a block, or in a whole file."""
    body = body_of(node)
    yield from (child for child in (body.named_children if body else ()) if child.type == "block")


def inner(node: Node, *types: str) -> Node | None:
    """Follow first children of the given types down; None when one is missing."""
    current: Node | None = node
    for node_type in types:
        current = next((child for child in named(current) if child.type == node_type), None)
    return current


class SourceText:
    """The bytes of one file, and how to read the nodes of its tree."""

    # Names bound by loops that are looked up in one file; each may lead to others.
    MAX_BOUND = 2_000

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bound_names = 0

    def head(self, node: Node) -> list[str]:
        """The type of a block and its labels."""
        words = []
        for child in named(node):
            if child.type == "identifier":
                words.append(self.raw(child))
            elif child.type == "string_lit":
                words.append(self.string(child))
            else:
                break
        return words

    def attributes(self, body: Node | None) -> Iterator[tuple[str, Node]]:
        """Names and expressions of the attributes directly in a body."""
        for child in body.named_children if body else ():
            if child.type == "attribute":
                parts = named(child)
                if len(parts) >= 2:
                    yield self.raw(parts[0]), parts[1]

    def object(self, expression: Node) -> list[tuple[str | None, Node, Node]] | None:
        """Keys (None: cannot be determined), key nodes and values of an object; None for anything else."""
        children = named(expression)
        if len(children) == 1 and children[0].type == "expression":
            return self.object(children[0])
        node = inner(expression, "collection_value", "object") if len(children) == 1 else None
        if node is None:
            return None
        elements = []
        for element in named(node):
            key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
            if element.type == "object_elem" and key is not None and value is not None:
                elements.append((self.key(key), key, value))
            elif element.type not in ("object_start", "object_end"):
                return None
        return elements

    def key(self, node: Node) -> str | None:
        """An object's key: a bare word, or a string without code."""
        children = named(node)
        if len(children) == 1 and children[0].type == "variable_expr":
            return self.raw(children[0])
        return literal(self.text(node))

    def members(self, expression: Node) -> list[Node] | None:
        """The expressions in a list that is written out; None for anything else."""
        children = named(expression)
        if len(children) == 1 and children[0].type == "expression":
            return self.members(children[0])
        node = inner(expression, "collection_value", "tuple") if len(children) == 1 else None
        return [child for child in named(node) if child.type == "expression"] if node is not None else None

    def text(self, expression: Node) -> Text:
        """An expression as a string, as far as it can be told."""
        children = named(expression)
        if len(children) != 1:
            return self.name(children)
        node = children[0]
        match node.type:
            case "literal_value":
                return self.literal_value(node)
            case "template_expr":
                return self.template(node.named_children[0])
            case "function_call":
                return self.passed_through(node)
            case "expression":
                return self.text(node)
            case "variable_expr":
                return self.bound(node)
            case _:
                return UNKNOWN

    def literal_value(self, node: Node) -> Text:
        children = named(node)
        if len(children) != 1:
            return UNKNOWN
        match children[0].type:
            case "null_lit":
                return NULL
            case "string_lit":
                return (self.string(children[0]),)
            case "numeric_lit":
                raw = self.raw(children[0])
                return (raw,) if PLAIN_NUMBER.fullmatch(raw) else UNKNOWN
            case "bool_lit":
                return (self.raw(children[0]),)
            case _:
                return UNKNOWN

    def passed_through(self, call: Node) -> Text:
        """The result of a function that gives its argument back, or the same path in another form."""
        arguments = self.arguments(call)
        if len(arguments) != 1:
            return UNKNOWN
        match self.function(call):
            case "tostring" | "sensitive" | "nonsensitive":
                return self.text(arguments[0])
            case "abspath" | "pathexpand" as function:
                path = self.text(arguments[0])
                if isinstance(path[0], str) and function == "abspath" and not path[0].startswith("/"):
                    return (Ref("path", "cwd"), f"/{path[0]}", *path[1:])
                return path
            case _:
                return UNKNOWN

    def name(self, children: list[Node]) -> Text:
        """`var.x`, `local.x`, `path.x` or `each.x`; anything longer or else cannot be determined."""
        if len(children) == 2 and children[0].type == "variable_expr" and children[1].type == "get_attr":
            kind, name = self.raw(children[0]), self.attribute_name(children[1])
            if kind in ("var", "local", "path", "each"):
                return (Ref(kind, name),)
        return UNKNOWN

    def attribute_name(self, node: Node) -> str:
        """The name in `.name`."""
        identifier = next((child for child in node.named_children if child.type == "identifier"), None)
        return self.raw(identifier) if identifier is not None else self.raw(node).lstrip(". \t\r\n")

    def bound(self, variable: Node) -> Text:
        """A name that a `for` binds: what its collection holds."""
        self.bound_names += 1
        name = self.raw(variable)
        node: Node | None = variable.parent
        in_collection = False
        while node is not None and node.type not in ("attribute", "block"):
            if node.type == "for_intro":
                # A collection is evaluated before its names are bound.
                in_collection = True
            elif node.type in ("for_tuple_expr", "for_object_expr"):
                intro = next(child for child in node.named_children if child.type == "for_intro")
                names = [self.raw(child) for child in named(intro) if child.type == "identifier"]
                if not in_collection and name in names:
                    collection = [child for child in named(intro) if child.type == "expression"]
                    items = self.items(collection[-1]) if collection else None
                    return (items[names.index(name) + 2 - len(names)]) if items else UNKNOWN
                in_collection = False
            node = node.parent
        return UNKNOWN

    def items(self, expression: Node) -> tuple[Text, Text] | None:
        """Keys and values of a collection whose elements are names that `fileset` found; None for others."""
        children = named(expression)
        if self.bound_names > self.MAX_BOUND:
            return None
        if len(children) == 2:
            [name] = self.name(children)
            if isinstance(name, Ref) and name.kind == "local":
                return (Ref("key", name.name),), (Ref("item", name.name),)
            return None
        node = children[0] if len(children) == 1 else None
        match node.type if node is not None else "":
            case "expression":
                return self.items(children[0])
            case "function_call":
                return self.items_of_call(children[0])
            case "for_expr":
                return self.items_of_for(children[0].named_children[0])
            case _:
                return None

    def items_of_call(self, call: Node) -> tuple[Text, Text] | None:
        function, arguments = self.function(call), self.arguments(call)
        if function == "fileset" and len(arguments) == 2:
            names: Text = (Listed(self.text(arguments[0]), self.text(arguments[1])),)
            return names, names
        if function in SAME_ELEMENTS and len(arguments) == 1:
            items = self.items(arguments[0])
            return (items[1] if function == "toset" else UNKNOWN, items[1]) if items else None
        return None

    def items_of_for(self, node: Node) -> tuple[Text, Text] | None:
        results = [child for child in named(node) if child.type == "expression"]
        if node.type == "for_object_expr":
            return (self.text(results[0]), self.text(results[1])) if len(results) == 2 else None
        return (UNKNOWN, self.text(results[0])) if len(results) == 1 else None

    def template(self, node: Node) -> Text:
        """A string with interpolations. Literals are cut from the bytes, since the grammar drops blanks."""
        quoted = node.type == "quoted_template"
        start, end = self.inside(node, quoted)
        if not quoted and self.is_indented(node, start, end):
            return UNKNOWN
        parts: list[Part] = []
        strip = False
        for child in node.named_children:
            if child.type in ("template_interpolation", "template_directive"):
                strip_next = self.data[child.start_byte + 2 : child.start_byte + 3] == b"~"
                parts.append(self.literal(start, child.start_byte, quoted, strip, strip_next))
                code = next((part for part in named(child) if part.type == "expression"), None)
                is_value = code is not None and child.type == "template_interpolation"
                parts.extend(self.interpolated(code) if is_value and code is not None else (GAP,))
                strip = self.data[child.end_byte - 2 : child.end_byte - 1] == b"~"
                start = child.end_byte
        parts.append(self.literal(start, end, quoted, strip, False))
        return join(parts)

    def interpolated(self, expression: Node) -> Text:
        """A value in a string; null there is an error."""
        text = self.text(expression)
        return UNKNOWN if text == NULL else text

    def inside(self, node: Node, quoted: bool) -> tuple[int, int]:
        """Where the content of a template begins and ends."""
        if quoted:
            return node.start_byte + 1, node.end_byte - 1
        marks = [child for child in node.named_children if child.type == "heredoc_identifier"]
        start = self.data.find(b"\n", marks[0].end_byte) + 1
        end = self.data.rfind(b"\n", 0, marks[-1].start_byte) + 1
        return start, max(start, end)

    def is_indented(self, node: Node, start: int, end: int) -> bool:
        """Whether Terraform takes blanks away at the beginning of the lines of a heredoc."""
        flush = self.data[node.start_byte : node.start_byte + 3] == b"<<-"
        return flush and any(line[:1] in (b" ", b"\t") for line in self.data[start:end].split(b"\n"))

    def literal(self, start: int, end: int, quoted: bool, strip_left: bool, strip_right: bool) -> Part:
        raw = self.data[start:end].decode("utf-8", "surrogateescape")
        if strip_left or strip_right:
            if not raw.isascii() or "\n" in raw or "\\" in raw or "{" in raw:
                return GAP
            raw = raw.lstrip() if strip_left else raw
            raw = raw.rstrip() if strip_right else raw
        return unescape(raw) if quoted else normalized(raw.replace("$${", "${").replace("%%{", "%{"))

    def arguments(self, call: Node) -> list[Node]:
        """The expressions between the parentheses of a call."""
        node = next((child for child in call.named_children if child.type == "function_arguments"), None)
        return [child for child in node.named_children if child.type == "expression"] if node else []

    def function(self, call: Node) -> str:
        """The name of the function that is called, without a namespace."""
        return self.raw(call.named_children[0]).rpartition("::")[2]

    def string(self, node: Node) -> str:
        """A string without code."""
        return unescape(self.raw(node)[1:-1])

    def raw(self, node: Node) -> str:
        """The code of a node as it is written."""
        return str(self.data[node.start_byte : node.end_byte], "utf-8", "surrogateescape")

    def line(self, node: Node) -> int:
        """The line where a node begins, from 1."""
        return node.start_point.row + 1


def unescape(raw: str) -> str:
    """A quoted string's content without its escapes."""
    if "\\" in raw or "${" in raw or "%{" in raw:
        raw = ESCAPE.sub(_unescaped, raw)
    return normalized(raw)


def normalized(text: str) -> str:
    """A string as Terraform holds it: composed characters (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _unescaped(match: re.Match[str]) -> str:
    simple, short, long, doubled = match.groups()
    if doubled:
        return ""
    return ESCAPES[simple] if simple else character(int(short or long, 16))


def character(number: int) -> str:
    """A code point; half a pair of surrogates, or what is none, is the replacement character."""
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
