"""The guard before a plan on a laptop: what differs from trunk is judged, and warned about."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.cli.context import App
from orchestrator.engine.origin import is_ci
from orchestrator.errors import BlockedError, GitError
from orchestrator.guard.check import ON_TRUNK, check_project, planned_stacks
from orchestrator.project.affected import at_base, base_commit
from orchestrator.project.model import Finding, Project
from orchestrator.report.findings_text import place_of

SHOWN = 10


def check_locally(app: App, project: Project, stacks: Iterable[str]) -> None:
    """Judge the stacks that are planned and differ from trunk, as `guard.local` of trunk says.

    In CI the guard has judged before. Raises BlockedError with `guard.local: refuse` where something is
    refused. Nothing is judged where trunk cannot be told: then nothing is known to differ from it.
    """
    if is_ci(app.environ):
        return
    try:
        base = base_commit(project)
    except GitError:
        return
    before, _ = at_base(project, base)
    if before is None:
        return
    rules = before.config.guard
    if rules.local == "off":
        return
    wanted = set(stacks)
    chosen = [stack for stack in planned_stacks(project, before) if stack in wanted]
    changed = project.repository.changed_paths(base) if base else ()
    findings = check_project(project, before, changed, rules, stacks=chosen).findings
    refused = [finding for finding in findings if finding.severity == "error" and not _is_old(finding)]
    if not refused:
        return
    if rules.local == "refuse":
        raise _error(refused)
    for finding in refused[:SHOWN]:
        app.note(f"warning: {place_of(finding)}: {finding.message} [{finding.code}]")
    more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    app.note(f"A pull request would be refused for this{more}: `infra guard` says how to allow it.")


def _is_old(finding: Finding) -> bool:
    return finding.message.endswith(ON_TRUNK)


def _error(refused: list[Finding]) -> BlockedError:
    first = refused[0]
    more = f" And {len(refused) - 1} more." if len(refused) > 1 else ""
    return BlockedError(
        f"The guard refuses what differs from trunk: {first.message}{more}",
        advice=f"{first.advice} `infra guard` shows all of it; `guard.local: warn` on trunk only warns.",
        file=first.file,
        line=first.line,
        stack=first.stack,
    )
