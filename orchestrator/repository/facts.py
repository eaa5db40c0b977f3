"""Extracts the facts of a merged module that planning needs, small enough to cache by the thousand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from orchestrator.repository.hcl import Block, Expression, File, FunctionCall, Template
from orchestrator.repository.hcl.syntax import PLAIN_NUMBER
from orchestrator.repository.hcl.text import (
    GAP,
    NULL,
    UNKNOWN,
    Part,
    Ref,
    Text,
    join,
    literal,
)
from orchestrator.repository.modules import MergedModule, is_override

NOTHING: Mapping[str, Any] = MappingProxyType({})
# Functions that read files, and one whose text may call them.
FILE_FUNCTIONS = frozenset(
    (
        *("file", "filebase64", "filebase64sha256", "filebase64sha512", "filemd5"),
        *("filesha1", "filesha256", "filesha512", "fileexists", "fileset", "templatefile"),
    )
)
REMOTE_STATE = re.compile(rb"\bdata\s*\.\s*terraform_remote_state\b")
# Arguments whose value is the path of a file or folder that a provider reads.
PATH_ARGUMENT = re.compile(
    rb"(?<![\w-])((?:[a-z0-9_]+_)?(?:source|source_dir|source_file|source_path|filename|file|chart|template"
    rb"|file_path|template_path|dir|directory))\s*="
)
# Blocks whose attributes no provider reads.
NO_ARGUMENTS = frozenset({"terraform", "variable"})
WRITTEN_ARGUMENTS = frozenset({"output_path", "output_file", "output_dir"})
TEMPLATE_CALL = re.compile(rb"file")


def nothing() -> Mapping[str, Any]:
    """The empty mapping that every fact without entries shares."""
    return NOTHING


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A `module` block: the text of each argument, unknown or null included. `source` is None without one."""

    name: str
    source: Text | None
    line: int | None
    arguments: Mapping[str, Text] = field(default_factory=nothing)


@dataclass(frozen=True, slots=True)
class VariableFacts:
    """A variable: its default (None without one), and the type that values are converted to.

    `ephemeral` is true also where it cannot be determined.
    """

    default: Text | None = None
    type: str | None = None
    nullable: bool = True
    ephemeral: bool = False

    def convert(self, text: Text) -> Text:
        """A value as the variable holds it; unknown where conversion might change it."""
        if self.type in (None, "string", "any"):
            return text
        plain = literal(text)
        if self.type == "number" and plain is not None and PLAIN_NUMBER.fullmatch(plain):
            return text
        return text if self.type == "bool" and plain in ("true", "false") else UNKNOWN


@dataclass(frozen=True, slots=True)
class BackendBlock:
    """A `backend` or `cloud` block (`kind` "cloud"): its string attributes, and whether it has none."""

    kind: str
    attributes: Mapping[str, Text]
    empty: bool
    line: int | None


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A `terraform_remote_state`. `config` is None when it is no object; `defaults` names outputs."""

    name: str
    backend: Text | None
    config: Mapping[str, Text] | None
    workspace: Text | None
    defaults: frozenset[str]
    line: int | None


@dataclass(frozen=True, slots=True)
class OutputUse:
    """A use of `data.terraform_remote_state.NAME.outputs.OUTPUT`; `output` None means any of them.

    `optional` is true inside `try` or `can`, where the output may be missing.
    """

    name: str
    output: str | None
    optional: bool


@dataclass(frozen=True, slots=True)
class PathUse:
    """A path that the code reads. `pattern` is the second argument of `fileset`.

    `function` is empty for a plain string (`source = "${path.module}/x.zip"`), whose path a provider reads.
    With `argument` it is the value of that argument, which is a path only if there is such a file.
    """

    function: str
    path: Text
    line: int | None
    pattern: Text | None = None
    argument: str = ""


@dataclass(frozen=True, slots=True)
class ProviderTypes:
    """Resource, data source and ephemeral types, and the providers that they come from."""

    resources: frozenset[str] = frozenset()
    data_sources: frozenset[str] = frozenset()
    ephemeral: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()

    def __or__(self, other: ProviderTypes) -> ProviderTypes:
        return ProviderTypes(
            self.resources | other.resources,
            self.data_sources | other.data_sources,
            self.ephemeral | other.ephemeral,
            self.providers | other.providers,
        )


NO_TYPES = ProviderTypes()


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """The facts of a module.

    `broken` are the files that do not parse: name, line and text. `settings` are the `terraform` blocks and
    module addresses as they are written: what `init` looks at. `items` are keys and values of locals that
    hold what `fileset` finds. `at` has the file of an entry by kind and name: `("module", "vpc")`.
    `has_only_moves` says that no block but `moved` is there.
    """

    files: tuple[str, ...] = ()
    calls: Mapping[str, ModuleCall] = field(default_factory=nothing)
    backend: BackendBlock | None = None
    required_version: tuple[str, ...] = ()
    required_providers: Mapping[str, str] = field(default_factory=nothing)
    remote_states: Mapping[str, RemoteState] = field(default_factory=nothing)
    outputs: tuple[OutputUse, ...] = ()
    paths: tuple[tuple[str, PathUse], ...] = ()
    locals: Mapping[str, Text] = field(default_factory=nothing)
    items: Mapping[str, tuple[Text, Text]] = field(default_factory=nothing)
    variables: Mapping[str, VariableFacts] = field(default_factory=nothing)
    types: ProviderTypes = NO_TYPES
    broken: tuple[tuple[str, int | None, str], ...] = ()
    settings: tuple[str, ...] = ()
    at: Mapping[tuple[str, str], str] = field(default_factory=dict)
    has_only_moves: bool = False


def module_facts(module: MergedModule) -> ModuleFacts:
    """The facts of a merged module."""
    states = {
        name: block
        for (kind, type_name, name), block in module.resources.items()
        if kind == "data" and type_name == "terraform_remote_state"
    }
    states |= {
        block.name: block
        for check in module.other_blocks
        for block in check.of("data")
        if _is_remote_state(block)
    }
    at = {("module", name): _source_file(block) for name, block in module.calls.items()}
    at |= {("remote_state", name): block.file for name, block in states.items()}
    if module.backend is not None:
        at["backend", ""] = module.backend.file
    return ModuleFacts(
        files=tuple(file.name for file in module.files),
        calls={name: _call(block) for name, block in module.calls.items()},
        backend=_backend(module.backend) if module.backend is not None else None,
        required_version=tuple(
            version
            for attribute in module.required_version
            if (version := attribute.expression.string) is not None
        ),
        required_providers={
            name: provider_source(name, attribute.expression) or f"hashicorp/{name}"
            for name, attribute in module.required_providers.items()
        },
        remote_states={name: _remote_state(block) for name, block in states.items()},
        outputs=tuple(use for file in module.files for use in _output_uses(file)),
        paths=tuple((file.name, use) for file in module.files for use in path_uses(module, file)),
        locals={name: attribute.expression.text for name, attribute in module.locals.items()},
        items={
            name: items
            for name, attribute in module.locals.items()
            if (items := attribute.expression.items) is not None
        },
        variables={name: _variable(block) for name, block in module.variables.items()},
        types=_types(module),
        broken=tuple((file.name, *file.broken) for file in module.files if file.broken is not None),
        settings=tuple(_settings(module)),
        at=at,
        has_only_moves=_has_only_moves(module),
    )


def _has_only_moves(module: MergedModule) -> bool:
    kinds = {block.kind for block in module.blocks()}
    is_whole = not module.locals and all(file.broken is None for file in module.files)
    return kinds == {"moved"} and is_whole


def _is_remote_state(block: Block) -> bool:
    return block.labels[:1] == ("terraform_remote_state",)


def _source_file(block: Block) -> str:
    source = block.attributes.get("source")
    return source.file if source is not None else block.file


def bound_text(expression: Expression, block: Block | None) -> Text:
    """An expression as a string, with `each.key` and `each.value` of the block that it stands in."""
    return bind(expression.text, block)


def bind(text: Text, block: Block | None) -> Text:
    """A text with `each.key` and `each.value` of a block put in, where `fileset` finds them."""
    if not any(isinstance(part, Ref) and part.kind == "each" for part in text):
        return text
    repeats = block.expression("for_each") if block is not None else None
    items = (repeats.items if repeats is not None else None) or (UNKNOWN, UNKNOWN)
    parts: list[Part] = []
    for part in text:
        if isinstance(part, Ref) and part.kind == "each":
            parts += items[0] if part.name == "key" else items[1] if part.name == "value" else UNKNOWN
        else:
            parts.append(part)
    return join(parts)


def _call(block: Block) -> ModuleCall:
    source = block.attributes.get("source")
    arguments = {
        name: bound_text(attribute.expression, block)
        for name, attribute in block.attributes.items()
        if name != "source"
    }
    return ModuleCall(
        block.name,
        source.expression.text if source is not None else None,
        block.line,
        arguments or NOTHING,
    )


def _variable(block: Block) -> VariableFacts:
    names = ("default", "type", "nullable", "ephemeral")
    default, kind, nullable, ephemeral = (block.expression(name) for name in names)
    return VariableFacts(
        constant(default) if default is not None else None,
        (kind.string if kind.string is not None else kind.source.strip()) if kind is not None else None,
        nullable is None or nullable.string != "false",
        ephemeral is not None and ephemeral.string != "false",
    )


def constant(expression: Expression) -> Text:
    """A value where names have no meaning."""
    return expression.text if expression.string is not None or expression.is_null else UNKNOWN


def _backend(block: Block) -> BackendBlock:
    attributes = {name: attribute.expression.text for name, attribute in block.attributes.items()}
    return BackendBlock(
        block.labels[0] if block.labels else block.kind, attributes, block.is_empty, block.line
    )


def provider_source(name: str, requirement: Expression) -> str | None:
    """The source of a required provider, HashiCorp's of that name without one; None when unknown."""
    elements = requirement.elements
    if elements is None:
        # The short form: nothing but a version.
        return f"hashicorp/{name}" if requirement.string is not None else None
    source = elements.get("source")
    return source.string if source is not None else f"hashicorp/{name}"


def _remote_state(block: Block) -> RemoteState:
    backend, workspace, defaults = (block.expression(name) for name in ("backend", "workspace", "defaults"))
    return RemoteState(
        block.name,
        bound_text(backend, block) if backend is not None else None,
        _config(block),
        bound_text(workspace, block) if workspace is not None and not workspace.is_null else None,
        frozenset((defaults.elements or ()) if defaults is not None else ()),
        block.line,
    )


def _config(block: Block) -> Mapping[str, Text] | None:
    """The settings of a remote state's backend; None when they cannot be determined."""
    config = block.expression("config")
    if config is not None:
        elements = config.elements
        if elements is None:
            return None
        return {name: bound_text(element, block) for name, element in elements.items()}
    nested = next((body for kind, body in block.nested() if kind == "config"), None)
    attributes = nested.attributes if nested is not None else {}
    return {name: bound_text(attribute.expression, block) for name, attribute in attributes.items()}


def _output_uses(file: File) -> Iterator[OutputUse]:
    for use in file.uses(REMOTE_STATE):
        steps = [step.removeprefix("[") for step in use.reference[1:] if step != "["]
        if len(use.reference) < 3 or use.is_dependency or len(steps) < 2:
            continue
        rest = steps[2:]
        while rest and rest[0] != "outputs":
            rest = rest[1:]
        yield OutputUse(steps[1], rest[1] if len(rest) > 1 else None, use.optional)


# Files that code reads


def path_uses(module: MergedModule, file: File) -> Iterator[PathUse]:
    """The paths in a file of a module: in functions, in strings that begin with a folder, in arguments."""
    for call, block in file.calls(FILE_FUNCTIONS):
        if call.arguments:
            yield _path_use(call, module.merged(block))
    for text, line, block in file.folder_strings(FILE_FUNCTIONS):
        yield PathUse("", bind(text, module.merged(block)), line)
    for name, expression, block, is_direct in file.arguments(PATH_ARGUMENT, without=NO_ARGUMENTS):
        if block is None or name in WRITTEN_ARGUMENTS:
            continue
        if block.kind == "module" and is_direct and name == "source":
            continue
        text = bind(expression.text, module.merged(block))
        first = text[0]
        if GAP not in text and text != NULL and not (isinstance(first, Ref) and first.kind == "path"):
            yield PathUse("", text, expression.line, argument=name)


def _path_use(call: FunctionCall, block: Block | None) -> PathUse:
    pattern = call.text(1) if call.function == "fileset" else None
    if pattern is not None:
        pattern = bind(pattern, block)
    return PathUse(call.function, bind(call.arguments[0].text, block), call.line, pattern)


def template_uses(data: bytes) -> tuple[PathUse, ...]:
    """The paths that a template file reads by functions of its own; most have none and are not parsed."""
    if not TEMPLATE_CALL.search(data):
        return ()
    template = Template(data.decode("utf-8", "surrogateescape"))
    return tuple(_path_use(call, None) for call in template.calls(FILE_FUNCTIONS) if call.arguments)


# Types


def provider_of(block: Block) -> str:
    """The local name of the provider of a resource: named by it, else the first word of its type."""
    provider = block.expression("provider")
    if provider is None:
        return block.labels[0].partition("_")[0]
    return provider.source.strip(' \t\r\n"${}~()').partition(".")[0].strip()


def _types(module: MergedModule) -> ProviderTypes:
    names: dict[str, set[str]] = {"resource": set(), "data": set(), "ephemeral": set()}
    providers = {name for name, _ in module.providers}
    nested = [block for check in module.other_blocks for block in check.of("data")]
    # Terraform 1.11 merges no override into an ephemeral resource, later ones do: both providers count.
    written = (
        (block for file in module.files for block in file.blocks if block.kind in names)
        if any(is_override(file.name) for file in module.files)
        else ()
    )
    for block in (*module.resources.values(), *nested, *written):
        if block.kind in names and block.labels and not (block.kind == "data" and _is_remote_state(block)):
            names[block.kind].add(block.labels[0])
            providers.add(provider_of(block))
    if not providers:
        return NO_TYPES
    resources, data, ephemeral = (frozenset(types) for types in names.values())
    return ProviderTypes(resources, data, ephemeral, frozenset(providers))


def _settings(module: MergedModule) -> Iterable[str]:
    """The text of everything that `terraform init` reads."""
    for block in module.terraform:
        yield block.source
    for name, block in module.calls.items():
        written = [block.attributes[key].source for key in ("source", "version") if key in block.attributes]
        yield f"{name} {' '.join(written)}"
