"""HCL → `FileFacts`. The only module that touches tree-sitter.

Expressions are never evaluated. Only blocks are walked; references deep inside expressions are found by a
search over the bytes and then looked up in the tree, which tells code from comments and strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

import tree_sitter
import tree_sitter_hcl

from orchestrator.project.facts import (
    NO_TYPES,
    BackendBlock,
    FileFacts,
    ModuleCall,
    OutputUse,
    PathUse,
    RemoteState,
    Types,
)
from orchestrator.project.text import GAP, UNKNOWN, Part, Ref, Text, join, literal

FILE_FUNCTIONS = re.compile(
    rb"\b(templatefile|fileset|fileexists|file(?:base64(?:sha256|sha512)?|md5|sha1|sha256|sha512)?)\s*\("
)
REMOTE_STATE = re.compile(rb"\bdata\s*\.\s*terraform_remote_state\b")
PATH_NAME = re.compile(rb"\$\{\s*(path)\s*\.\s*(?:module|root)\s*\}/")
PROVIDER = re.compile(rb"\bprovider\s*=")
# A number that HCL knows and the grammar does not: an exponent without a fraction.
EXPONENT = re.compile(rb"(?<![\w.\"])(\d+)[eE](?=[-+]?\d)")
ESCAPE = re.compile(r'\\(?:(["\\nrt])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([$%])(?=[$%]\{)(?=\4)')
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}

Node = tree_sitter.Node


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def parse(data: bytes) -> FileFacts:
    """What a `.tf` file says. A file that does not parse gives what could be read, and `broken`."""
    root, broken = syntax_tree(data)
    reader = _Reader(data)
    for block in _blocks(root):
        reader.block(block)
    reader.expressions(root)
    return reader.facts(broken)


def parse_values(data: bytes) -> tuple[dict[str, Text], tuple[int | None, str] | None]:
    """The strings of a `.tfvars` file by variable name, and what does not parse."""
    root, broken = syntax_tree(data)
    reader = _Reader(data)
    return {name: reader.text(value) for name, value in reader.attributes(_body(root))}, broken


def parse_template(text: str) -> tuple[Text, FileFacts]:
    """A template outside HCL (a string of `.tf.json`, a template file): its text, and what it reads."""
    data = b"_ = <<INFRA_TEMPLATE\n" + text.encode("utf-8", "surrogateescape") + b"\nINFRA_TEMPLATE\n"
    root, _ = syntax_tree(data)
    reader = _Reader(data)
    reader.expressions(root)
    value = next((reader.text(value) for _, value in reader.attributes(_body(root))), UNKNOWN)
    if value and isinstance(value[-1], str):
        value = join([*value[:-1], value[-1].removesuffix("\n")])
    return value, reader.facts(None)


def template_paths(data: bytes) -> tuple[PathUse, ...]:
    """The paths that a template file reads by functions of its own; most have none and are not parsed."""
    if not FILE_FUNCTIONS.search(data):
        return ()
    return parse_template(data.decode("utf-8", "surrogateescape"))[1].paths


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
    line = data[: node.start_byte].count(b"\n") + 1
    at = data.splitlines()[line - 1 : line]
    return line, at[0].decode("utf-8", "replace").strip()[:80] if at else ""


def _body(node: Node) -> Node | None:
    return next((child for child in node.named_children if child.type == "body"), None)


def _blocks(node: Node) -> Iterator[Node]:
    body = _body(node)
    yield from (child for child in (body.named_children if body else ()) if child.type == "block")


class _Reader:
    """Collects the facts of one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.calls: list[ModuleCall] = []
        self.backend: BackendBlock | None = None
        self.versions: list[str] = []
        self.settings: list[str] = []
        self.providers: dict[str, str] = {}
        self.states: list[RemoteState] = []
        self.outputs: list[OutputUse] = []
        self.paths: list[PathUse] = []
        self.locals: dict[str, Text] = {}
        self.variables: dict[str, Text] = {}
        self.types: dict[str, set[str]] = {
            "resource": set(),
            "data": set(),
            "ephemeral": set(),
            "provider": set(),
        }
        self.names_providers = bool(PROVIDER.search(data))

    def facts(self, broken: tuple[int | None, str] | None) -> FileFacts:
        resources, data, ephemeral, providers = (frozenset(found) for found in self.types.values())
        return FileFacts(
            calls=tuple(self.calls),
            backend=self.backend,
            required_version=tuple(self.versions),
            required_providers=self.providers,
            remote_states=tuple(self.states),
            outputs=tuple(self.outputs),
            paths=tuple(self.paths),
            locals=self.locals,
            variables=self.variables,
            types=Types(resources, data, ephemeral, providers) if any(self.types.values()) else NO_TYPES,
            broken=broken,
            settings=tuple(self.settings),
        )

    # Blocks

    def block(self, node: Node) -> None:
        kind, *labels = self.head(node)
        match kind, labels:
            case "terraform", _:
                self.terraform(node)
            case "module", [name, *_]:
                self.module(node, name)
            case "data", ["terraform_remote_state", name]:
                self.remote_state(node, name)
            case "resource" | "data" | "ephemeral", [kind_of, *_]:
                self.types[kind].add(kind_of)
                self.types["provider"].add(self.provider_of(node, kind_of))
            case "provider", [name, *_]:
                self.types["provider"].add(name)
            case "locals", _:
                self.locals.update(self.known(node))
            case "variable", [name, *_]:
                default = next(
                    (value for key, value in self.attributes(_body(node)) if key == "default"), None
                )
                if default is not None and (text := self.text(default)) != UNKNOWN:
                    self.variables[name] = text
            case "check", _:
                for inner in _blocks(node):
                    self.block(inner)

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

    def terraform(self, node: Node) -> None:
        self.settings.append(self.raw(node))
        for name, value in self.attributes(_body(node)):
            if name == "required_version" and (version := literal(self.text(value))):
                self.versions.append(version)
        for inner in _blocks(node):
            kind, *labels = self.head(inner)
            if (kind == "backend" and labels) or kind == "cloud":
                body = _body(inner)
                attributes = {name: self.text(value) for name, value in self.attributes(body)}
                empty = not (body and body.named_child_count)
                self.backend = BackendBlock(
                    labels[0] if labels else kind, attributes, empty, self.line(inner)
                )
            elif kind == "required_providers":
                for name, value in self.attributes(_body(inner)):
                    source = literal(self.object(value).get("source")) if self.is_object(value) else None
                    self.providers[name] = source or f"hashicorp/{name}"

    def module(self, node: Node, name: str) -> None:
        arguments = self.known(node)
        given = dict(self.attributes(_body(node)))
        self.settings.append(
            f"{name} " + " ".join(self.raw(given[k]) for k in ("source", "version") if k in given)
        )
        source = self.text(given["source"]) if "source" in given else None
        arguments.pop("source", None)
        self.calls.append(ModuleCall(name, source, self.line(node), arguments, frozenset(given)))

    def remote_state(self, node: Node, name: str) -> None:
        given = dict(self.attributes(_body(node)))
        config: Mapping[str, Text] | None = {}
        if "config" in given:
            config = self.object(given["config"]) if self.is_object(given["config"]) else None
        elif (block := next((b for b in _blocks(node) if self.head(b) == ["config"]), None)) is not None:
            config = {key: self.text(value) for key, value in self.attributes(_body(block))}
        defaults = self.object(given["defaults"]) if "defaults" in given else {}
        self.states.append(
            RemoteState(
                name,
                self.text(given["backend"]) if "backend" in given else None,
                None if "for_each" in given and config is None else config,
                self.text(given["workspace"]) if "workspace" in given else None,
                frozenset(defaults),
                self.line(node),
            )
        )

    def provider_of(self, node: Node, type_name: str) -> str:
        """The local name of the provider of a resource: named by it, else the first word of its type."""
        if self.names_providers:
            for name, value in self.attributes(_body(node)):
                if name == "provider":
                    return self.raw(value).strip().strip('"').split(".")[0].strip()
        return type_name.split("_")[0]

    # Attributes and values

    def attributes(self, body: Node | None) -> Iterator[tuple[str, Node]]:
        """Names and expressions of the attributes directly in a body."""
        for child in body.named_children if body else ():
            if child.type == "attribute":
                parts = child.named_children
                if len(parts) >= 2:
                    yield self.raw(parts[0]), parts[1]

    def known(self, node: Node) -> dict[str, Text]:
        """The attributes of a block that are strings, or names of strings."""
        found = ((name, self.text(value)) for name, value in self.attributes(_body(node)))
        return {name: text for name, text in found if text != UNKNOWN}

    def is_object(self, expression: Node) -> bool:
        return _inner(expression, "collection_value", "object") is not None

    def object(self, expression: Node) -> dict[str, Text]:
        """The elements of an object whose keys are literal."""
        node = _inner(expression, "collection_value", "object")
        found: dict[str, Text] = {}
        for element in node.named_children if node else ():
            if element.type == "object_elem":
                key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
                if key is not None and value is not None:
                    bare = _inner(key, "variable_expr")
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
                inner = node.named_children[0] if node.named_child_count else None
                if inner is None or inner.type == "null_lit":
                    return UNKNOWN
                return (unescape(self.raw(inner)[1:-1]) if inner.type == "string_lit" else self.raw(inner),)
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
                inner = next((c for c in child.named_children if c.type == "expression"), None)
                told = inner is not None and child.type == "template_interpolation"
                parts.extend(self.text(inner) if told and inner is not None else (GAP,))
                start = child.end_byte
        parts.append(self.literal(start, end, quoted))
        return join([part for part in parts if part != ""])

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

    # References inside expressions

    def expressions(self, root: Node) -> None:
        for match in FILE_FUNCTIONS.finditer(self.data):
            self.file_function(root.descendant_for_byte_range(match.start(1), match.end(1)))
        for match in REMOTE_STATE.finditer(self.data):
            self.output_use(root.descendant_for_byte_range(match.start(), match.start() + 4))
        for match in PATH_NAME.finditer(self.data):
            self.plain_path(root.descendant_for_byte_range(match.start(1), match.end(1)))

    def file_function(self, node: Node | None) -> None:
        call = node.parent if node is not None and node.type == "identifier" else None
        if node is None or call is None or call.type != "function_call":
            return
        arguments = self.arguments(call)
        function = self.raw(node)
        if function == "fileset" and len(arguments) > 1:
            folder, pattern = self.text(arguments[0]), self.text(arguments[1])
            self.paths.append(PathUse(function, folder, self.line(call), pattern))
        elif arguments:
            self.paths.append(PathUse(function, self.text(arguments[0]), self.line(call)))

    def plain_path(self, node: Node | None) -> None:
        """`"${path.module}/…"` as a plain string: a provider reads it, or a function behind a local."""
        template = node
        while template is not None and template.type not in ("quoted_template", "heredoc_template"):
            template = template.parent
        if template is None or template.type != "quoted_template" or self.is_file_argument(template):
            return
        text = self.template(template)
        if isinstance(text[0], Ref) and text[0].kind == "path":
            self.paths.append(PathUse("", text, self.line(template)))

    def is_file_argument(self, template: Node) -> bool:
        """True for the string in `file("…")`, which was read with its function."""
        node = template.parent
        while node is not None and node.type in ("template_expr", "expression", "function_arguments"):
            node = node.parent
        return (
            node is not None
            and node.type == "function_call"
            and FILE_FUNCTIONS.match(self.data, node.start_byte) is not None
        )

    def output_use(self, node: Node | None) -> None:
        variable = node.parent if node is not None and node.type == "identifier" else None
        holder = variable.parent if variable is not None and variable.type == "variable_expr" else None
        if holder is None:
            return
        steps = [self.step(child) for child in holder.named_children[1:]]
        if len(steps) < 2 or steps[1] is None or self.is_dependency(holder):
            return
        rest = steps[2:]
        while rest and rest[0] != "outputs":
            rest = rest[1:]
        output = rest[1] if len(rest) > 1 else None
        self.outputs.append(OutputUse(steps[1], output, self.is_optional(holder)))

    def step(self, node: Node) -> str | None:
        """The name in `.name` or `["name"]`; None for anything else."""
        if node.type == "get_attr":
            return self.raw(node).lstrip(". \t\r\n")
        index = _inner(node, "new_index", "expression")
        return literal(self.text(index)) if index is not None else None

    def is_dependency(self, node: Node | None) -> bool:
        """True inside `depends_on = […]`, which reads no value."""
        while node is not None and node.type not in ("attribute", "block"):
            node = node.parent
        return (
            node is not None and node.type == "attribute" and self.raw(node.named_children[0]) == "depends_on"
        )

    def is_optional(self, node: Node | None) -> bool:
        while node is not None and node.type not in ("attribute", "block"):
            if node.type == "function_call" and self.raw(node.named_children[0]) in ("try", "can"):
                return True
            node = node.parent
        return False

    def arguments(self, call: Node) -> list[Node]:
        """The expressions between the parentheses of a call."""
        node = next((child for child in call.named_children if child.type == "function_arguments"), None)
        return [child for child in node.named_children if child.type == "expression"] if node else []

    def raw(self, node: Node) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def line(self, node: Node) -> int:
        return node.start_point.row + 1


def _inner(node: Node, *types: str) -> Node | None:
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
