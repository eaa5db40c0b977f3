"""One file of Terraform's code: read once, its blocks when they are requested."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from orchestrator.repository.hcl.block import COMMENT, Attribute, Block, JsonBlock, NativeBlock
from orchestrator.repository.hcl.expression import (
    Expression,
    FunctionCall,
    JsonExpression,
    NativeExpression,
    String,
    Use,
    calls_in,
    unclear_in,
    uses_in,
)
from orchestrator.repository.hcl.json_values import JsonObject, JsonValue, parse_json
from orchestrator.repository.hcl.syntax import BOM, Node, Problem, SourceText, named, syntax_tree
from orchestrator.repository.hcl.text import Ref, Text

JSON = ".json"
# Terraform refuses them, or reads them as something else than other parsers do.
ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
FOLDER_NAME = re.compile(rb"\$\{~?\s*(path)\s*\.\s*(?:module|root|cwd)\s*~?\}/")


def read(name: str, data: bytes) -> File:
    """A file; `name` (or its path) tells JSON from HCL. Never raises: `problem` says what cannot be read."""
    return File(name, data)


def unread(name: str, why: str) -> File:
    """A file that is not read at all: it has no blocks, and its problem says why."""
    return File(name, b"", refusal=why)


def read_values(name: str, data: bytes) -> File:
    """A variable file: its strings of JSON are no templates."""
    return File(name, data, verbatim=True)


class File:
    """The code of one file. A file that does not parse has the blocks that could be read, and `broken`.

    `refusal` says why a file is not read; its bytes are left out then.
    """

    def __init__(self, name: str, data: bytes, *, verbatim: bool = False, refusal: str = "") -> None:
        self.name = name
        self.data = data
        self.is_json = name.endswith(JSON)
        self.broken: Problem | None = None
        self.is_read = not refusal
        self._unclear: Problem | None = None
        self.root: Block
        if self.is_json:
            document, self.broken, self._unclear = parse_json(data)
            content = document.value if isinstance(document.value, JsonObject) else None
            if content is None:
                # Terraform takes a list of objects too; the rest is no configuration.
                members = tuple(member for content, _ in document.objects() for member in content.members)
                content = JsonObject(members)
                is_list = isinstance(document.value, tuple)
                self.broken = self.broken or (None if is_list else (1, "the file must hold an object"))
            self.root = JsonBlock("", (), content, 1, name, verbatim=verbatim)
        else:
            code = SourceText(data.removeprefix(BOM))
            node, self.broken = syntax_tree(code.data)
            self.root = NativeBlock(code, node, name, is_file=True)
        if refusal:
            self.broken = (None, refusal)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The top-level blocks in order."""
        return self.root.blocks

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """The top-level attributes, which variable files and lock files have."""
        return self.root.attributes

    def of(self, kind: str) -> tuple[Block, ...]:
        """The top-level blocks of a kind."""
        return self.root.of(kind)

    def strings(self) -> Iterator[String]:
        """Every string in the file, with the names that lead to it."""
        return self.root.strings()

    @cached_property
    def unclear(self) -> Problem | None:
        """What Terraform may read in another way than the parser here; None when nothing."""
        odd = _not_text(self.data)
        if odd is not None or self._unclear is not None:
            return odd or self._unclear
        if isinstance(self.root, NativeBlock):
            return unclear_in(self.root.code, self.root.node)
        for expression in self._json_expressions():
            for template, line in expression.templates():
                if template.unclear is not None:
                    return line, f"a template in it cannot be read: {template.unclear[1]}"
        return None

    @property
    def problem(self) -> Problem | None:
        """Why, and at which line, what the file holds cannot be known for sure."""
        if not self.is_read:
            return self.broken
        odd = _not_text(self.data)
        if odd is not None:
            return odd
        return (self.broken[0], f"this does not parse: {self.broken[1]}") if self.broken else self.unclear

    def calls(self, functions: Collection[str]) -> Iterator[tuple[FunctionCall, Block | None]]:
        """Every call of some functions, with the top-level block that it stands in."""
        if isinstance(self.root, NativeBlock):
            for call in calls_in(self.root.code, self.root.node, functions):
                first = call.arguments[0] if call.arguments else None
                at = first.node.start_byte if isinstance(first, NativeExpression) else -1
                yield call, self._block_at(at)
            return
        for block in self.blocks:
            yield from ((call, block) for call in block.calls(functions))

    def uses(self, pattern: re.Pattern[bytes]) -> Iterator[Use]:
        """References that begin with what a pattern matches."""
        if isinstance(self.root, NativeBlock):
            yield from (use for use, _ in uses_in(self.root.code, self.root.node, pattern))
            return
        for expression in self._json_expressions():
            for template, _ in expression.templates():
                yield from (use for use, _ in uses_in(template.code, template.root, pattern))

    def folder_strings(self, functions: Collection[str]) -> Iterator[tuple[Text, int, Block | None]]:
        """Strings that begin with `${path.module}/`, as paths do, except arguments of some functions."""
        if isinstance(self.root, NativeBlock):
            code = self.root.code
            for match in FOLDER_NAME.finditer(code.data):
                node = self.root.node.descendant_for_byte_range(match.start(1), match.end(1))
                string = _string_around(node)
                if string is None or _is_argument(code, string, functions):
                    continue
                text = code.template(string)
                if isinstance(text[0], Ref) and text[0].kind == "path":
                    yield text, code.line(string), self._block_at(string.start_byte)
            return
        for block in self.blocks:
            if isinstance(block, JsonBlock) and not block.verbatim:
                expression = JsonExpression(JsonValue(block.content, block.line))
                for template, line in expression.templates():
                    text = template.text
                    if len(text) > 1 and isinstance(text[0], Ref) and text[0].kind == "path":
                        yield text, line, block

    def arguments(
        self, pattern: re.Pattern[bytes], *, without: Collection[str] = ()
    ) -> Iterator[tuple[str, Expression, Block | None, bool]]:
        """Attributes at any depth whose name a pattern matches, which is the pattern's first group.

        Name, expression, top-level block, and whether the attribute is directly in it. Blocks of the kinds
        `without` are left out.
        """
        if isinstance(self.root, NativeBlock):
            code = self.root.code
            for match in pattern.finditer(code.data):
                top = self._block_at(match.start(1))
                if top is None or top.kind in without:
                    continue
                name = match[1].decode()
                value = top.expression(name)
                if isinstance(value, NativeExpression):
                    between = code.data[match.end(1) : value.node.start_byte]
                    if between.strip() == b"=":
                        # The attribute itself; asking a node for its parents walks the whole tree.
                        yield name, value, top, True
                        continue
                node = self.root.node.descendant_for_byte_range(match.start(1), match.end(1))
                attribute = node.parent if node is not None and node.type == "identifier" else None
                if attribute is None or attribute.type != "attribute" or len(parts := named(attribute)) < 2:
                    continue
                body = attribute.parent
                direct = isinstance(top, NativeBlock) and body is not None and body.parent == top.node
                yield code.raw(parts[0]), NativeExpression(code, parts[1]), top, direct
            return
        for block in self.blocks:
            todo = [(block, True)] if block.kind not in without else []
            while todo:
                current, direct = todo.pop()
                for name, member in current.attributes.items():
                    if pattern.search(f" {name} = ".encode("utf-8", "surrogateescape")):
                        yield name, member.expression, block, direct
                todo += [(nested, False) for nested in current.blocks]

    def _json_expressions(self) -> Iterator[JsonExpression]:
        for block in self.blocks:
            if isinstance(block, JsonBlock):
                yield from (
                    attribute.expression
                    for name, attribute in block.attributes.items()
                    if isinstance(attribute.expression, JsonExpression)
                    and name not in ("depends_on", COMMENT)
                )

    def _block_at(self, offset: int) -> Block | None:
        index = bisect_right(self._starts, offset) - 1
        return self.blocks[index] if index >= 0 else None

    @cached_property
    def _starts(self) -> list[int]:
        return [block.node.start_byte for block in self.blocks if isinstance(block, NativeBlock)]


def _not_text(data: bytes) -> Problem | None:
    """The first place where a file is not plain text."""
    match = ODD.search(data)
    if match:
        return data[: match.start()].count(b"\n") + 1, f"it holds the control character {match[0][0]:#04x}"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data[: error.start].count(b"\n") + 1, "it is not UTF-8 text"
    return None


def _string_around(node: Node | None) -> Node | None:
    while node is not None and node.type not in ("quoted_template", "heredoc_template"):
        node = node.parent
    return node if node is not None and node.type == "quoted_template" else None


def _is_argument(code: SourceText, string: Node, functions: Collection[str]) -> bool:
    """True for the string in `file("…")`, which is read with its function."""
    node = string.parent
    while node is not None and node.type in ("template_expr", "expression", "function_arguments"):
        node = node.parent
    return node is not None and node.type == "function_call" and code.function(node) in functions
