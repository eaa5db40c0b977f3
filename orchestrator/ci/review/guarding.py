"""The guard, as trunk's rules have it, over what a change would make Terraform read."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.ci.review.scope import Scope
from orchestrator.guard.check import check_project
from orchestrator.project.model import Finding


def guarded(scope: Scope, more: Iterable[str] = ()) -> tuple[Finding, ...]:
    """What the guard says of a change; nothing of it may reach Terraform when an error is among it.

    It looks at all that the change affects, not at one job's part, so that every job refuses or none does.
    `more` are stacks that are planned besides.
    """
    base = scope.subject.base
    changed = scope.project.repository.changed_paths(base) if base else ()
    stacks = {*scope.found.ids, *scope.found.followers, *(one for one in more if one in scope.project.stacks)}
    settings = scope.rules.terraform
    mirrored = settings.provider_installation.has_mirrors or settings.cli_config == "environment"
    result = check_project(
        scope.project, scope.before, changed, scope.rules.guard, stacks=stacks, mirrored=mirrored
    )
    return result.findings
