"""A file of HCL → `FileFacts`.

Only blocks are walked. References deep inside expressions are found by a search over the bytes and then
looked up in the tree, which tells code from comments and strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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
from orchestrator.project.hcl import Code, Node, blocks_of, body_of, inner, syntax_tree
from orchestrator.project.text import UNKNOWN, Ref, Text, join, literal

FILE_FUNCTIONS = re.compile(
    rb"\b(templatefile|fileset|fileexists|file(?:base64(?:sha256|sha512)?|md5|sha1|sha256|sha512)?)\s*\("
)
REMOTE_STATE = re.compile(rb"\bdata\s*\.\s*terraform_remote_state\b")
PATH_NAME = re.compile(rb"\$\{\s*(path)\s*\.\s*(?:module|root)\s*\}/")
PROVIDER = re.compile(rb"\bprovider\s*=")


def parse(data: bytes) -> FileFacts:
    """What a `.tf` file says. A file that does not parse gives what could be read, and `broken`."""
    root, broken = syntax_tree(data)
    reader = _Reader(data)
    for block in blocks_of(root):
        reader.block(block)
    reader.expressions(root)
    return reader.facts(broken)


def parse_values(data: bytes) -> tuple[dict[str, Text], tuple[int | None, str] | None]:
    """The strings of a `.tfvars` file by variable name, and what does not parse."""
    root, broken = syntax_tree(data)
    reader = _Reader(data)
    return {name: reader.text(value) for name, value in reader.attributes(body_of(root))}, broken


def parse_template(text: str) -> tuple[Text, FileFacts]:
    """A template outside HCL (a string of `.tf.json`, a template file): its text, and what it reads."""
    data = b"_ = <<INFRA_TEMPLATE\n" + text.encode("utf-8", "surrogateescape") + b"\nINFRA_TEMPLATE\n"
    root, _ = syntax_tree(data)
    reader = _Reader(data)
    reader.expressions(root)
    value = next((reader.text(value) for _, value in reader.attributes(body_of(root))), UNKNOWN)
    if value and isinstance(value[-1], str):
        value = join([*value[:-1], value[-1].removesuffix("\n")])
    return value, reader.facts(None)


def template_paths(data: bytes) -> tuple[PathUse, ...]:
    """The paths that a template file reads by functions of its own; most have none and are not parsed."""
    if not FILE_FUNCTIONS.search(data):
        return ()
    return parse_template(data.decode("utf-8", "surrogateescape"))[1].paths


class _Reader(Code):
    """Collects the facts of one file."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
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
                    (value for key, value in self.attributes(body_of(node)) if key == "default"), None
                )
                if default is not None and (text := self.text(default)) != UNKNOWN:
                    self.variables[name] = text
            case "check", _:
                for nested in blocks_of(node):
                    self.block(nested)

    def terraform(self, node: Node) -> None:
        self.settings.append(self.raw(node))
        for name, value in self.attributes(body_of(node)):
            if name == "required_version" and (version := literal(self.text(value))):
                self.versions.append(version)
        for nested in blocks_of(node):
            kind, *labels = self.head(nested)
            if (kind == "backend" and labels) or kind == "cloud":
                body = body_of(nested)
                attributes = {name: self.text(value) for name, value in self.attributes(body)}
                empty = not (body and body.named_child_count)
                self.backend = BackendBlock(
                    labels[0] if labels else kind, attributes, empty, self.line(nested)
                )
            elif kind == "required_providers":
                for name, value in self.attributes(body_of(nested)):
                    source = literal(self.object(value).get("source")) if self.is_object(value) else None
                    self.providers[name] = source or f"hashicorp/{name}"

    def module(self, node: Node, name: str) -> None:
        arguments = self.known(node)
        given = dict(self.attributes(body_of(node)))
        self.settings.append(
            f"{name} " + " ".join(self.raw(given[k]) for k in ("source", "version") if k in given)
        )
        source = self.text(given["source"]) if "source" in given else None
        arguments.pop("source", None)
        self.calls.append(ModuleCall(name, source, self.line(node), arguments, frozenset(given)))

    def remote_state(self, node: Node, name: str) -> None:
        given = dict(self.attributes(body_of(node)))
        config: Mapping[str, Text] | None = {}
        if "config" in given:
            config = self.object(given["config"]) if self.is_object(given["config"]) else None
        elif (block := next((b for b in blocks_of(node) if self.head(b) == ["config"]), None)) is not None:
            config = {key: self.text(value) for key, value in self.attributes(body_of(block))}
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
            for name, value in self.attributes(body_of(node)):
                if name == "provider":
                    return self.raw(value).strip().strip('"').split(".")[0].strip()
        return type_name.split("_")[0]

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
        steps = [self.step(one) for child in holder.named_children[1:] for one in _unsplatted(child)]
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
        index = inner(node, "new_index", "expression")
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


def _unsplatted(node: Node) -> Iterator[Node]:
    """The steps of a reference, those behind `[*]` or `.*` included."""
    if node.type == "splat":
        yield from (step for kind in node.named_children for step in kind.named_children)
    else:
        yield node
