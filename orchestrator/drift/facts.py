"""Gathers what classification needs and plan JSON does not contain: code, schemas, changed upstreams."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from orchestrator.config.drift import Drift
from orchestrator.drift.model import CodedResource, DriftFacts
from orchestrator.drift.model import Path as AttributePath
from orchestrator.drift.rules import shipped_volatile
from orchestrator.engine.memory import Memory
from orchestrator.engine.pending import upstream_hashes
from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.session import Session
from orchestrator.repository.model import Stack
from orchestrator.repository.resource_code import read_resource_code
from orchestrator.state.records import LedgerEntry
from orchestrator.terraform.client import Workdir


def gather_facts(
    session: Session,
    stack: Stack,
    work: Workdir,
    entry: LedgerEntry,
    *,
    settings: Drift,
    schemas: ProviderSchemas,
    today: date,
) -> DriftFacts:
    """Gather the facts about a stack at the commit of `session`; `settings` come from the checkout."""

    def is_computed_only(provider: str, kind: str, path: AttributePath) -> bool:
        return schemas.is_computed_only(session.terraform, work, provider, kind, path)

    return DriftFacts(
        written=read_code(session.terraform.client.root(work), work.data_dir),
        volatile=(*shipped_volatile(), *settings.volatile),
        computed_only=is_computed_only,
        upstreams=_find_changed_upstreams(session.memory, stack, entry),
        rules=settings.ignore,
        today=today,
    )


def read_code(root: Path, data_dir: Path) -> dict[str, CodedResource]:
    """Read what the code of each resource sets, modules included, by address without indices."""
    coded_resources: dict[str, CodedResource] = {}
    for prefix, folder in _list_module_folders(root, data_dir):
        for name, resource in read_resource_code(folder).items():
            coded_resources[prefix + name] = CodedResource(
                resource.paths, resource.ignores, resource.ignores_all
            )
    return coded_resources


def _list_module_folders(root: Path, data_dir: Path) -> Iterator[tuple[str, Path]]:
    """The folder of every module that `init` installed, with its address prefix `module.a.module.b.`."""
    yield "", root
    try:
        modules = json.loads((data_dir / "modules" / "modules.json").read_bytes())["Modules"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for module in modules:
        key = str(module.get("Key") or "")
        if key:
            prefix = "".join(f"module.{name}." for name in key.split("."))
            yield prefix, root / str(module.get("Dir") or "")


def _find_changed_upstreams(memory: Memory, stack: Stack, entry: LedgerEntry) -> Mapping[str, str]:
    """The remote states whose outputs are no longer what the stack was applied with: name → stack."""
    if not entry.upstreams:
        return {}
    now = upstream_hashes(memory.project, memory.states, stack)
    moved = {id_ for id_, was in entry.upstreams.items() if id_ in now and now[id_] != was}
    return {edge.name: edge.source for edge in memory.project.upstreams(stack.id) if edge.source in moved}
