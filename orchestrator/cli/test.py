"""`infra test`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

if TYPE_CHECKING:
    from orchestrator.report.modules import ModulesReport

EPILOG = """\b
Examples:
  infra test --simulated             modules that differ from trunk; no registry, no credentials
  infra test network --simulated     one module
  infra test --all --junit report.xml
"""


@dataclass(frozen=True, kw_only=True)
class TestOptions(JsonOptions):
    """The options of `infra test`."""

    modules: tuple[str, ...]
    everything: bool
    simulated: bool
    again: bool
    parallelism: int | None
    junit: str | None


@click.command(epilog=EPILOG)
@click.argument("modules", nargs=-1, metavar="[MODULE]...")
@click.option("--all", "everything", is_flag=True, help="Every module of the project.")
@click.option("--simulated", is_flag=True, help="Simulate providers from their recorded schemas.")
@click.option("--again", is_flag=True, help="Also what passed before and has not changed since.")
@click.option("--parallelism", type=click.IntRange(1), metavar="N", help="Modules at once.")
@click.option("--junit", metavar="FILE", help="Write JUnit XML to FILE.")
@json_option
@with_options(TestOptions)
def command(app: App, options: TestOptions) -> int:
    """Run `terraform test` for modules. With no name: those that differ from trunk.

    Each module is tested in a copy, and not again while nothing that its tests read has changed. Exit 1
    when a test fails, when a module has no tests, and when a test file asserts nothing.
    """
    from orchestrator.cli.running import opened
    from orchestrator.cli.simulation import simulated_providers
    from orchestrator.quality.modules import changed_modules, select_modules, types_of
    from orchestrator.quality.testing import Testing

    with opened(app, parallelism=options.parallelism, needs_stacks=False) as session:
        project = session.context.project
        if options.modules:
            chosen = select_modules(project, options.modules)
        else:
            chosen = tuple(project.modules) if options.everything else changed_modules(project)
        with simulated_providers(
            app, project, types_of(project, chosen), wanted=options.simulated
        ) as simulation:
            report = Testing(session, simulation, options.again).run(chosen)
    return tell(app, report, options.junit)


def tell(app: App, report: ModulesReport, junit: str | None) -> int:
    """The result in every form that was asked for; returns the exit code."""
    from orchestrator.cli.actions import tell_actions, write_report
    from orchestrator.report import annotate, modules_text

    if junit:
        from orchestrator.report.junit import render

        write_report(app, junit, render(report))
    if app.json:
        app.emit("test", report.exit_code, **report.document())
    else:
        for line in modules_text.lines(report):
            app.write(line)
    tell_actions(app, annotate.of_modules(report), modules_text.markdown(report))
    return report.exit_code
