"""What names the expressions of a folder's code use. Nothing is evaluated.

A reference is a tuple of words: `("local", "x")`, `("module", "m", "out")`, `("data", "T", "N", …)`. An index
stands as `[key`, as `[` alone when it is no literal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.project.hcl import Code, Node, body_of, inner, syntax_tree
from orchestrator.project.source import OVERRIDE
from orchestrator.project.text import literal

if TYPE_CHECKING:
    from orchestrator.project.source import Source

Reference = tuple[str, ...]
References = frozenset[Reference]

# What is no argument of a resource but tells Terraform how to handle it.
META = frozenset({"depends_on", "provider", "providers", "lifecycle", "provisioner", "connection"})
STEPS = ("get_attr", "index", "splat")


@dataclass(frozen=True)
class Expression:
    """The references of an expression; `elements` are those of an object whose keys are all spelt out."""

    references: References = frozenset()
    elements: Mapping[str, Expression] | None = None


@dataclass(frozen=True)
class Body:
    """A block's arguments and the blocks inside; `repeats` is its `for_each`, `count` its `count`."""

    attributes: Mapping[str, Expression] = field(default_factory=dict)
    blocks: tuple[tuple[str, Body], ...] = ()
    repeats: Expression | None = None
    count: Expression | None = None

    def named(self, name: str) -> tuple[Body, ...]:
        """The blocks of a name directly inside, dynamic ones included."""
        return tuple(body for kind, body in self.blocks if kind == name)

    def references(self) -> References:
        """All that is used anywhere in it."""
        own = (*self.attributes.values(), self.repeats or NOTHING, self.count or NOTHING)
        below = (body.references() for _, body in self.blocks)
        return frozenset().union(*(one.references for one in own), *below)


NOTHING = Expression()


@dataclass
class Definitions:
    """The definitions of a folder by name; resources and data sources by type and name."""

    locals: dict[str, Expression] = field(default_factory=dict)
    outputs: dict[str, Expression] = field(default_factory=dict)
    modules: dict[str, Body] = field(default_factory=dict)
    resources: dict[tuple[str, str], Body] = field(default_factory=dict)
    data: dict[tuple[str, str], Body] = field(default_factory=dict)

    def add(self, kind: str, labels: tuple[str, ...], body: Body) -> None:
        """Note a block; one of the same name comes from an override file and is merged in."""
        match kind, labels:
            case "locals", _:
                self.locals.update(body.attributes)
            case "output", (name,):
                if "value" in body.attributes:
                    self.outputs[name] = body.attributes["value"]
            case "module", (name,):
                self.modules[name] = _merged(self.modules.get(name), body)
            case (("resource" | "data"), (type_, name)):
                known = self.resources if kind == "resource" else self.data
                known[type_, name] = _merged(known.get((type_, name)), body)


def _merged(base: Body | None, over: Body) -> Body:
    """A block with what an override file says; its nested blocks replace those of their type."""
    if base is None:
        return over
    kinds = {kind for kind, _ in over.blocks}
    return Body(
        {**base.attributes, **over.attributes},
        (*(one for one in base.blocks if one[0] not in kinds), *over.blocks),
        over.repeats or base.repeats,
        over.count or base.count,
    )


def definitions(source: Source, folder: str) -> Definitions:
    """The definitions of a folder's files. What does not parse is left out: it reaches nothing."""
    found = Definitions()
    files = sorted(source.code(folder), key=lambda one: bool(OVERRIDE.search(one[0])))
    for name, path in files:
        data = source.tree.read(path)
        for kind, labels, body in _json_blocks(data) if name.endswith(".json") else _blocks(data):
            found.add(kind, labels, body)
    return found


def _blocks(data: bytes) -> Iterator[tuple[str, tuple[str, ...], Body]]:
    root, _ = syntax_tree(data)
    reader = _Reader(data)
    top = body_of(root)
    for node in top.named_children if top else ():
        if node.type == "block":
            kind, *labels = reader.head(node)
            yield kind, tuple(labels), reader.body(body_of(node))


class _Reader(Code):
    """Turns blocks and expressions of one file into references."""

    def body(self, node: Node | None) -> Body:
        attributes: dict[str, Expression] = {}
        blocks: list[tuple[str, Body]] = []
        for child in node.named_children if node else ():
            if child.type == "attribute" and len(child.named_children) >= 2:
                attributes[self.raw(child.named_children[0])] = self.expression(child.named_children[1])
            elif child.type == "block":
                kind, *labels = self.head(child)
                if kind == "dynamic" and labels:
                    blocks.append((labels[0], self.dynamic(child)))
                else:
                    blocks.append((kind, self.body(body_of(child))))
        return _body(attributes, blocks)

    def dynamic(self, node: Node) -> Body:
        whole = self.body(body_of(node))
        content = next(iter(whole.named("content")), Body())
        return replace(content, repeats=whole.repeats)

    def expression(self, node: Node) -> Expression:
        return Expression(frozenset(self.references(node, frozenset())), self.elements(node))

    def elements(self, node: Node) -> dict[str, Expression] | None:
        """The elements of an object; None for anything else, or when a key cannot be told."""
        whole = inner(node, "collection_value", "object")
        if whole is None or node.named_child_count != 1:
            return None
        found = {}
        for element in (one for one in whole.named_children if one.type == "object_elem"):
            key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
            name = self.key(key) if key is not None else None
            if name is None or value is None:
                return None
            found[name] = self.expression(value)
        return found

    def key(self, node: Node) -> str | None:
        """An object's key: a bare word, or a string without code."""
        if node.named_child_count == 1 and node.named_children[0].type == "variable_expr":
            return self.raw(node)
        return literal(self.text(node))

    def references(self, node: Node, shadowed: frozenset[str]) -> Iterator[Reference]:
        if node.type == "for_expr":
            shadowed |= set(self.loop_names(node))
        children = node.named_children
        for at, child in enumerate(children):
            if child.type == "variable_expr":
                name = self.raw(child)
                if name not in shadowed and not _is_key(node):
                    yield (name, *self.steps(children[at + 1 :]))
            else:
                yield from self.references(child, shadowed)

    def loop_names(self, node: Node) -> Iterator[str]:
        """The names that a `for` brings in."""
        for child in node.named_children:
            if child.type == "for_intro":
                yield from (self.raw(one) for one in child.named_children if one.type == "identifier")
            elif child.type in ("for_tuple_expr", "for_object_expr"):
                yield from self.loop_names(child)

    def steps(self, siblings: Iterable[Node]) -> Iterator[str]:
        for node in siblings:
            if node.type not in STEPS:
                return
            if node.type == "get_attr":
                yield self.raw(node).lstrip(". \t\r\n")
            elif node.type == "index":
                key = inner(node, "new_index", "expression")
                yield f"[{(literal(self.text(key)) if key is not None else None) or ''}"
            else:
                yield "["
                yield from (one for kind in node.named_children for one in self.steps(kind.named_children))


def _is_key(node: Node) -> bool:
    """Whether an expression is the bare key of an object's element."""
    parent = node.parent
    if parent is None or parent.type != "object_elem" or node.named_child_count != 1:
        return False
    return parent.child_by_field_name("key") == node


def _body(attributes: dict[str, Expression], blocks: Iterable[tuple[str, Body]]) -> Body:
    repeats, count = attributes.pop("for_each", None), attributes.pop("count", None)
    kept = {name: one for name, one in attributes.items() if name not in META}
    return Body(kept, tuple(one for one in blocks if one[0] not in META), repeats, count)


# Terraform's JSON syntax: objects may be blocks or values, which makes no difference to what they use


def _json_blocks(data: bytes) -> Iterator[tuple[str, tuple[str, ...], Body]]:
    from orchestrator.project.jsonblocks import labelled_objects

    for kind, labels, content in labelled_objects(data):
        yield kind, labels, _json_body(content)


def _json_body(content: Mapping[str, Any]) -> Body:
    attributes: dict[str, Expression] = {}
    blocks: list[tuple[str, Body]] = []
    for name, value in content.items():
        if name == "dynamic" and isinstance(value, dict):
            blocks += _json_dynamic(value)
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            blocks += [(name, _json_body(one)) for one in value]
        else:
            attributes[name] = _json_expression(value)
    return _body(attributes, blocks)


def _json_dynamic(value: Mapping[str, Any]) -> Iterator[tuple[str, Body]]:
    for label, bodies in value.items():
        for one in bodies if isinstance(bodies, list) else [bodies]:
            if isinstance(one, dict):
                content = one.get("content")
                body = _json_body(content) if isinstance(content, dict) else Body()
                yield label, replace(body, repeats=_json_expression(one.get("for_each")))


def _json_expression(value: Any) -> Expression:
    if isinstance(value, str):
        return Expression(_of_template(value))
    if isinstance(value, dict):
        elements = {name: _json_expression(one) for name, one in value.items()}
        keys = frozenset().union(*map(_of_template, value)) if value else frozenset()
        return Expression(keys.union(*(one.references for one in elements.values())), elements)
    if isinstance(value, list):
        return Expression(frozenset().union(*(_json_expression(one).references for one in value)))
    return NOTHING


def _of_template(text: str) -> References:
    if "${" not in text and "%{" not in text:
        return frozenset()
    data = b"_ = <<INFRA_TEMPLATE\n" + text.encode("utf-8", "surrogateescape") + b"\nINFRA_TEMPLATE\n"
    root, _ = syntax_tree(data)
    reader = _Reader(data)
    return frozenset().union(
        *(reader.expression(value).references for _, value in reader.attributes(body_of(root)))
    )
