"""What a plan's JSON does not say and the classes of drift depend on: the code, the schema, the upstreams."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from orchestrator.config.drift import Drift
from orchestrator.engine.memory import Memory
from orchestrator.engine.session import Session
from orchestrator.plan.drift_model import Facts, Written
from orchestrator.plan.drift_model import Path as AttributePath
from orchestrator.plan.drift_rules import shipped_volatile
from orchestrator.project.model import Stack
from orchestrator.project.written import written_in
from orchestrator.run.pending import upstream_hashes
from orchestrator.run.schemas import Schemas
from orchestrator.state.records import Entry
from orchestrator.terraform.client import Workdir


def facts_of(
    session: Session,
    stack: Stack,
    work: Workdir,
    entry: Entry,
    *,
    settings: Drift,
    schemas: Schemas,
    today: date,
) -> Facts:
    """The facts about a stack at the commit of `session`; `settings` are those of the checkout, not of it."""

    def is_computed_only(provider: str, kind: str, path: AttributePath) -> bool:
        return schemas.is_computed_only(session, work, provider, kind, path)

    return Facts(
        written=written_by_address(session.terraform.client.root(work), work.data_dir),
        volatile=(*shipped_volatile(), *settings.volatile),
        computed_only=is_computed_only,
        upstreams=moved_upstreams(session.memory, stack, entry),
        rules=settings.ignore,
        today=today,
    )


def written_by_address(root: Path, data_dir: Path) -> dict[str, Written]:
    """What the code of each resource sets, modules included, by address without indices."""
    found: dict[str, Written] = {}
    for prefix, folder in module_folders(root, data_dir):
        for name, one in written_in(folder).items():
            found[prefix + name] = Written(one.paths, one.ignores, one.ignores_all)
    return found


def module_folders(root: Path, data_dir: Path) -> Iterator[tuple[str, Path]]:
    """The folder of every module that `init` installed, as `module.a.module.b.` with where it lies."""
    yield "", root
    try:
        listed = json.loads((data_dir / "modules" / "modules.json").read_bytes())["Modules"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for one in listed:
        key = str(one.get("Key") or "")
        if key:
            prefix = "".join(f"module.{name}." for name in key.split("."))
            yield prefix, root / str(one.get("Dir") or "")


def moved_upstreams(memory: Memory, stack: Stack, entry: Entry) -> Mapping[str, str]:
    """The remote states whose outputs are no longer what the stack was applied with: name → stack."""
    if not entry.upstreams:
        return {}
    now = upstream_hashes(memory.project, memory.states, stack)
    moved = {id_ for id_, was in entry.upstreams.items() if id_ in now and now[id_] != was}
    return {edge.name: edge.source for edge in memory.project.upstreams(stack.id) if edge.source in moved}
