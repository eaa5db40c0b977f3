"""Blocks of Terraform's code with their attributes and lines, whichever syntax they are written in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from orchestrator.repository.hcl.expression import (
    Expression,
    FunctionCall,
    JsonExpression,
    NativeExpression,
    String,
    calls_in,
    is_template,
    strings_in,
)
from orchestrator.repository.hcl.json_values import JsonObject, JsonValue
from orchestrator.repository.hcl.syntax import Node, SourceText, body_of, named

# How many labels a block of JSON has; what is not here has none.
LABELS: Mapping[str, int] = MappingProxyType(
    {
        "resource": 2,
        "data": 2,
        "ephemeral": 2,
        "action": 2,
        "list": 2,
        "module": 1,
        "variable": 1,
        "output": 1,
        "provider": 1,
        "check": 1,
        "run": 1,
        "mock_provider": 1,
    }
)
NESTED_LABELS: Mapping[str, int] = MappingProxyType(
    {
        "backend": 1,
        "provider_meta": 1,
        "provisioner": 1,
        "dynamic": 1,
        "key_provider": 2,
        "method": 2,
        "remote_state_data_source": 1,
    }
)
# Where the strings of JSON are no templates: in whole blocks, and in some arguments of others.
VERBATIM_BLOCKS = frozenset({"terraform"})
VERBATIM: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "module": frozenset({"source", "version"}),
        "variable": frozenset({"default", "description", "type", "sensitive", "nullable", "ephemeral"}),
        "output": frozenset({"description"}),
        "provider": frozenset({"alias", "version"}),
    }
)
COMMENT = "//"


@dataclass(frozen=True, slots=True)
class Attribute:
    """`name = expression` in a file, with the line of the name."""

    name: str
    expression: Expression
    line: int
    file: str

    @property
    def source(self) -> str:
        """The expression as it is written."""
        return self.expression.source

    @property
    def value(self) -> str | None:
        """The string when the expression is a plain one."""
        text = self.expression.string
        if isinstance(self.expression, JsonExpression):
            return text if isinstance(self.expression.value, str) else None
        return text if text is not None and self.source.lstrip().startswith('"') else None

    @property
    def elements(self) -> Mapping[str, Attribute]:
        """The elements of an object whose keys are literal; empty for anything else."""
        return {
            name: Attribute(name, element, element.line, self.file)
            for name, element in (self.expression.elements or {}).items()
        }


class Block(ABC):
    """A block: `kind "label" "label" { … }`. `file` is the name of its file.

    In JSON nothing tells a block from an attribute: a member is both where it can be either.
    """

    kind: str
    labels: tuple[str, ...]
    line: int
    file: str
    is_json = False

    @property
    @abstractmethod
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes directly inside, by name."""

    @property
    @abstractmethod
    def blocks(self) -> tuple[Block, ...]:
        """The blocks directly inside; `dynamic` ones as they are written."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The block as it is written; JSON on one line."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nothing at all stands inside."""

    @abstractmethod
    def strings(self) -> Iterator[String]:
        """Every string inside, with the names that lead to it."""

    @abstractmethod
    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        """Every call of some functions anywhere inside."""

    @property
    def name(self) -> str:
        """The last label; empty without any."""
        return self.labels[-1] if self.labels else ""

    def of(self, kind: str) -> tuple[Block, ...]:
        """The blocks of a kind directly inside, as they are written."""
        return tuple(block for block in self.blocks if block.kind == kind)

    def nested(self) -> Iterator[tuple[str, Block]]:
        """Kinds and bodies of the blocks directly inside, `dynamic` ones as what they make."""
        for block in self.blocks:
            if block.kind == "dynamic" and block.labels:
                yield from ((block.labels[0], content) for content in block.of("content"))
            else:
                yield block.kind, block

    def expression(self, name: str) -> Expression | None:
        """The expression of an attribute; None when it is not set."""
        attribute = self.attributes.get(name)
        return attribute.expression if attribute is not None else None


class NativeBlock(Block):
    """A block in HCL, or a whole file (its `kind` is empty). Read when it is requested."""

    def __init__(self, code: SourceText, node: Node, file: str, *, is_file: bool = False) -> None:
        self.code = code
        self.node = node
        self.file = file
        words = [] if is_file else code.head(node)
        self.kind = words[0] if words else ""
        self.labels = tuple(words[1:])
        self.line = code.line(node)
        self._read: tuple[dict[str, Attribute], tuple[Block, ...]] | None = None

    @property
    def _body(self) -> tuple[dict[str, Attribute], tuple[Block, ...]]:
        # `cached_property` takes a lock each time before Python 3.12.
        if self._read is None:
            self._read = self._read_body()
        return self._read

    def _read_body(self) -> tuple[dict[str, Attribute], tuple[Block, ...]]:
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        for child in named(body_of(self.node)):
            kind = child.type
            if kind == "block":
                blocks.append(NativeBlock(self.code, child, self.file))
            elif kind == "attribute" and len(parts := _parts(child)) >= 2:
                name = self.code.raw(parts[0])
                line = self.code.line(parts[0])
                attributes[name] = Attribute(name, NativeExpression(self.code, parts[1]), line, self.file)
        return attributes, tuple(blocks)

    def expression(self, name: str) -> Expression | None:
        # Most blocks lack what is requested, and need not be read for that.
        if self.code.data.find(name.encode(), self.node.start_byte, self.node.end_byte) < 0:
            return None
        return super().expression(name)

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        return self._body[0]

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self._body[1]

    @property
    def source(self) -> str:
        return self.code.raw(self.node)

    @property
    def is_empty(self) -> bool:
        return not self.attributes and not self.blocks

    def strings(self) -> Iterator[String]:
        return strings_in(self.code, body_of(self.node), ())

    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        return calls_in(self.code, self.node, functions)


def _parts(attribute: Node) -> list[Node]:
    """The name and the expression of an attribute; nothing else stands there but comments."""
    children = attribute.named_children
    return children if len(children) == 2 else named(attribute)


class JsonBlock(Block):
    """A block in JSON, or a whole file (its `kind` is empty). Of a key that stands twice the last counts."""

    is_json = True

    def __init__(
        self,
        kind: str,
        labels: tuple[str, ...],
        content: JsonObject,
        line: int,
        file: str,
        *,
        verbatim: bool = False,
    ) -> None:
        self.kind = kind
        self.labels = labels
        self.content = content
        self.line = line
        self.file = file
        self.verbatim = verbatim or kind in VERBATIM_BLOCKS

    @cached_property
    def attributes(self) -> Mapping[str, Attribute]:
        words = VERBATIM.get(self.kind, frozenset())
        return {
            key: Attribute(
                key, JsonExpression(value, verbatim=self.verbatim or key in words), value.line, self.file
            )
            for key, value in self.content.members
            if key != COMMENT
        }

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        blocks: list[Block] = []
        for key, value in self.content.members:
            if key != COMMENT:
                blocks += _json_blocks(
                    key, value, self._label_count(key), self.file, verbatim=self._is_verbatim(key)
                )
        return tuple(blocks)

    def _label_count(self, kind: str) -> int:
        if self.kind == "":
            return LABELS.get(kind, 0)
        if self.kind == "check" and kind == "data":
            return LABELS[kind]
        return NESTED_LABELS.get(kind, 0)

    def _is_verbatim(self, key: str) -> bool:
        return self.verbatim or key in VERBATIM.get(self.kind, ())

    @property
    def source(self) -> str:
        return JsonExpression(JsonValue(self.content, self.line)).source

    @property
    def is_empty(self) -> bool:
        return not self.content.members

    def strings(self) -> Iterator[String]:
        return JsonExpression(JsonValue(self.content, self.line)).strings()

    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        for attribute in self.attributes.values():
            yield from attribute.expression.calls(functions)
        for key, _ in self.content.members:
            if not self.verbatim and is_template(key):
                yield from JsonExpression(JsonValue(key, self.line)).calls(functions)


def _json_blocks(
    kind: str, value: JsonValue, labels: int, file: str, *, verbatim: bool = False
) -> Iterator[JsonBlock]:
    """The blocks that a member of JSON makes, with so many labels; none for what is no object."""
    todo: list[tuple[JsonValue, tuple[str, ...]]] = [(value, ())]
    while todo:
        current, names = todo.pop(0)
        for content, line in current.objects():
            if len(names) == labels:
                yield JsonBlock(kind, names, content, line, file, verbatim=verbatim)
            else:
                todo += [(below, (*names, name)) for name, below in content.members]


class MergedBlock(Block):
    """A block with what override files say of it."""

    def __init__(self, base: Block, attributes: Mapping[str, Attribute], blocks: tuple[Block, ...]) -> None:
        self.base = base
        self.kind = base.kind
        self.labels = base.labels
        self.line = base.line
        self.file = base.file
        self.is_json = base.is_json
        self._attributes = attributes
        self._blocks = blocks

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        return self._attributes

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self._blocks

    @property
    def source(self) -> str:
        return self.base.source

    @property
    def is_empty(self) -> bool:
        return not self._attributes and not self._blocks

    def strings(self) -> Iterator[String]:
        for name, attribute in self._attributes.items():
            yield from attribute.expression.strings((name,))
        for block in self._blocks:
            if not block.is_json:
                yield from (
                    String(string.text, string.line, (block.kind, *string.path)) for string in block.strings()
                )

    def calls(self, functions: Collection[str]) -> Iterator[FunctionCall]:
        for attribute in self._attributes.values():
            yield from attribute.expression.calls(functions)
        for block in self._blocks:
            if not block.is_json:
                yield from block.calls(functions)


def merge(base: Block, override: Block) -> Block:
    """A block with what an override file says, as Terraform merges them.

    Attributes replace those of their name, nested blocks those of their kind, `dynamic` ones included;
    `lifecycle` is merged itself.
    """
    kinds = {_made_kind(block) for block in override.blocks}
    blocks = tuple(block for block in base.blocks if _made_kind(block) not in kinds)
    attributes = {name: attribute for name, attribute in base.attributes.items() if name not in kinds}
    added = tuple(_with_lifecycle(base, block) for block in override.blocks)
    return MergedBlock(base, {**attributes, **override.attributes}, (*blocks, *added))


def _with_lifecycle(base: Block, block: Block) -> Block:
    before = base.of("lifecycle") if block.kind == "lifecycle" and base.kind == "resource" else ()
    return merge(before[0], block) if before else block


def _made_kind(block: Block) -> str:
    return block.labels[0] if block.kind == "dynamic" and block.labels else block.kind
