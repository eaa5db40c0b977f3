"""A file of Terraform's code → `CodeFacts`; HCL and JSON alike."""

from __future__ import annotations

from orchestrator.guard.facts import Called, CodeFacts, Gathered, Held, Named, Read, Required, Store
from orchestrator.repository.facts import (
    FILE_FUNCTIONS,
    bind,
    bound_text,
    provider_of,
    provider_source,
)
from orchestrator.repository.hcl import Block, Call, File, Problem, Template
from orchestrator.repository.hcl.text import Text
from orchestrator.repository.modules import RESOURCE_KINDS, MergedModule

# Functions that read files, and one whose text may call them.
READING = FILE_FUNCTIONS | {"templatestring"}


def code_facts(file: File, module: MergedModule) -> CodeFacts:
    """The facts of a file as it is written; what repeats a block is the merged module's."""
    facts = Gathered(unreadable=file.problem)
    for block in file.blocks:
        _add_block(facts, block, module)
    facts.reads += [_read(call, module.merged(block)) for call, block in file.calls(READING)]
    return facts.facts()


def template_reads(data: bytes) -> tuple[tuple[Read, ...], Problem | None]:
    """What a template file reads by functions of its own; what is unclear."""
    text = data.decode("utf-8", "surrogateescape")
    if not any(function in text for function in ("file", "templatestring")):
        return (), None
    template = Template(text)
    if template.unclear is not None:
        return (), (None, "a template in it does not parse")
    return tuple(_read(call, None) for call in template.calls(READING)), None


def _read(call: Call, block: Block | None) -> Read:
    path = bind(call.arguments[0].text, block) if call.arguments else ()
    pattern = call.text(1) if call.function == "fileset" else None
    return Read(call.function, path, call.line, bind(pattern, block) if pattern is not None else None)


def _add_block(facts: Gathered, block: Block, module: MergedModule) -> None:
    match block.kind, block.labels:
        case "terraform", _:
            _add_settings(facts, block)
        case "provider", (name, *_):
            facts.configured.append(Named(name, block.line))
            facts.arguments += [Named(key, one.line, name) for key, one in block.attributes.items()]
            facts.arguments += [Named(kind, body.line, name) for kind, body in block.nested()]
        case "module", (name, *_):
            if (source := block.attributes.get("source")) is not None:
                facts.calls.append(Called(name, source.expression.text, block.line))
        case kind, (type_name, *names) if kind in RESOURCE_KINDS:
            _add_resource(facts, block, type_name, names, module)
        case "removed", _:
            _add_provisioners(facts, block, "removed")
        case "check", _:
            for nested in block.of("data"):
                _add_block(facts, nested, module)


def _add_settings(facts: Gathered, terraform: Block) -> None:
    for block in terraform.blocks:
        if block.kind in ("backend", "cloud"):
            settings: dict[str, Text] = {
                name: attribute.expression.text for name, attribute in block.attributes.items()
            }
            settings |= {nested.kind: () for nested in block.blocks}
            name = block.labels[0] if block.labels else block.kind
            facts.backends.append(Store("", (name,), settings, block.line))
        elif block.kind == "required_providers":
            for name, attribute in block.attributes.items():
                source = provider_source(name, attribute.expression)
                facts.required.append(Required(name, source, attribute.line))
        elif block.kind == "provider_meta":
            facts.metas.append(Named(block.name, block.line))


def _add_resource(
    facts: Gathered, block: Block, type_name: str, names: list[str], module: MergedModule
) -> None:
    facts.held.append(Held(block.kind, type_name, provider_of(block), block.line))
    if block.kind == "resource":
        _add_provisioners(facts, block, type_name)
    if block.kind == "data" and type_name == "terraform_remote_state":
        _add_remote_state(facts, block, names[0] if names else "", module.merged(block) or block)


def _add_provisioners(facts: Gathered, block: Block, of: str) -> None:
    for nested in block.blocks:
        if nested.kind in ("provisioner", "connection"):
            name = f"{nested.kind} {nested.labels[0]}" if nested.labels else nested.kind
            facts.provisioners.append(Named(name, nested.line, of))


def _add_remote_state(facts: Gathered, block: Block, name: str, merged: Block) -> None:
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
            settings |= {key: bound_text(one.expression, merged) for key, one in nested.attributes.items()}
    backend = block.expression("backend")
    told = bound_text(backend, merged) if backend is not None else None
    facts.states.append(Store(name, told, settings, block.line))
