"""Rules for variable files: no secret is committed, nobody unknown is named."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.masking import Masker
from orchestrator.masking.words import words_of
from orchestrator.project.model import Finding, Project
from orchestrator.quality.rules import BASIC_ROLES, PUBLIC, public_principal
from orchestrator.repository.hcl import String, read_values

SUFFIXES = (".tfvars", ".tfvars.json")
# A name that ends in one of these names where a secret is, or something about it.
ABOUT = frozenset(
    {"name", "names", "id", "ids", "ref", "path", "file", "version", "versions", "ttl", "url", "uri"}
)
# Names that are also said of what Secret Manager calls a secret: its id is none.
IDS = frozenset({"secret", "secrets"})
ID = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")
RESOURCE = re.compile(r"(projects/|//|sm://|gs://)\S+")


def check_values(project: Project, tops: tuple[str, ...], masker: Masker) -> Iterator[Finding]:
    """What is wrong in the variable files below `tops`, and in those that infra.yaml names."""
    named = {path for stack in project.stacks.values() for path in stack.var_files}
    found = {path for top in tops for path in project.tree.below(top)} | named
    for path in sorted(one for one in found if one.endswith(SUFFIXES)):
        real = project.tree.find(path)
        if real is not None:
            for string in read_values(path, project.tree.read(real)).strings():
                yield from _check(path, string, masker)


def _check(file: str, found: String, masker: Masker) -> Iterator[Finding]:
    if found.text in PUBLIC:
        yield public_principal(file, found)
    elif found.text in BASIC_ROLES:
        message = f"{found.text} is a basic role: it holds rights to nearly everything in a project."
        yield Finding("error", "basic-role", message, "Give the roles that are needed.", file, found.line)
    elif is_secret(found, masker):
        yield Finding(
            "error",
            "secret-in-tfvars",
            f"The value of {'.'.join(found.path)} looks like a secret.",
            "Keep it in Secret Manager and give the secret's name, or pass it as TF_VAR_…; then change the "
            "secret, since history keeps this one.",
            file,
            found.line,
        )


def is_secret(found: String, masker: Masker) -> bool:
    """True for a text with the shape of a secret, or one that stands under a secret's name and is no id."""
    if not found.text.strip():
        return False
    if masker.shapes.mask(found.text) != found.text:
        return True
    name = found.path[-1] if found.path else ""
    words = words_of(name)
    if not masker.names.is_secret(name) or words[-1] in ABOUT:
        return False
    if RESOURCE.fullmatch(found.text):
        return False
    return not (words[-1] in IDS and ID.fullmatch(found.text))
