"""Expressions of Terraform's code, whichever syntax they are written in. Nothing is evaluated.

`Expression` is what every attribute has: in HCL a node of the syntax tree, in JSON a value whose strings may
be templates. A reference is a tuple of words: `("local", "x")`, `("module", "m", "out")`,
`("data", "T", "N", …)`. An index stands as `[key`, as `[` alone when it is no literal.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from orchestrator.repository.hcl.json_values import JsonNumber, JsonObject, JsonValue
from orchestrator.repository.hcl.syntax import (
    PLAIN_NUMBER,
    Node,
    Problem,
    SourceText,
    body_of,
    inner,
    named,
    syntax_tree,
)
from orchestrator.repository.hcl.text import NULL, UNKNOWN, Text, join, literal

Reference = tuple[str, ...]
References = frozenset[Reference]

STEPS = frozenset({"get_attr", "index", "splat"})
# In a quoted string these are code; the rest is what it says.
CODE_IN_STRING = frozenset({"template_interpolation", "template_directive"})
# Inside these a value may be missing.
OPTIONAL = frozenset({"try", "can"})
# Where a template begins after three signs, Terraform and the parser here do not agree.
UNCLEAR = re.compile(rb"\${3,}\{|%{3,}\{")
_HEREDOC = re.compile(rb"<<-?")


class _NoLiteral:
    """The type of NO_LITERAL."""


# The value of an expression that is more than literals.
NO_LITERAL = _NoLiteral()


@dataclass(frozen=True)
class String:
    """A string inside a block: its text (gaps where it holds code), and the names that lead to it."""

    text: str
    line: int
    path: tuple[str, ...]


@dataclass(frozen=True)
class FunctionCall:
    """A call of a function, its name without a namespace."""

    function: str
    arguments: tuple[Expression, ...]
    line: int

    def text(self, index: int) -> Text | None:
        """An argument as a string; None when there is no such argument."""
        return self.arguments[index].text if index < len(self.arguments) else None


@dataclass(frozen=True)
class Use:
    """A reference where it stands: `optional` inside `try` or `can`, `is_dependency` in `depends_on`."""

    reference: Reference
    optional: bool
    is_dependency: bool


class Expression(ABC):
    """The value of an attribute, as far as the code tells it."""

    line: int

    @property
    @abstractmethod
    def source(self) -> str:
        """The expression as it is written; JSON on one line."""

    @property
    @abstractmethod
    def text(self) -> Text:
        """The value as a string with gaps; NULL for null."""

    @property
    @abstractmethod
    def items(self) -> tuple[Text, Text] | None:
        """Keys and values of a collection of names that `fileset` found; None for any other."""

    @property
    @abstractmethod
    def elements(self) -> Mapping[str, Expression] | None:
        """The elements of an object; None for anything else, and when a key is open or stands twice."""

    @property
    @abstractmethod
    def members(self) -> tuple[Expression, ...] | None:
        """The members of a list that is written out; None for anything else."""

    @property
    @abstractmethod
    def references(self) -> References:
        """The names that are used anywhere in it."""

    @property
    @abstractmethod
    def call(self) -> FunctionCall | None:
        """The call of a function of Terraform's own that is the whole value; None for anything else."""

    @abstractmethod
    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        """Every call of some functions anywhere in it."""

    @abstractmethod
    def strings(self, path: tuple[str, ...] = ()) -> Iterator[String]:
        """Every string in it, with the keys that lead to it after `path`."""

    @abstractmethod
    def leaves(self) -> Iterator[String]:
        """Every string and number in it, with the keys that lead to it."""

    @abstractmethod
    def literal(self) -> Any:
        """The value as JSON has it; NO_LITERAL for what is more than literals."""

    @property
    def string(self) -> str | None:
        """The whole value as a string; None when something in it is open."""
        return literal(self.text)

    @property
    def is_null(self) -> bool:
        """Whether it is the word null, which Terraform takes as not set."""
        return self.text == NULL


class NativeExpression(Expression):
    """An expression in HCL."""

    def __init__(self, code: SourceText, node: Node) -> None:
        self.code = code
        self.node = node

    @property
    def line(self) -> int:  # type: ignore[override]
        return self.code.line(self.node)

    @property
    def source(self) -> str:
        return self.code.raw(self.node)

    @property
    def text(self) -> Text:
        return self.code.text(self.node)

    @property
    def items(self) -> tuple[Text, Text] | None:
        return self.code.items(self.node)

    @cached_property
    def elements(self) -> Mapping[str, Expression] | None:
        members = self.code.object(self.node)
        if members is None:
            return None
        elements: dict[str, Expression] = {}
        for name, _, value in members:
            if name is None or name in elements:
                return None
            elements[name] = NativeExpression(self.code, value)
        return elements

    @property
    def members(self) -> tuple[Expression, ...] | None:
        nodes = self.code.members(self.node)
        return None if nodes is None else tuple(NativeExpression(self.code, node) for node in nodes)

    @cached_property
    def references(self) -> References:
        return frozenset(_references_in(self.code, self.node))

    @property
    def call(self) -> FunctionCall | None:
        children = named(self.node)
        node = children[0] if len(children) == 1 else None
        match node.type if node is not None else "":
            case "function_call" if not self.code.raw(children[0]).startswith("provider"):
                return next(calls_in(self.code, children[0], {self.code.function(children[0])}), None)
            case "expression":
                return NativeExpression(self.code, children[0]).call
            case "template_expr":
                quoted = inner(children[0], "quoted_template")
                parts = [child for child in named(quoted) if not child.type.startswith("quoted_template_")]
                whole = inner(parts[0], "expression") if len(parts) == 1 else None
                is_code = whole is not None and parts[0].type == "template_interpolation"
                return NativeExpression(self.code, whole).call if is_code and whole is not None else None
        return None

    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        return calls_in(self.code, self.node, functions)

    def strings(self, path: tuple[str, ...] = ()) -> Iterator[String]:
        return strings_in(self.code, self.node, path)

    def leaves(self) -> Iterator[String]:
        return strings_in(self.code, self.node, (), numbers=True)

    def literal(self) -> Any:
        children = named(self.node)
        node = children[0] if len(children) == 1 else None
        match node.type if node is not None else "":
            case "literal_value":
                return _literal_value(self.code, children[0])
            case "operation":
                number = inner(children[0], "unary_operation", "literal_value", "numeric_lit")
                return NO_LITERAL if number is None else _number(self.code.raw(children[0]))
            case "expression":
                return NativeExpression(self.code, children[0]).literal()
        values: Any = None
        if (members := self.members) is not None:
            values = [member.literal() for member in members]
            return NO_LITERAL if NO_LITERAL in values else values
        if (elements := self.elements) is not None:
            values = {name: element.literal() for name, element in elements.items()}
            return NO_LITERAL if NO_LITERAL in values.values() else values
        return NO_LITERAL


class JsonExpression(Expression):
    """A JSON value. Strings are templates, except where Terraform takes them `verbatim`."""

    def __init__(self, value: JsonValue, *, verbatim: bool = False) -> None:
        self.value = value.value
        self.line = value.line
        self.verbatim = verbatim

    @property
    def source(self) -> str:
        return json.dumps(plain(self.value), ensure_ascii=False)

    @property
    def text(self) -> Text:
        match self.value:
            case str():
                return self.template.text if self.template is not None else (self.value,)
            case True | False:
                return ("true" if self.value else "false",)
            case JsonNumber(raw):
                return (raw,) if PLAIN_NUMBER.fullmatch(raw) else UNKNOWN
            case None:
                return NULL
            case _:
                return UNKNOWN

    @property
    def items(self) -> tuple[Text, Text] | None:
        return self.template.expression.items if self.template and self.template.expression else None

    @property
    def elements(self) -> Mapping[str, Expression] | None:
        if not isinstance(self.value, JsonObject):
            return self.template.expression.elements if self.template and self.template.expression else None
        elements: dict[str, Expression] = {}
        for key, value in self.value.members:
            name = key if self.verbatim or not is_template(key) else literal(Template(key).text)
            if name is None or name in elements:
                return None
            elements[name] = JsonExpression(value, verbatim=self.verbatim)
        return elements

    @property
    def members(self) -> tuple[Expression, ...] | None:
        if not isinstance(self.value, tuple):
            return self.template.expression.members if self.template and self.template.expression else None
        return tuple(JsonExpression(item, verbatim=self.verbatim) for item in self.value)

    @property
    def references(self) -> References:
        return frozenset().union(*(template.references for template, _ in self.templates()))

    @property
    def call(self) -> FunctionCall | None:
        return self.template.expression.call if self.template and self.template.expression else None

    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        for template, line in self.templates():
            yield from (
                FunctionCall(call.function, call.arguments, line) for call in template.calls(functions)
            )

    def strings(self, path: tuple[str, ...] = ()) -> Iterator[String]:
        match self.value:
            case str():
                yield String(self.value, self.line, path)
            case tuple():
                for item in self.value:
                    yield from JsonExpression(item).strings(path)
            case JsonObject(members):
                for key, value in members:
                    yield from JsonExpression(value).strings((*path, key))

    def leaves(self) -> Iterator[String]:
        yield from self._leaves(self.value, ())

    def _leaves(self, value: Any, path: tuple[str, ...]) -> Iterator[String]:
        match value:
            case str():
                yield String(value, self.line, path)
            case JsonNumber(raw):
                yield String(raw, self.line, path)
            case tuple():
                for item in value:
                    yield from self._leaves(item.value, path)
            case JsonObject(members):
                for key, member in members:
                    yield from self._leaves(member.value, (*path, key))

    def literal(self) -> Any:
        return NO_LITERAL if any(True for _ in self.templates()) else plain(self.value)

    @cached_property
    def template(self) -> Template | None:
        """The string as a template; None for a plain one, and for what is no string."""
        if self.verbatim or not isinstance(self.value, str) or not is_template(self.value):
            return None
        return Template(self.value)

    def templates(self) -> Iterator[tuple[Template, int]]:
        """Every template in it with its line, keys of objects included."""
        if self.verbatim:
            return
        match self.value:
            case str():
                if self.template is not None:
                    yield self.template, self.line
            case tuple():
                for item in self.value:
                    yield from JsonExpression(item).templates()
            case JsonObject(members):
                for key, value in members:
                    if is_template(key):
                        yield Template(key), value.line
                    yield from JsonExpression(value).templates()


class Template:
    """A template outside HCL: a string of JSON, or a template file."""

    def __init__(self, text: str) -> None:
        word = "INFRA_TEMPLATE"
        while word in text:
            word += "_"
        data = f"_ = <<{word}\n{text}\n{word}\n".encode("utf-8", "surrogateescape")
        self.root, self.broken = syntax_tree(data)
        self.code = SourceText(data)
        self.node = next((value for _, value in self.code.attributes(body_of(self.root))), None)

    @cached_property
    def expression(self) -> NativeExpression | None:
        """The expression of a template that is one interpolation and nothing else."""
        heredoc = inner(self.node, "template_expr", "heredoc_template") if self.node is not None else None
        parts = [child for child in named(heredoc) if child.type != "heredoc_identifier"]
        parts = [child for child in parts if child.type != "heredoc_start"]
        if heredoc is None or len(parts) != 1 or parts[0].type != "template_interpolation":
            return None
        start, end = self.code.inside(heredoc, quoted=False)
        if (parts[0].start_byte, parts[0].end_byte) != (start, end - 1):
            return None
        expression = next((part for part in named(parts[0]) if part.type == "expression"), None)
        return NativeExpression(self.code, expression) if expression is not None else None

    @property
    def text(self) -> Text:
        """The template as a string with gaps."""
        if self.expression is not None:
            return self.expression.text
        text = self.code.text(self.node) if self.node is not None else UNKNOWN
        if isinstance(text[-1], str):
            return join([*text[:-1], text[-1].removesuffix("\n")])
        return text

    @property
    def references(self) -> References:
        """The names that are used in it."""
        return frozenset(_references_in(self.code, self.root))

    @property
    def unclear(self) -> Problem | None:
        """What Terraform might read in another way."""
        return self.broken or unclear_in(self.code, self.root)

    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        """Every call of some functions in it; lines are counted in the template."""
        for call in calls_in(self.code, self.root, functions):
            yield FunctionCall(call.function, call.arguments, call.line - 1)


def is_template(text: str) -> bool:
    """Whether a string outside HCL may hold code."""
    return "${" in text or "%{" in text


def plain(value: Any) -> Any:
    """A JSON value without lines; of a key that stands twice the last value."""
    match value:
        case JsonValue():
            return plain(value.value)
        case JsonNumber(raw):
            return _number(raw)
        case JsonObject(members):
            return {key: plain(member) for key, member in members}
        case tuple():
            return [plain(item) for item in value]
        case _:
            return value


def _literal_value(code: SourceText, node: Node) -> Any:
    children = named(node)
    if len(children) != 1:
        return NO_LITERAL
    if children[0].type == "string_lit":
        return code.string(children[0])
    raw = code.raw(node)
    return {"true": True, "false": False, "null": None}.get(raw, _number(raw))


def _number(raw: str) -> Any:
    try:
        return json.loads(raw.replace(" ", ""))
    except ValueError:
        return NO_LITERAL


# Below a node of a syntax tree


def calls_in(code: SourceText, root: Node, functions: Collection[str]) -> Iterator[FunctionCall]:
    """Every call of some functions below a node; comments may stand between a name and its parentheses."""
    for node in _call_nodes(code, root, functions):
        arguments = tuple(NativeExpression(code, argument) for argument in code.arguments(node))
        yield FunctionCall(code.function(node), arguments, code.line(node))


def _call_nodes(code: SourceText, root: Node, functions: Collection[str]) -> Iterator[Node]:
    """The nodes of the calls; names are searched for in the bytes, since few expressions have any."""
    pattern = _call_pattern(frozenset(functions))
    for match in pattern.finditer(code.data, root.start_byte, root.end_byte):
        node = root.descendant_for_byte_range(match.start(), match.end())
        call = node.parent if node is not None and node.type == "identifier" else None
        if node is None or call is None or call.type != "function_call" or node != call.named_children[0]:
            continue
        if code.function(call) in functions:
            yield call


@cache
def _call_pattern(functions: frozenset[str]) -> re.Pattern[bytes]:
    """The names of some functions wherever they stand in code; there is no call without a match."""
    words = "|".join(sorted(functions, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])".encode())


def strings_in(
    code: SourceText, root: Node | None, path: tuple[str, ...], *, numbers: bool = False
) -> Iterator[String]:
    """Every string below a node in order, with the names of blocks, attributes and object keys on the way.

    With `numbers` they count as strings.
    """
    todo = [(child, path) for child in reversed(named(root))]
    while todo:
        node, at = todo.pop()
        match node.type:
            case "string_lit" | "quoted_template" | "heredoc_template":
                yield String(_literal_text(code, node), code.line(node), at)
                inside = [child for child in named(node) if child.type in CODE_IN_STRING]
            case "numeric_lit" if numbers:
                yield String(code.raw(node), code.line(node), at)
                inside = []
            case "block":
                inside, at = named(body_of(node)), (*at, code.raw(node.named_children[0]))
            case "attribute":
                name, *inside = named(node)
                at = (*at, code.raw(name))
            case "object_elem":
                key, value = node.child_by_field_name("key"), node.child_by_field_name("val")
                at = (*at, code.raw(key).strip('"') if key is not None else "?")
                inside = [value] if value is not None else []
            case _:
                inside = named(node)
        todo += [(child, at) for child in reversed(inside)]


def _literal_text(code: SourceText, node: Node) -> str:
    """What a string says, its code left out."""
    if node.type == "string_lit":
        return code.string(node)
    quoted = node.type == "quoted_template"
    literals = (child for child in node.named_children if child.type == "template_literal")
    parts = (code.literal(child.start_byte, child.end_byte, quoted, False, False) for child in literals)
    return "".join(part for part in parts if isinstance(part, str))


def _references_in(code: SourceText, root: Node) -> Iterator[Reference]:
    """The names that are used below a node, those that a `for` binds left out."""
    for node, shadowed in _variables(code, root):
        if code.raw(node) not in shadowed and not _is_key(node.parent):
            yield _reference_at(code, node)


def _reference_at(code: SourceText, variable: Node) -> Reference:
    """The reference that begins with a name."""
    following: list[Node] = []
    node = variable.next_named_sibling
    while node is not None:
        following.append(node)
        node = node.next_named_sibling
    return (code.raw(variable), *_steps(code, following))


def _variables(code: SourceText, root: Node) -> Iterator[tuple[Node, frozenset[str]]]:
    todo: list[tuple[Node, frozenset[str]]] = [(root, frozenset())]
    while todo:
        node, shadowed = todo.pop()
        if node.type == "variable_expr":
            yield node, shadowed
            continue
        if node.type in ("for_tuple_expr", "for_object_expr"):
            intro = next((child for child in node.named_children if child.type == "for_intro"), None)
            shadowed |= {code.raw(child) for child in named(intro) if child.type == "identifier"}
        todo += [(child, shadowed) for child in reversed(node.named_children)]


def _steps(code: SourceText, siblings: Iterable[Node]) -> Iterator[str]:
    for node in siblings:
        if node.type == "comment":
            continue
        if node.type not in STEPS:
            return
        if node.type == "get_attr":
            yield code.attribute_name(node)
        elif node.type == "index":
            key = inner(node, "new_index", "expression")
            yield f"[{(literal(code.text(key)) if key is not None else None) or ''}"
        else:
            yield "["
            yield from (step for kind in node.named_children for step in _steps(code, kind.named_children))


def _is_key(node: Node | None) -> bool:
    """Whether an expression is the bare key of an object's element."""
    parent = node.parent if node is not None else None
    if node is None or parent is None or parent.type != "object_elem" or len(named(node)) != 1:
        return False
    return parent.child_by_field_name("key") == node


def uses_in(code: SourceText, root: Node, pattern: re.Pattern[bytes]) -> Iterator[tuple[Use, Node]]:
    """References below a node whose beginning a pattern matches, each with its node."""
    for match in pattern.finditer(code.data, root.start_byte, root.end_byte):
        node = root.descendant_for_byte_range(match.start(), match.start() + 4)
        variable = node.parent if node is not None and node.type == "identifier" else None
        if variable is None or variable.type != "variable_expr":
            continue
        yield Use(_reference_at(code, variable), *_surroundings(code, variable)), variable


def _surroundings(code: SourceText, node: Node | None) -> tuple[bool, bool]:
    """Whether a node stands inside `try` or `can`, and whether in `depends_on`."""
    optional = False
    while node is not None and node.type not in ("attribute", "block"):
        if node.type == "function_call" and code.function(node) in OPTIONAL:
            optional = True
        node = node.parent
    in_depends_on = node is not None and node.type == "attribute"
    return optional, in_depends_on and node is not None and code.raw(node.named_children[0]) == "depends_on"


def unclear_in(code: SourceText, root: Node) -> Problem | None:
    """The first thing in code that Terraform might read in another way than the parser here."""
    match = UNCLEAR.search(code.data)
    if match:
        line = code.data[: match.start()].count(b"\n") + 1
        return line, f"`{match[0].decode()}` means one thing here and another there"
    for match in _HEREDOC.finditer(code.data):
        node = root.descendant_for_byte_range(match.start(), match.end())
        while node is not None and node.type != "heredoc_template":
            node = node.parent
        if node is not None and node.start_byte == match.start() and not _ends_well(code, node):
            return code.line(node), "where its heredoc ends is not clear"
    return None


def _ends_well(code: SourceText, node: Node) -> bool:
    """Whether a heredoc ends where Terraform ends it: at the first line that is its word."""
    marks = [child for child in node.named_children if child.type == "heredoc_identifier"]
    if len(marks) < 2:
        return False
    word = code.raw(marks[0])
    first = code.data.find(b"\n", marks[0].end_byte) + 1
    end = code.data.find(b"\n", marks[-1].start_byte)
    lines = code.data[first : end if end >= 0 else len(code.data)].decode("utf-8", "replace").split("\n")
    return [number for number, line in enumerate(lines) if line.strip() == word] == [len(lines) - 1]
