"""Completes what is typed in a shell: environments, stacks, tags, addresses, outputs, runs and modules.

Nothing here raises: a shell has no place for an error while a user types; the command itself reports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App

if TYPE_CHECKING:
    from orchestrator.repository.model import Project, Stack


def complete_tags(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes a tag in a shell."""
    project = _project_to_complete(ctx)
    return sorted(tag for tag in (project.config.tags if project else ()) if tag.startswith(incomplete))


def complete_stacks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes a name in a shell: environments and stack ids that start with `incomplete`."""
    project = _project_to_complete(ctx)
    names = {*project.environments, *project.stacks} if project else set()
    return sorted(name for name in names if name.startswith(incomplete))


def _project_to_complete(ctx: click.Context) -> Project | None:
    """The project for names that a shell completes; None where there is none that can be read."""
    app = ctx.find_object(App)
    try:
        return app.project(needs_stacks=False) if app else None
    except Exception:
        # A shell has no place for an error while a user types; the command itself reports it.
        return None


def complete_environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes an environment."""
    project = _project_to_complete(ctx)
    return _matching(project.environments if project else (), incomplete)


def complete_addresses(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes the address of a resource in the code of the stack that was named; for an option, of any."""
    from orchestrator.repository.declarations import declared_addresses

    project = _project_to_complete(ctx)
    if project is None:
        return []
    stacks = _named_stacks(ctx, project)
    return _matching((name for stack in stacks for name in declared_addresses(project, stack)), incomplete)


def complete_outputs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes an output in the code of the stack that was named."""
    project = _project_to_complete(ctx)
    if project is None:
        return []
    source = project.coverage.source
    stacks = _named_stacks(ctx, project)
    names = (name for stack in stacks for name in source.module(source.real(stack.path)).outputs)
    return _matching(names, incomplete)


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes a run of this machine, the newest first, and a name of stacks."""
    from orchestrator.engine.folders import Folders

    project = _project_to_complete(ctx)
    if project is None:
        return []
    runs: list[str] = []
    with suppress(OSError):
        runs = sorted(Folders(project.root).run_ids(), reverse=True)
    return [*complete_stacks(ctx, param, incomplete), *(run for run in runs if run.startswith(incomplete))]


def complete_modules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Completes the folder of a module."""
    project = _project_to_complete(ctx)
    return _matching(project.modules if project else (), incomplete)


def _named_stacks(ctx: click.Context, project: Project) -> Iterable[Stack]:
    """The stacks on the command line so far; all where none is named or a name means nothing."""
    from orchestrator.errors import InfraError
    from orchestrator.repository.selection import select

    names = [ctx.params["stack"]] if ctx.params.get("stack") else ctx.params.get("stacks") or ()
    with suppress(InfraError):
        return [project.stacks[id_] for id_ in select(project, names)] or project.stacks.values()
    return project.stacks.values()


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
