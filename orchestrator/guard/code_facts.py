"""Extracts `CodeFacts` from a Terraform file, HCL or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.guard.facts import (
    PATH_FUNCTIONS,
    CodeFacts,
    FactCollector,
    FileRead,
    ModuleCallFact,
    NamedBlock,
    ProviderBlock,
    RequiredProvider,
    ResourceBlock,
    StateStore,
)
from orchestrator.guard.providers import type_capabilities
from orchestrator.guard.settings import Setting, settings_of
from orchestrator.repository.facts import (
    bind,
    bound_text,
    provider_of,
    provider_source,
)
from orchestrator.repository.hcl import Block, Expression, File, FunctionCall, Problem, Template
from orchestrator.repository.hcl.expression import is_template
from orchestrator.repository.hcl.text import Text, literal
from orchestrator.repository.modules import RESOURCE_KINDS, MergedModule

POINTER = b"version https://git-lfs.github.com/spec/"
# Functions that read files, and one whose text may call them.
READING = PATH_FUNCTIONS | {"templatestring"}


def code_facts(file: File, module: MergedModule | None = None) -> CodeFacts:
    """The facts of a file as it is written; what repeats a block is the merged module's.

    `module` is None where no override file is merged into its blocks.
    """
    facts = FactCollector(unreadable=_pointer_problem(file) or file.problem)
    for block in file.blocks:
        _add_block(facts, block, module)
    facts.reads += [_read(call, _merged(block, module)) for call, block in file.calls(READING)]
    return facts.facts()


def _merged(block: Block | None, module: MergedModule | None) -> Block | None:
    return block if module is None else module.merged(block)


def _pointer_problem(file: File) -> Problem | None:
    """Why a pointer of Git LFS is no code."""
    why = "it is a pointer to a file in Git LFS, and nobody reviewed what is behind it"
    return (1, why) if file.data.startswith(POINTER) else None


def template_reads(data: bytes) -> tuple[tuple[FileRead, ...], Problem | None]:
    """What a template file reads by functions of its own; what is unclear."""
    text = data.decode("utf-8", "surrogateescape")
    if not any(function in text for function in ("file", "templatestring")):
        return (), None
    template = Template(text)
    if template.unclear is not None:
        return (), (None, "a template in it does not parse")
    return tuple(_read(call, None) for call in template.calls(READING)), None


def _read(call: FunctionCall, block: Block | None) -> FileRead:
    path = bind(call.arguments[0].text, block) if call.arguments else ()
    pattern = call.text(1) if call.function == "fileset" else None
    return FileRead(call.function, path, call.line, bind(pattern, block) if pattern is not None else None)


def _add_block(facts: FactCollector, block: Block, module: MergedModule | None) -> None:
    match block.kind, block.labels:
        case "terraform", _:
            _add_settings(facts, block)
        case "provider", (name, *_):
            facts.configured.append(ProviderBlock(name, tuple(settings_of(block)), block.line))
        case "module", (name, *_):
            if (source := block.attributes.get("source")) is not None:
                facts.calls.append(ModuleCallFact(name, source.expression.text, block.line))
        case kind, (type_name, *names) if kind in RESOURCE_KINDS:
            _add_resource(facts, block, type_name, names, module)
        case "removed", _:
            _add_provisioners(facts, block, "removed")
        case "check", _:
            for nested in block.of("data"):
                _add_block(facts, nested, module)
        case "import", _:
            _add_import(facts, block)
        case "run", (name, *_):
            for nested in block.of("module"):
                if (source := nested.attributes.get("source")) is not None:
                    facts.calls.append(ModuleCallFact(name, source.expression.text, nested.line))


def _add_settings(facts: FactCollector, terraform: Block) -> None:
    for block in terraform.blocks:
        if block.kind in ("backend", "cloud", "state_store"):
            settings: dict[str, Text] = {
                name: attribute.expression.text for name, attribute in block.attributes.items()
            }
            settings |= {nested.kind: () for nested in block.blocks}
            name = block.labels[0] if block.labels else block.kind
            if block.kind == "state_store":
                # A provider's state store is never a backend of the same name.
                name = f"state_store {name}"
                facts.configured += [
                    ProviderBlock(nested.labels[0], tuple(settings_of(nested)), nested.line)
                    for nested in block.of("provider")
                    if nested.labels
                ]
            facts.backends.append(StateStore("", (name,), settings, block.line))
        elif block.kind == "required_providers":
            for name, attribute in block.attributes.items():
                source = provider_source(name, attribute.expression)
                facts.required.append(RequiredProvider(name, source, attribute.line))
        elif block.kind == "encryption":
            _add_encryption(facts, block)
        elif block.kind == "provider_meta" and not all(map(_is_written_out, settings_of(block))):
            # What is written out names a module, as public modules do, and holds nothing of a plan.
            facts.metas.append(NamedBlock(block.name, block.line))


def _is_written_out(setting: Setting) -> bool:
    """Whether a value is a plain string; those of JSON may be templates to Terraform."""
    text = literal(setting.text) if setting.text is not None else None
    return text is not None and not is_template(text)


def _add_resource(
    facts: FactCollector, block: Block, type_name: str, names: list[str], module: MergedModule | None
) -> None:
    capabilities = type_capabilities(block.kind, type_name)
    settings = tuple(settings_of(block)) if capabilities else ()
    for name in (name for each in capabilities for name in each.rendered):
        if (text := block.expression(name)) is not None:
            facts.reads += _rendered(text, type_name, _merged(block, module))
    facts.resources.append(ResourceBlock(block.kind, type_name, provider_of(block), block.line, settings))
    if block.kind == "resource":
        _add_provisioners(facts, block, type_name)
    if block.kind == "data" and type_name == "terraform_remote_state":
        _add_remote_state(facts, block, names[0] if names else "", _merged(block, module) or block)


def _rendered(text: Expression, type_name: str, block: Block | None) -> Iterator[FileRead]:
    """What a provider reads that renders a text as a template, with functions of its own."""
    if text.is_null:
        return
    call = text.call
    if call is not None and call.function == "file" and call.arguments:
        yield replace(_read(call, block), function="templatefile")
        return
    written = text.string
    if written is not None:
        reads, unclear = template_reads(written.encode("utf-8", "surrogateescape"))
        if unclear is None:
            yield from (replace(read, line=text.line) for read in reads)
            return
    yield FileRead(type_name, (), text.line)


def _add_import(facts: FactCollector, block: Block) -> None:
    """Terraform installs the provider of what is imported, whether there is a resource or not."""
    target = block.expression("to")
    for type_name, *_ in target.references if target is not None else ():
        if type_name not in ("each", "var", "local", "module"):
            facts.resources.append(
                ResourceBlock("import", type_name, _provider_of_import(block, type_name), block.line)
            )


def _provider_of_import(block: Block, type_name: str) -> str:
    provider = block.attributes.get("provider")
    if provider is None:
        return type_name.partition("_")[0]
    return provider.source.strip(' \t\r\n"${}~()').partition(".")[0].strip()


def _add_encryption(facts: FactCollector, block: Block) -> None:
    """What an `encryption` block of OpenTofu takes keys and methods from; all settings count."""
    for nested in block.blocks:
        kind = nested.kind
        if kind in ("key_provider", "method"):
            facts.encryptions.append(NamedBlock(nested.labels[0] if nested.labels else "", nested.line, kind))
        facts.encryptions += [NamedBlock(each.name, each.line, "setting") for each in settings_of(nested)]


def _add_provisioners(facts: FactCollector, block: Block, of: str) -> None:
    for nested in block.blocks:
        if nested.kind in ("provisioner", "connection"):
            name = f"{nested.kind} {nested.labels[0]}" if nested.labels else nested.kind
            facts.provisioners.append(NamedBlock(name, nested.line, of))


def _add_remote_state(facts: FactCollector, block: Block, name: str, merged: Block) -> None:
    settings: dict[str, Text] | None = {}
    config = block.expression("config")
    if config is not None:
        elements = config.elements
        settings = (
            None
            if elements is None
            else {key: bound_text(element, merged) for key, element in elements.items()}
        )
    for kind, nested in block.nested():
        if kind == "config" and settings is not None and not nested.is_json:
            settings |= {
                key: bound_text(attribute.expression, merged) for key, attribute in nested.attributes.items()
            }
    backend = block.expression("backend")
    backend_text = bound_text(backend, merged) if backend is not None else None
    facts.states.append(StateStore(name, backend_text, settings, block.line))
