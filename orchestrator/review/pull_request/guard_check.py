"""Runs the guard, with trunk's rules, on the files that a change makes Terraform read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.forge.event import Event
from orchestrator.forge.interface import Forge
from orchestrator.guard.check import check_project
from orchestrator.guard.lock_files import no_approval
from orchestrator.repository.model import Finding
from orchestrator.review.lock_file_approval import LockFileApproval
from orchestrator.review.pull_request.scope import ChangeScope

OpenReviewForge = Callable[[], Forge]


def check_guard(
    scope: ChangeScope, event: Event | None, open_host: OpenReviewForge | None, more: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """Runs the guard on a change; with an error among the findings, nothing of it may reach Terraform.

    It checks everything that the change affects, not one job's part, so that all jobs decide alike.
    `open_host` opens the forge, which is asked only if an owner's approval decides; None if there is none.
    `more` are stacks that are planned besides.
    """
    base = scope.planned.base
    changed = scope.project.repository.changed_paths(base) if base else ()
    stacks = {
        *scope.affected.ids,
        *scope.affected.dependents,
        *(id_ for id_ in more if id_ in scope.project.stacks),
    }
    settings = scope.rules.terraform
    mirrored = settings.provider_installation.has_mirrors or settings.cli_config == "environment"
    result = check_project(
        scope.project,
        scope.before,
        changed,
        scope.rules.guard,
        stacks=stacks,
        mirrored=mirrored,
        missing_approval=_missing_approval(scope, event, open_host),
    )
    return result.findings


def _missing_approval(
    scope: ChangeScope, event: Event | None, open_host: OpenReviewForge | None
) -> Callable[[str], str]:
    """Builds the check that an owner approves a path of the event's pull request; see `LockRules`."""
    if scope.before is None or event is None or event.pull_request is None or open_host is None:
        return no_approval
    head = "" if event.kind == "merge_group" else event.head
    return LockFileApproval(scope.before, event.pull_request, head, open_host).missing
