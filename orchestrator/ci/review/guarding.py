"""The guard, by trunk's rules, over what a change would make Terraform read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from orchestrator.ci.event import Event
from orchestrator.ci.review.scope import Scope
from orchestrator.guard.check import check_project
from orchestrator.guard.lock_files import no_approval
from orchestrator.hosts.port import Host
from orchestrator.project.model import Finding
from orchestrator.review.lock_file_approval import LockFileApproval

OpenHost = Callable[[], Host]


def guarded(
    scope: Scope, event: Event | None, open_host: OpenHost | None, more: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """What the guard says of a change; nothing of it may reach Terraform when an error is among it.

    It looks at all that the change affects, not at one job's part, so that every job refuses or none does.
    `open_host` gives the host, which is asked only where an owner's approval decides; None: there is none.
    `more` are stacks that are planned besides.
    """
    base = scope.subject.base
    changed = scope.project.repository.changed_paths(base) if base else ()
    stacks = {*scope.found.ids, *scope.found.followers, *(id_ for id_ in more if id_ in scope.project.stacks)}
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


def _missing_approval(scope: Scope, event: Event | None, open_host: OpenHost | None) -> Callable[[str], str]:
    """Why no owner of a path approves the pull request of an event; see `LockRules`."""
    if scope.before is None or event is None or event.pull_request is None or open_host is None:
        return no_approval
    head = "" if event.kind == "merge_group" else event.head
    return LockFileApproval(scope.before, event.pull_request, head, open_host).missing
