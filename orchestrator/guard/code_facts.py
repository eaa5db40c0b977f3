"""A file of Terraform's code → `CodeFacts`; HCL and JSON alike."""

from __future__ import annotations

from orchestrator.guard.facts import (
    Called,
    CodeFacts,
    Configured,
    Gathered,
    Held,
    Named,
    Read,
    Required,
    Store,
)
from orchestrator.guard.providers import of_type
from orchestrator.guard.settings import Setting, settings_of
from orchestrator.repository.facts import (
    FILE_FUNCTIONS,
    bind,
    bound_text,
    provider_of,
    provider_source,
)
from orchestrator.repository.hcl import Block, Call, File, Problem, Template
from orchestrator.repository.hcl.expression import is_template
from orchestrator.repository.hcl.text import Text, literal
from orchestrator.repository.modules import RESOURCE_KINDS, MergedModule

# Functions that read files, and one whose text may call them.
POINTER = b"version https://git-lfs.github.com/spec/"
# `provider::local::direxists` says which folders a machine has.
READING = FILE_FUNCTIONS | {"templatestring", "direxists"}


def code_facts(file: File, module: MergedModule | None = None) -> CodeFacts:
    """The facts of a file as it is written; what repeats a block is the merged module's.

    `module` is None where no override file is merged into its blocks.
    """
    facts = Gathered(unreadable=pointer_problem(file) or file.problem)
    for block in file.blocks:
        _add_block(facts, block, module)
    facts.reads += [_read(call, _merged(block, module)) for call, block in file.calls(READING)]
    return facts.facts()


def _merged(block: Block | None, module: MergedModule | None) -> Block | None:
    return block if module is None else module.merged(block)


def pointer_problem(file: File) -> Problem | None:
    """Why a pointer of Git LFS is no code."""
    why = "it is a pointer to a file in Git LFS, and nobody reviewed what is behind it"
    return (1, why) if file.data.startswith(POINTER) else None


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


def _add_block(facts: Gathered, block: Block, module: MergedModule | None) -> None:
    match block.kind, block.labels:
        case "terraform", _:
            _add_settings(facts, block)
        case "provider", (name, *_):
            facts.configured.append(Configured(name, tuple(settings_of(block)), block.line))
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
        case "import", _:
            _add_import(facts, block)
        case "run", (name, *_):
            for nested in block.of("module"):
                if (source := nested.attributes.get("source")) is not None:
                    facts.calls.append(Called(name, source.expression.text, nested.line))


def _add_settings(facts: Gathered, terraform: Block) -> None:
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
                    Configured(nested.labels[0], tuple(settings_of(nested)), nested.line)
                    for nested in block.of("provider")
                    if nested.labels
                ]
            facts.backends.append(Store("", (name,), settings, block.line))
        elif block.kind == "required_providers":
            for name, attribute in block.attributes.items():
                source = provider_source(name, attribute.expression)
                facts.required.append(Required(name, source, attribute.line))
        elif block.kind == "encryption":
            _add_encryption(facts, block)
        elif block.kind == "provider_meta" and not all(map(_is_written_out, settings_of(block))):
            # What is written out names a module, as public modules do, and holds nothing of a plan.
            facts.metas.append(Named(block.name, block.line))


def _is_written_out(setting: Setting) -> bool:
    """Whether a value is a plain string; those of JSON may be templates to Terraform."""
    text = literal(setting.text) if setting.text is not None else None
    return text is not None and not is_template(text)


def _add_resource(
    facts: Gathered, block: Block, type_name: str, names: list[str], module: MergedModule | None
) -> None:
    settings = tuple(settings_of(block)) if of_type(block.kind, type_name) else ()
    facts.held.append(Held(block.kind, type_name, provider_of(block), block.line, settings))
    if block.kind == "resource":
        _add_provisioners(facts, block, type_name)
    if block.kind == "data" and type_name == "terraform_remote_state":
        _add_remote_state(facts, block, names[0] if names else "", _merged(block, module) or block)


def _add_import(facts: Gathered, block: Block) -> None:
    """Terraform installs the provider of what is imported, whether there is a resource or not."""
    target = block.expression("to")
    for type_name, *_ in target.references if target is not None else ():
        if type_name not in ("each", "var", "local", "module"):
            facts.held.append(Held("import", type_name, _provider_of_import(block, type_name), block.line))


def _provider_of_import(block: Block, type_name: str) -> str:
    provider = block.attributes.get("provider")
    if provider is None:
        return type_name.partition("_")[0]
    return provider.source.strip(' \t\r\n"${}~()').partition(".")[0].strip()


def _add_encryption(facts: Gathered, block: Block) -> None:
    """What an `encryption` block of OpenTofu takes keys and methods from; all settings count."""
    for nested in block.blocks:
        kind = nested.kind
        if kind in ("key_provider", "method"):
            facts.encryptions.append(Named(nested.labels[0] if nested.labels else "", nested.line, kind))
        facts.encryptions += [Named(each.name, each.line, "setting") for each in settings_of(nested)]


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
