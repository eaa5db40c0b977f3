"""Where in the code a resource is declared that Terraform names by its address."""

from __future__ import annotations

import posixpath
import re

from orchestrator.project.model import Project, Stack

# `module.a["x"].module.b[0].google_storage_bucket.main["y"]` without what stands in brackets.
_BRACKETS = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')


def declared(project: Project, stack: Stack, address: str) -> tuple[str, int] | None:
    """File and line of the block; None for what the code no longer has, or has in JSON."""
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
    labels = rb"\s+".join(b'"?' + re.escape(one).encode() + b'"?' for one in parts)
    block = re.compile(rb"^\s*resource\s+" + labels + rb"\s*\{", re.MULTILINE)
    for file, path in source.code(folder):
        data = source.tree.read(path)
        match = block.search(data)
        if match:
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            return posixpath.join(folder, file), data[:start].count(b"\n") + 1
    return None
