"""`infra test`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_modules

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
@click.argument("modules", nargs=-1, metavar="[MODULE]...", shell_complete=complete_modules)
@click.option("--all", "everything", is_flag=True, help="Every module of the project.")
@click.option("--simulated", is_flag=True, help="Simulate providers from their recorded schemas.")
@click.option("--again", is_flag=True, help="Also test modules that passed and have not changed since.")
@click.option(
    "--parallelism", type=click.IntRange(1), metavar="N", help="The number of modules to test at once."
)
@click.option("--junit", metavar="FILE", help="Write JUnit XML to FILE.")
@json_option
@with_options(TestOptions)
def command(app: App, options: TestOptions) -> int:
    """Run `terraform test` for modules. Without a name, for those that differ from trunk.

    Tests each module in a copy, and again only if something that its tests read has changed. Exits with 1 if
    a test fails or a test file asserts nothing, and with `test.required` if a module has no tests.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.support.simulated_providers import simulated_providers
    from orchestrator.quality.modules import changed_modules, collect_module_types, select_modules
    from orchestrator.quality.testing import ModuleTests

    with run_session(app, parallelism=options.parallelism, needs_stacks=False) as session:
        project = session.context.project
        if options.modules:
            chosen = select_modules(project, options.modules)
        else:
            chosen = tuple(project.modules) if options.everything else changed_modules(project)
        with simulated_providers(
            app, project, collect_module_types(project, chosen), is_requested=options.simulated
        ) as simulation:
            report = ModuleTests(session, simulation, options.again).run(chosen)
    return _print_result(app, report, options.junit)


def _print_result(app: App, report: ModulesReport, junit: str | None) -> int:
    """The result in every form that was requested; returns the exit code."""
    from orchestrator.cli.support.reports import publish_to_actions, write_file
    from orchestrator.forge.factory import annotate_modules
    from orchestrator.report import modules_text

    if junit:
        write_file(app, junit, modules_text.render_junit(report))
    if app.json:
        app.emit("test", report.exit_code, **report.document())
    else:
        for line in modules_text.render_lines(report):
            app.write(line)
    publish_to_actions(app, annotate_modules(report), modules_text.render_markdown(report))
    return report.exit_code
