"""Plans with import blocks for orphans, in a copy of the root module."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.engine.import_attempt import IMPORTS, ImportResult, import_orphans
from orchestrator.engine.import_ids import import_ids, planned_values
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.orphans import Orphan, OrphanReport
from orchestrator.engine.planner import plan_stack, shadow_workdir
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import InfraError
from orchestrator.plan.addresses import without_keys
from orchestrator.plan.model import ResourceChange
from orchestrator.repository.model import Stack
from orchestrator.terraform.client import PlanOptions, Workdir
from orchestrator.terraform.graph import dependents
from orchestrator.terraform.shadow import make_shadow


def plan_with_imports(
    session: Session,
    stack: Stack,
    options: PlanOptions,
    work: Workdir,
    comparison: OrphanReport,
    inspect: Inspect,
    *,
    state: bytes | None = None,
) -> ImportResult:
    """Plan with an import block for each orphan; what Terraform refuses is left out.

    With `state` that is planned from, in a copy of the root with a local backend: such a plan is for looking
    at and can never be applied.
    """

    def plan(imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[StackPlan, Workdir]:
        if state is not None:
            files = {IMPORTS: _import_blocks(imports)}
            where = shadow_workdir(session.terraform, stack, state, files)
        else:
            where = _shadow_with_imports(session, stack, work, imports) if imports else work
        plan_options = replace(options, targets=(*options.targets, *targets))
        planned = plan_stack(
            session, stack, plan_options, inspect=inspect, work=where, is_detached=state is not None
        )
        return planned, where

    def import_id_of(orphan: Orphan, change: ResourceChange) -> str:
        return ids.of(orphan.type, orphan.id, planned_values(change))

    def dependents_of(where: Workdir, addresses: Collection[str], among: Collection[str]) -> Collection[str]:
        try:
            text = session.terraform.client.graph(where)
        except InfraError:
            return ()  # the imports alone are planned then
        names = dependents(text, [without_keys(address) for address in addresses])
        return [address for address in among if without_keys(address) in names]

    ids = import_ids()
    orphans = (*comparison.missing, *comparison.maybe)
    return import_orphans(plan, orphans, comparison.doubled, ids.is_importable, import_id_of, dependents_of)


def _shadow_with_imports(session: Session, stack: Stack, work: Workdir, orphans: Sequence[Orphan]) -> Workdir:
    """The root again, on its real backend, with import blocks beside its files."""
    target = session.context.folders.shadow(f"{stack.id}+imports")
    root = session.context.project.root
    location = session.memory.states.location(stack)
    links: tuple[str, ...] = ()
    if location and not location.is_remote:
        local = os.path.relpath(location.name, root / stack.path)
        links = (local, f"{local}.backup")
    shadow = make_shadow(root, Path(stack.path), target, {IMPORTS: _import_blocks(orphans)}, links=links)
    return replace(work, root=shadow, data_dir=target.with_name(target.name + ".data"))


def _import_blocks(orphans: Sequence[Orphan]) -> str:
    """HCL that imports each orphan, `BLOCK_LINES` lines each."""
    return "".join(
        f"import {{\n  to = {orphan.address}\n  id = {quoted(orphan.import_id)}\n}}\n" for orphan in orphans
    )


def quoted(text: str) -> str:
    """A text as an HCL string, in which nothing is evaluated."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
