"""Taking resources back into a state: a plan with import blocks, made in a shadow of the root."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.engine.inspection import Inspect
from orchestrator.engine.planned import Planned
from orchestrator.engine.planner import plan_stack
from orchestrator.engine.session import Session
from orchestrator.project.model import Stack
from orchestrator.run.orphans import Orphan
from orchestrator.terraform.client import PlanOptions, Workdir
from orchestrator.terraform.shadow import make_shadow

# Not an override file: import blocks may not stand in one.
IMPORTS = "infra_imports_of_resume.tf"
_PLACE = re.compile(re.escape(IMPORTS) + r" line (\d+)")


@dataclass(frozen=True)
class TakenBack:
    """A plan that imports, and what became of each orphan that was tried.

    `taken` are in the plan; `absent` do not exist after all; `refused` exist and cannot be imported.
    """

    planned: Planned
    work: Workdir
    taken: tuple[Orphan, ...]
    absent: tuple[Orphan, ...]
    refused: tuple[Orphan, ...]


def plan_with_imports(
    session: Session,
    stack: Stack,
    options: PlanOptions,
    work: Workdir,
    orphans: Sequence[Orphan],
    inspect: Inspect,
) -> TakenBack:
    """Plan with an import block for each orphan. One that Terraform refuses is left out of the next try."""
    trying = [one for one in orphans if one.import_id]
    refused = [one for one in orphans if not one.import_id and one.certain]
    absent: list[Orphan] = []
    while True:
        where = shadow_with_imports(session, stack, work, trying) if trying else work
        planned = plan_stack(session, stack, options, inspect=inspect, work=where)
        blamed = _blamed(planned, trying) if planned.report.result == "failed" else {}
        if not blamed:
            return TakenBack(planned, where, tuple(trying), tuple(absent), tuple(refused))
        for one in [one for one in trying if one.address in blamed]:
            trying.remove(one)
            (absent if blamed[one.address] and not one.certain else refused).append(one)


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
    """HCL that imports each orphan; four lines each."""
    return "".join(
        f"import {{\n  to = {one.address}\n  id = {quoted(one.import_id)}\n}}\n" for one in orphans
    )


def quoted(text: str) -> str:
    """A text as an HCL string, in which nothing is evaluated."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _blamed(planned: Planned, trying: Sequence[Orphan]) -> Mapping[str, bool]:
    """The addresses whose import made the plan fail; true where there is no such object.

    When Terraform names none, the uncertain ones are given up first, then all.
    """
    text = "\n".join(str(one.get("detail") or one.get("summary")) for one in planned.report.diagnostics)
    parts = re.split(r"(?m)^(?=(?:│ )?Error: )", text)
    found: dict[str, bool] = {}
    for part in parts:
        gone = "non-existent remote object" in part
        lines = {int(number) for number in _PLACE.findall(part)}
        flat = " ".join(part.replace("│", " ").split())
        for place, one in enumerate(trying):
            block = set(range(4 * place + 1, 4 * place + 5))
            if lines & block or f'"{one.address}"' in flat or f"with {one.address}," in flat:
                found[one.address] = gone
    if found or not trying or "import" not in text.lower():
        return found
    uncertain = [one for one in trying if not one.certain] or list(trying)
    return {one.address: False for one in uncertain}
