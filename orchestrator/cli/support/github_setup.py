"""What `infra bootstrap --github` and `infra doctor --github --fix` share: settings shown and made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cli.app import App
from orchestrator.cli.terminal.consent import confirm
from orchestrator.errors import ForgeError, GitError
from orchestrator.forge.factory import open_setup
from orchestrator.forge.owners import read_owners
from orchestrator.forge.setup import SettingChange, SetupForge, SetupRequest
from orchestrator.report.words import plural
from orchestrator.repository.model import Project

_CONFIG = "infra.yaml"


@dataclass(frozen=True)
class SetupResult:
    """The settings that were changed, and what is left to people."""

    changed: tuple[str, ...]
    notes: tuple[str, ...] = ()


def set_up_github(
    app: App,
    project: Project,
    environments: Sequence[str],
    provider: str,
    reviewers: Sequence[str],
    *,
    is_confirmed: bool,
) -> SetupResult:
    """Shows which settings are missing on GitHub, asks, and makes them.

    `environments` are in promotion order, `provider` is the bootstrap's output, empty where it is unknown.
    `reviewers` may approve in gates; without any, the owners of infra.yaml by CODEOWNERS. Nothing is changed
    unless the token may make every change. Raises ForgeError, BlockedError and UsageError.
    """
    trunk = _find_trunk(project)
    people = reviewers or [name for name in read_owners(project).of(_CONFIG) if name.startswith("@")]
    gates = project.config.gated(environments, project.config.promotion_order(environments))
    request = SetupRequest(trunk, environments, gates, people, provider)
    with open_setup(project, app.environ) as host:
        plan = host.plan_setup(request)
        if plan.changes:
            _confirm(app, host, plan.changes, is_confirmed=is_confirmed)
            _change(app, host, plan.changes)
    return SetupResult(tuple(change.text for change in plan.changes), plan.notes)


def _find_trunk(project: Project) -> str:
    """The name of trunk; a repository without a commit has no branch yet."""
    try:
        return project.config.trunk or project.trunk_branch
    except GitError:
        return "main"


def _confirm(app: App, host: SetupForge, changes: Sequence[SettingChange], *, is_confirmed: bool) -> None:
    """Shows the changes, requires the rights for all of them, and asks."""
    app.note(f"To be set in {host.repository} on GitHub:")
    for change in changes:
        app.note(f"  - {change.text}")
    host.require_rights(changes)
    confirm(app, f"Set {plural(len(changes), 'setting')} on GitHub?", is_confirmed=is_confirmed)


def _change(app: App, host: SetupForge, changes: Sequence[SettingChange]) -> None:
    """Makes the changes in order; an error says how many were made."""
    for index, change in enumerate(changes):
        try:
            host.change_setting(change)
        except ForgeError as error:
            error.message = f"{error.message} {index} of {plural(len(changes), 'setting')} were made."
            error.advice = f"{error.advice} Then run it again: it goes on with what is missing.".strip()
            raise
        app.note(f"set {change.text}")
