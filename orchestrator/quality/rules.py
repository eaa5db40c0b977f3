"""The rules of `infra lint`: Terraform code, and variable files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from orchestrator.masking import Masker
from orchestrator.masking.secret_names import words_of
from orchestrator.quality.code_folders import CodeFolder
from orchestrator.repository.hcl import Block, String, read_values
from orchestrator.repository.model import Finding, Project
from orchestrator.repository.source import is_local

PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
BASIC_ROLES = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
# Where strings give rights; elsewhere (a validation, an output's text) they only speak of them.
GIVING = ("resource", "data", "module", "locals")
# Where a variable's own defaults stand: `optional(set(string), […])` is in its type.
DEFAULTS = (("default",), ("type",))
# Types of which nearly every value is wrong, so that a validation is worth its lines.
CHECKED_TYPES = frozenset({"string", "number"})
REVISION = re.compile(r"[?&]ref=([^&]+)")
MOVING = frozenset({"main", "master", "trunk", "develop", "HEAD"})
BUILT_IN = "terraform"

VALUE_SUFFIXES = (".tfvars", ".tfvars.json")
# A name that ends in one of these words describes a secret and does not hold it.
DESCRIBING_WORDS = frozenset(
    {"name", "names", "id", "ids", "ref", "path", "file", "version", "versions", "ttl", "url", "uri"}
)
# Also the names of Secret Manager's secrets, whose ids are not secret.
ID_WORDS = frozenset({"secret", "secrets"})
ID = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")
RESOURCE = re.compile(r"(projects/|//|sm://|gs://)\S+")

Rule = Callable[[CodeFolder, str, Block], Iterator[Finding]]


def check_file(folder: CodeFolder, file: str, block: Block) -> Iterator[Finding]:
    """Applies every rule to one file."""
    for rule in RULES:
        yield from rule(folder, file, block)


def _check_descriptions(folder: CodeFolder, file: str, block: Block) -> Iterator[Finding]:
    """Variables and outputs need a description."""
    if folder.kind in ("example", "helper"):
        return
    for kind in ("variable", "output"):
        for item in block.of(kind):
            described = item.attributes.get("description")
            if described is None or described.source.strip('" ') == "":
                yield Finding(
                    "warning",
                    "no-description",
                    f"The {kind} {item.name!r} has no description.",
                    'Add `description = "…"`: what it is, and in which unit or form.',
                    file,
                    item.line,
                )


def _check_types(folder: CodeFolder, file: str, block: Block) -> Iterator[Finding]:
    """Variables need a type, and those of a module a validation."""
    if folder.kind in ("example", "helper"):
        return
    for variable in block.of("variable"):
        kind = variable.attributes["type"].source if "type" in variable.attributes else None
        if kind is None:
            message = f"The variable {variable.name!r} has no type: anything can be given."
            yield Finding("warning", "no-type", message, "Add `type = …`.", file, variable.line)
        elif folder.kind == "module" and kind in CHECKED_TYPES and not variable.of("validation"):
            yield Finding(
                "info",
                "no-validation",
                f"The variable {variable.name!r} takes any {kind}.",
                "Add a `validation` whose message tells what to do, if some values are wrong.",
                file,
                variable.line,
            )


def _check_module_sources(folder: CodeFolder, file: str, block: Block) -> Iterator[Finding]:
    """Modules from outside the repository are pinned."""
    for module in block.of("module"):
        attribute = module.attributes.get("source")
        source = attribute.value if attribute else None
        if attribute is None or source is None or is_local(source):
            continue
        if "git" in source or source.startswith(("http://", "https://")) or "::" in source:
            revision = REVISION.search(source)
            pinned = revision is not None and revision[1] not in MOVING
            advice = "Name a tag or a commit: `?ref=v1.2.3`."
        else:
            pinned = "version" in module.attributes
            advice = 'Add `version = "1.2.3"`.'
        if not pinned:
            message = f"The module {module.name!r} is not pinned: {source} may change under you."
            yield Finding("warning", "unpinned-module", message, advice, file, attribute.line)


def _check_provider_versions(folder: CodeFolder, file: str, block: Block) -> Iterator[Finding]:
    """Required providers need a version."""
    if folder.kind == "helper":
        return
    for terraform in block.of("terraform"):
        for required in terraform.of("required_providers"):
            for attribute in required.attributes.values():
                if "version" not in attribute.elements and not (attribute.value or "").strip():
                    yield Finding(
                        "warning",
                        "unpinned-provider",
                        f"The provider {attribute.name!r} is required in any version.",
                        'Add `version = ">= 7.42, < 8"`: the oldest that works, and not the next major one.',
                        file,
                        attribute.line,
                    )


def _check_rights(folder: CodeFolder, file: str, block: Block) -> Iterator[Finding]:
    """No permission is given to the public, and no basic role to anyone."""
    if folder.kind == "helper":
        return
    for item in block.blocks:
        if item.kind in GIVING:
            yield from _strings(file, item.strings())
        elif item.kind == "variable":
            yield from _strings(file, (s for s in item.strings() if s.path[:1] in DEFAULTS))


def _strings(file: str, strings: Iterable[String]) -> Iterator[Finding]:
    for string in strings:
        if string.text in PUBLIC:
            yield _public_principal_finding(file, string)
        elif string.text in BASIC_ROLES:
            yield Finding(
                "error",
                "basic-role",
                f"{string.text} is a basic role: it holds rights to nearly everything in a project.",
                "Give the predefined roles that are needed, on the resource that they are needed for.",
                file,
                string.line,
            )


def _public_principal_finding(file: str, string: String) -> Finding:
    """The finding for a permission that is given to the public."""
    who = "anybody on the internet" if string.text == "allUsers" else "anybody with a Google account"
    return Finding(
        "error",
        "public-principal",
        f"{string.text} is {who}.",
        "Name the accounts, groups or service accounts that need it.",
        file,
        string.line,
    )


RULES: tuple[Rule, ...] = (
    _check_descriptions,
    _check_types,
    _check_module_sources,
    _check_provider_versions,
    _check_rights,
)


def check_required_providers(folder: CodeFolder, files: list[tuple[str, Block]]) -> Iterator[Finding]:
    """Every provider that a folder uses must be in its `required_providers`."""
    if folder.kind in ("example", "helper"):
        return
    required: set[str] = set()
    used: dict[str, tuple[str, int]] = {}
    for file, block in files:
        for terraform in block.of("terraform"):
            required |= {name for block in terraform.of("required_providers") for name in block.attributes}
        for item in block.blocks:
            if item.kind in ("resource", "data") and item.labels:
                used.setdefault(_provider_of(item), (file, item.line))
    for name, (file, line) in used.items():
        if name not in required and name != BUILT_IN:
            yield Finding(
                "warning",
                "unpinned-provider",
                f"The provider {name!r} is used and not required: any version will do.",
                "Add it to `required_providers`, with source and version.",
                file,
                line,
            )


def _provider_of(block: Block) -> str:
    named = block.attributes.get("provider")
    if named is not None:
        return named.source.strip('" ').partition(".")[0]
    return block.labels[0].partition("_")[0]


def check_values(project: Project, tops: tuple[str, ...], masker: Masker) -> Iterator[Finding]:
    """Checks the variable files below `tops`, and those that infra.yaml names."""
    named = {path for stack in project.stacks.values() for path in stack.var_files}
    paths = {path for top in tops for path in project.tree.below(top)} | named
    for path in sorted(path for path in paths if path.endswith(VALUE_SUFFIXES)):
        real = project.tree.find(path)
        if real is not None:
            for string in read_values(path, project.tree.read(real)).strings():
                yield from _check_value(path, string, masker)


def _check_value(file: str, string: String, masker: Masker) -> Iterator[Finding]:
    if string.text in PUBLIC:
        yield _public_principal_finding(file, string)
    elif string.text in BASIC_ROLES:
        message = f"{string.text} is a basic role: it holds rights to nearly everything in a project."
        yield Finding("error", "basic-role", message, "Give the roles that are needed.", file, string.line)
    elif is_secret(string, masker):
        yield Finding(
            "error",
            "secret-in-tfvars",
            f"The value of {'.'.join(string.path)} looks like a secret.",
            "Keep it in Secret Manager and give the secret's name, or pass it as TF_VAR_…; then change the "
            "secret, since history keeps this one.",
            file,
            string.line,
        )


def is_secret(string: String, masker: Masker) -> bool:
    """Whether a value has the shape of a secret, or has a secret's name and is not an id."""
    if not string.text.strip():
        return False
    if masker.shapes.mask(string.text) != string.text:
        return True
    name = string.path[-1] if string.path else ""
    words = words_of(name)
    if not masker.names.is_secret(name) or words[-1] in DESCRIBING_WORDS:
        return False
    if RESOURCE.fullmatch(string.text):
        return False
    return not (words[-1] in ID_WORDS and ID.fullmatch(string.text))
