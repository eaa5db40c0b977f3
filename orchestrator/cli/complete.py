"""What a shell offers while a command is typed: environments and stacks. Quick, and silent about errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import App

if TYPE_CHECKING:
    from orchestrator.project.model import Project


def stacks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Environments and stack ids that begin with what was typed."""
    project = _project(ctx)
    names = {*project.environments, *project.stacks} if project else set()
    return sorted(name for name in names if name.startswith(incomplete))


def environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Environments, in promotion order."""
    project = _project(ctx)
    return [name for name in (project.environments if project else ()) if name.startswith(incomplete)]


def _project(ctx: click.Context) -> Project | None:
    app = ctx.find_object(App)
    try:
        return app.project(needs_stacks=False) if app else None
    except Exception:
        # A shell has no place for an error while somebody types; the command itself will tell it.
        return None
