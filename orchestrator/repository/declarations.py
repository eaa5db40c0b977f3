"""Finds the declaration of a resource address in the code."""

from __future__ import annotations

import posixpath
import re

from orchestrator.repository.model import Project, Stack

# `module.a["x"].module.b[0].google_storage_bucket.main["y"]` without what stands in brackets.
_BRACKETS = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')


def is_declared(project: Project, stack: Stack, address: str) -> bool:
    """Whether the code declares the resource, data source or module; instance keys are ignored."""
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


def declared_addresses(project: Project, stack: Stack) -> tuple[str, ...]:
    """The addresses of resources and local modules in the code, without instance keys; sorted."""
    source = project.coverage.source
    addresses: set[str] = set()
    pending: list[tuple[str, str, tuple[str, ...]]] = [("", source.real(stack.path), ())]
    while pending:
        prefix, folder, above = pending.pop()
        if folder in above:
            continue
        for mode, kind, name in source.module(folder).resources:
            addresses.add(f"{prefix}{'data.' if mode == 'data' else ''}{kind}.{name}")
        for call in source.calls(folder):
            inner = f"{prefix}module.{call.call.name}"
            addresses.add(inner)
            if call.path is not None:
                pending.append((f"{inner}.", call.path, (*above, folder)))
    return tuple(sorted(addresses))


def find_declaration(project: Project, stack: Stack, address: str) -> tuple[str, int] | None:
    """File and line of the resource block; None when the code does not declare it."""
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
