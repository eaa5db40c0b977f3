"""The stacks as entities of Backstage's software catalogue, by its descriptor format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from orchestrator.atomic_files import write_below
from orchestrator.errors import ProjectError, StateError, UsageError
from orchestrator.forge.owners import Owners, is_team, read_owners
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project, Stack

ENTITIES_FILE = "catalog-info.yaml"
HEADER = "# Written by `infra catalog entities`; changes here are lost.\n"
# Backstage requires an owner; this is its word for none.
NO_OWNER = "unknown"
LONGEST_NAME = 63
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_TAG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def render_entities(project: Project) -> str:
    """The file: one Resource a stack, with its owner by CODEOWNERS and the stacks that it reads.

    Raises ProjectError when two stacks would have the same name, or one too long a name.
    """
    names = _name_stacks(project)
    owners = read_owners(project)
    documents = [_entity(project, stack, names, owners) for stack in project.stacks.values()]
    return HEADER + yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True, allow_unicode=True)


def _entity(project: Project, stack: Stack, names: Mapping[str, str], owners: Owners) -> dict[str, Any]:
    upstreams = sorted({edge.source for edge in project.edges if edge.target == stack.id} & names.keys())
    tags = [tag for tag in ("terraform", stack.environment) if _TAG.fullmatch(tag)]
    spec: dict[str, Any] = {"type": "terraform-stack", "owner": _owner(owners.of_stack(stack).owners)}
    if upstreams:
        spec["dependsOn"] = [f"resource:{names[id_]}" for id_ in upstreams]
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Resource",
        "metadata": {
            "name": names[stack.id],
            "title": stack.id,
            "description": f"The Terraform stack in {stack.path or '.'}.",
            "tags": tags,
        },
        "spec": spec,
    }


def _owner(owners: tuple[str, ...]) -> str:
    """A reference to the first team, else to the first person; an e-mail address names neither."""
    teams = [owner.rpartition("/")[2] for owner in owners if is_team(owner)]
    people = [owner[1:] for owner in owners if owner.startswith("@") and not is_team(owner)]
    if teams:
        return f"group:{teams[0]}"
    return f"user:{people[0]}" if people else NO_OWNER


def _name_stacks(project: Project) -> dict[str, str]:
    names: dict[str, str] = {}
    stacks: dict[str, str] = {}
    for id_ in project.stacks:
        name = _NO_NAME.sub("-", id_).strip("-")
        other = stacks.setdefault(name.lower(), id_)
        if other != id_ or not name or len(name) > LONGEST_NAME:
            why = f"{other} and {id_} have one name" if other != id_ else f"{id_} has no valid name"
            raise ProjectError(
                f"{why} in Backstage: {name!r}.",
                advice=f"Rename a stack: letters and digits count, {LONGEST_NAME} characters at most.",
            )
        names[id_] = name
    return names


def is_written_by_us(root: Path) -> bool:
    """Whether the file is there, and not one that people wrote."""
    path = root / ENTITIES_FILE
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(HEADER)


def renew_entities(root: Path) -> bool:
    """Writes the file of a project whose stacks have changed, if infra wrote it; returns whether it did."""
    if not is_written_by_us(root):
        return False
    write_entities(load(root))
    return True


def write_entities(project: Project) -> None:
    """Writes the file; UsageError where there is one that people wrote."""
    path = project.root / ENTITIES_FILE
    if path.exists() and not is_written_by_us(project.root):
        raise UsageError(
            f"{ENTITIES_FILE} was not written by infra.",
            advice="`infra catalog entities --print` shows what to put into it.",
        )
    try:
        write_below(project.root, ENTITIES_FILE, render_entities(project).encode())
    except OSError as error:
        raise StateError(f"{ENTITIES_FILE} cannot be written: {error.strerror}.") from error
