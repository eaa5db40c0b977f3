"""Where in the code a resource is declared that Terraform names by its address."""

from __future__ import annotations

import posixpath
import re

from orchestrator.project.model import Project, Stack

# `module.a["x"].module.b[0].google_storage_bucket.main["y"]` without what stands in brackets.
_BRACKETS = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')


def is_declared(project: Project, stack: Stack, address: str) -> bool:
    """Whether the code has a resource, a data source or a module of this address, whatever its instances."""
    parts = _BRACKETS.sub("", address).split(".")
    source = project.coverage.source
    folder = source.real(stack.path)
    while len(parts) > 1 and parts[0] == "module":
        called = next((call for call in source.calls(folder) if call.call.name == parts[1]), None)
        if called is None:
            return False
        parts = parts[2:]
        if not parts or called.path is None:
            # A module from elsewhere is not read here.
            return True
        folder = called.path
    mode, parts = ("data", parts[1:]) if parts[0] == "data" else ("resource", parts)
    return len(parts) == 2 and (mode, *parts) in source.module(folder).resources


def declared(project: Project, stack: Stack, address: str) -> tuple[str, int] | None:
    """File and line of the block; None for what the code no longer has."""
    parts = _BRACKETS.sub("", address).split(".")
    source = project.coverage.source
    folder = source.real(stack.path)
    while len(parts) > 2 and parts[0] == "module":
        name, parts = parts[1], parts[2:]
        called = next((call.path for call in source.calls(folder) if call.call.name == name), None)
        if called is None:
            return None
        folder = called
    if len(parts) != 2:
        return None
    block = source.module(folder).resources.get(("resource", parts[0], parts[1]))
    return (posixpath.join(folder, block.file), block.line) if block is not None else None
