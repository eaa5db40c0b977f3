"""Our own rules: what a careful reader of the code would complain about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from orchestrator.project.model import Finding
from orchestrator.quality.places import Place
from orchestrator.repository.hcl import Block, String
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

Rule = Callable[[Place, str, Block], Iterator[Finding]]


def check_file(place: Place, file: str, block: Block) -> Iterator[Finding]:
    """Everything that the rules find in one file."""
    for rule in RULES:
        yield from rule(place, file, block)


def descriptions(place: Place, file: str, block: Block) -> Iterator[Finding]:
    """Variables and outputs say what they are."""
    if place.kind in ("example", "helper"):
        return
    for kind in ("variable", "output"):
        for one in block.of(kind):
            described = one.attributes.get("description")
            if described is None or described.source.strip('" ') == "":
                yield Finding(
                    "warning",
                    "no-description",
                    f"The {kind} {one.name!r} has no description.",
                    'Add `description = "…"`: what it is, and in which unit or form.',
                    file,
                    one.line,
                )


def types(place: Place, file: str, block: Block) -> Iterator[Finding]:
    """Variables have a type; those of a module are checked before they are used."""
    if place.kind in ("example", "helper"):
        return
    for one in block.of("variable"):
        kind = one.attributes["type"].source if "type" in one.attributes else None
        if kind is None:
            message = f"The variable {one.name!r} has no type: anything can be given."
            yield Finding("warning", "no-type", message, "Add `type = …`.", file, one.line)
        elif place.kind == "module" and kind in CHECKED_TYPES and not one.of("validation"):
            yield Finding(
                "info",
                "no-validation",
                f"The variable {one.name!r} takes any {kind}.",
                "Add a `validation` whose message tells what to do, if some values are wrong.",
                file,
                one.line,
            )


def module_sources(place: Place, file: str, block: Block) -> Iterator[Finding]:
    """Modules from elsewhere stay what they are."""
    for one in block.of("module"):
        attribute = one.attributes.get("source")
        source = attribute.value if attribute else None
        if attribute is None or source is None or is_local(source):
            continue
        if "git" in source or source.startswith(("http://", "https://")) or "::" in source:
            revision = REVISION.search(source)
            pinned = revision is not None and revision[1] not in MOVING
            advice = "Name a tag or a commit: `?ref=v1.2.3`."
        else:
            pinned = "version" in one.attributes
            advice = 'Add `version = "1.2.3"`.'
        if not pinned:
            message = f"The module {one.name!r} is not pinned: {source} may change under you."
            yield Finding("warning", "unpinned-module", message, advice, file, attribute.line)


def provider_versions(place: Place, file: str, block: Block) -> Iterator[Finding]:
    """Required providers come with a version."""
    if place.kind == "helper":
        return
    for terraform in block.of("terraform"):
        for required in terraform.of("required_providers"):
            for one in required.attributes.values():
                if "version" not in one.elements and not (one.value or "").strip():
                    yield Finding(
                        "warning",
                        "unpinned-provider",
                        f"The provider {one.name!r} is required in any version.",
                        'Add `version = ">= 7.42, < 8"`: the oldest that works, and not the next major one.',
                        file,
                        one.line,
                    )


def rights(place: Place, file: str, block: Block) -> Iterator[Finding]:
    """Nobody unknown gets a right, and nobody a role that holds nearly all rights."""
    if place.kind == "helper":
        return
    for one in block.blocks:
        if one.kind in GIVING:
            yield from _strings(file, one.strings())
        elif one.kind == "variable":
            yield from _strings(file, (s for s in one.strings() if s.path[:1] in DEFAULTS))


def _strings(file: str, strings: Iterable[String]) -> Iterator[Finding]:
    for one in strings:
        if one.text in PUBLIC:
            yield public_principal(file, one)
        elif one.text in BASIC_ROLES:
            yield Finding(
                "error",
                "basic-role",
                f"{one.text} is a basic role: it holds rights to nearly everything in a project.",
                "Give the predefined roles that are needed, on the resource that they are needed for.",
                file,
                one.line,
            )


def public_principal(file: str, found: String) -> Finding:
    """A right for everybody."""
    who = "anybody on the internet" if found.text == "allUsers" else "anybody with a Google account"
    return Finding(
        "error",
        "public-principal",
        f"{found.text} is {who}.",
        "Name the accounts, groups or service accounts that need it.",
        file,
        found.line,
    )


RULES: tuple[Rule, ...] = (descriptions, types, module_sources, provider_versions, rights)


def required_everywhere(place: Place, files: list[tuple[str, Block]]) -> Iterator[Finding]:
    """Every provider that a folder uses is among those that it requires."""
    if place.kind in ("example", "helper"):
        return
    required: set[str] = set()
    used: dict[str, tuple[str, int]] = {}
    for file, block in files:
        for terraform in block.of("terraform"):
            required |= {name for one in terraform.of("required_providers") for name in one.attributes}
        for one in block.blocks:
            if one.kind in ("resource", "data") and one.labels:
                used.setdefault(_provider_of(one), (file, one.line))
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
