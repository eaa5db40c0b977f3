"""A file of HCL → `CodeFacts`; and what is no plain text at all."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.guard.facts import Called, CodeFacts, Gathered, Held, Named, Required, Store
from orchestrator.guard.reads import UNCLEAR, reads_of, unclear_heredoc
from orchestrator.project.hcl import Code, Node, blocks_of, body_of, inner, syntax_tree
from orchestrator.project.text import Text, literal

# Terraform refuses them, or reads them as something else than other parsers do.
ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")


def read_code(path: str, data: bytes) -> CodeFacts:
    """The facts of a file; `path` tells JSON from HCL."""
    odd = not_text(data)
    if odd:
        return CodeFacts(unreadable=odd)
    if path.endswith(".json"):
        from orchestrator.guard.json_facts import read_json

        return read_json(data)
    return read_hcl(data)


def not_text(data: bytes) -> tuple[int | None, str] | None:
    """The first place where a file is not plain text."""
    match = ODD.search(data)
    if match:
        return data[: match.start()].count(b"\n") + 1, f"it holds the control character {match[0][0]:#04x}"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data[: error.start].count(b"\n") + 1, "it is not UTF-8 text"
    return None


def read_hcl(data: bytes) -> CodeFacts:
    """The facts of a file in HCL."""
    match = UNCLEAR.search(data)
    if match:
        line = data[: match.start()].count(b"\n") + 1
        return CodeFacts(unreadable=(line, f"`{match[0].decode()}` means one thing here and another there"))
    root, broken = syntax_tree(data)
    if broken:
        return CodeFacts(unreadable=(broken[0], f"this does not parse: {broken[1]}"))
    reader = Reader(data)
    for block in blocks_of(root):
        reader.block(block)
    reader.found.reads.extend(reads_of(reader, root))
    reader.found.unreadable = unclear_heredoc(reader, root)
    return reader.found.facts()


class Reader(Code):
    """Collects the facts of one file."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.found = Gathered()

    def block(self, node: Node) -> None:
        kind, *labels = self.head(node)
        match kind, labels:
            case "terraform", _:
                self.terraform(node)
            case "provider", [name, *_]:
                self.provider(node, name)
            case "module", [name, *_]:
                given = dict(self.attributes(body_of(node)))
                if "source" in given:
                    self.found.calls.append(Called(name, self.text(given["source"]), self.line(node)))
            case (("resource" | "data" | "ephemeral" | "action" | "list"), [type_name, *names]):
                self.held(node, kind, type_name, names)
            case "removed", _:
                self.provisioners(node, "removed")
            case "check", _:
                for nested in blocks_of(node):
                    self.block(nested)

    def terraform(self, node: Node) -> None:
        for nested in blocks_of(node):
            kind, *labels = self.head(nested)
            line = self.line(nested)
            if kind in ("backend", "cloud"):
                body = body_of(nested)
                settings = {name: self.text(value) for name, value in self.attributes(body)}
                settings |= {self.head(one)[0]: () for one in blocks_of(nested)}
                name = labels[0] if labels else kind
                self.found.backends.append(Store("", (name,), settings, line))
            elif kind == "required_providers":
                for name, value in self.attributes(body_of(nested)):
                    self.found.required.append(Required(name, self.source(name, value), self.line(value)))
            elif kind == "provider_meta":
                self.found.metas.append(Named(labels[0] if labels else "", line))

    def source(self, name: str, value: Node) -> str | None:
        """The source of a required provider; without one it is HashiCorp's of that name."""
        if not self.is_object(value):
            # The short form: nothing but a version.
            return f"hashicorp/{name}" if literal(self.text(value)) is not None else None
        elements = self.elements(value)
        if elements is None:
            return None
        return literal(self.text(elements["source"])) if "source" in elements else f"hashicorp/{name}"

    def elements(self, expression: Node) -> dict[str, Node] | None:
        """The elements of an object; None unless all of its keys are plain words."""
        node = inner(expression, "collection_value", "object")
        if node is None or expression.named_child_count != 1:
            return None
        found: dict[str, Node] = {}
        for element in node.named_children:
            if element.type in ("object_start", "object_end", "comment"):
                continue
            if element.type != "object_elem":
                return None
            key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
            name = self.word(key) if key is not None else None
            if name is None or value is None:
                return None
            found[name] = value
        return found

    def word(self, key: Node) -> str | None:
        """A key that is a bare word or a plain string, alone."""
        if key.named_child_count != 1:
            return None
        only = key.named_children[0]
        return self.raw(only) if only.type == "variable_expr" else literal(self.text(key))

    def provider(self, node: Node, name: str) -> None:
        self.found.configured.append(Named(name, self.line(node)))
        for argument, value in self.attributes(body_of(node)):
            self.found.arguments.append(Named(argument, self.line(value), name))
        for nested in blocks_of(node):
            self.found.arguments.append(Named(self.head(nested)[0], self.line(nested), name))

    def held(self, node: Node, kind: str, type_name: str, names: list[str]) -> None:
        given = dict(self.attributes(body_of(node)))
        local = type_name.split("_")[0]
        if "provider" in given:
            local = self.raw(given["provider"]).strip().strip('"').split(".")[0].strip()
        self.found.held.append(Held(kind, type_name, local, self.line(node)))
        if kind == "resource":
            self.provisioners(node, type_name)
        if kind == "data" and type_name == "terraform_remote_state":
            self.remote_state(node, names[0] if names else "", given)

    def provisioners(self, node: Node, of: str) -> None:
        for nested in blocks_of(node):
            kind, *labels = self.head(nested)
            if kind in ("provisioner", "connection"):
                name = f"{kind} {labels[0]}" if labels else kind
                self.found.provisioners.append(Named(name, self.line(nested), of))

    def remote_state(self, node: Node, name: str, given: Mapping[str, Node]) -> None:
        settings: dict[str, Text] | None = {}
        if "config" in given:
            elements = self.elements(given["config"])
            settings = None if elements is None else {key: self.text(one) for key, one in elements.items()}
        for block in blocks_of(node):
            if self.head(block)[0] == "config" and settings is not None:
                settings |= {key: self.text(one) for key, one in self.attributes(body_of(block))}
        kind = self.text(given["backend"]) if "backend" in given else None
        self.found.states.append(Store(name, kind, settings, self.line(node)))
