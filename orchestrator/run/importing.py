"""Taking resources back into a state: a plan with import blocks, made in a shadow of the root."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.engine.import_attempt import IMPORTS, TakenBack, take_back
from orchestrator.engine.import_ids import import_ids, planned_values
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.orphans import Comparison, Orphan
from orchestrator.engine.planned import Planned
from orchestrator.engine.planner import plan_stack, shadow_workdir
from orchestrator.engine.session import Session
from orchestrator.plan.model import ResourceChange
from orchestrator.project.model import Stack
from orchestrator.terraform.client import PlanOptions, Workdir
from orchestrator.terraform.shadow import make_shadow


def plan_with_imports(
    session: Session,
    stack: Stack,
    options: PlanOptions,
    work: Workdir,
    comparison: Comparison,
    inspect: Inspect,
    *,
    state: bytes | None = None,
) -> TakenBack:
    """Plan with an import block for each orphan; what Terraform refuses is left out.

    With `state` that is planned from, in a copy of the root with a local backend: such a plan is for looking
    at and can never be applied.
    """

    def plan(imports: Sequence[Orphan], targets: Sequence[str]) -> tuple[Planned, Workdir]:
        if state is not None:
            files = {IMPORTS: import_blocks(imports)}
            where = shadow_workdir(session.terraform, stack, state, files)
        else:
            where = shadow_with_imports(session, stack, work, imports) if imports else work
        wanted = replace(options, targets=(*options.targets, *targets))
        planned = plan_stack(
            session, stack, wanted, inspect=inspect, work=where, is_detached=state is not None
        )
        return planned, where

    def import_id_of(orphan: Orphan, change: ResourceChange) -> str:
        return ids.of(orphan.type, orphan.id, planned_values(change))

    ids = import_ids()
    orphans = (*comparison.missing, *comparison.maybe)
    return take_back(plan, orphans, comparison.doubled, ids.is_importable, import_id_of)


def shadow_with_imports(session: Session, stack: Stack, work: Workdir, orphans: Sequence[Orphan]) -> Workdir:
    """The root again, on its real backend, with import blocks beside its files."""
    target = session.context.folders.shadow(f"{stack.id}+imports")
    root = session.context.project.root
    location = session.memory.states.location(stack)
    links: tuple[str, ...] = ()
    if location and not location.is_remote:
        local = os.path.relpath(location.name, root / stack.path)
        links = (local, f"{local}.backup")
    shadow = make_shadow(root, Path(stack.path), target, {IMPORTS: import_blocks(orphans)}, links=links)
    return replace(work, root=shadow, data_dir=target.with_name(target.name + ".data"))


def import_blocks(orphans: Sequence[Orphan]) -> str:
    """HCL that imports each orphan, `BLOCK_LINES` lines each."""
    return "".join(
        f"import {{\n  to = {one.address}\n  id = {quoted(one.import_id)}\n}}\n" for one in orphans
    )


def quoted(text: str) -> str:
    """A text as an HCL string, in which nothing is evaluated."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
