"""`infra sandbox record`: the schemas of the real providers that stacks use, for the sandbox to play."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.context import App
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.engine.session import Session
    from orchestrator.project.model import Project


def record_stacks(app: App, names: Sequence[str], folder: Path) -> int:
    """Record what `names` use, all stacks when there are none, into the sandbox in `folder`."""
    from orchestrator.cli.running import opened
    from orchestrator.sandbox import attach

    if app.environ.get("INFRA_SANDBOX"):
        raise UsageError(
            "Here every provider is simulated already.",
            advice="Run `infra sandbox record` outside of `infra sandbox exec`.",
        )
    with opened(app) as session:
        chosen = session.context.select(names) if names else tuple(session.context.project.stacks)
        before = set((folder / "schemas").glob("*"))
        written: set[Path] = set()
        for stack in one_of_each(session.context.project, chosen):
            app.note(f"{stack}: recording the schemas of its providers")
            written |= set(record(session, stack, folder))
    for path in sorted(written):
        app.write(str(path))
    if not written:
        app.write("These stacks use no provider but Terraform's own: there is nothing to record.")
    if written & before and attach.running(folder):
        app.write("The sandbox plays what was recorded before until: infra sandbox down; infra sandbox up")
    return 0


def one_of_each(project: Project, stacks: Sequence[str]) -> list[str]:
    """Stacks that together use every provider that `stacks` use, as few as come first."""
    chosen, covered = [], set[str]()
    for stack in stacks:
        used = set(project.types([stack]).providers)
        if used - covered:
            chosen.append(stack)
            covered |= used
    return chosen


def record(session: Session, stack: str, folder: Path) -> list[Path]:
    """Record one stack's providers in a shadow of its root: no backend is asked, nothing is written."""
    from orchestrator.engine.planner import shadow_workdir
    from orchestrator.sandbox import launch, schemas

    found = session.context.project.stacks[stack]
    work = shadow_workdir(session.terraform, found)
    session.terraform.init(found, work, shadow=True)
    launch.prepare_folder(folder)
    return schemas.record(session.terraform.client.providers_schema(work), folder / "schemas")
