"""`infra lint`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

if TYPE_CHECKING:
    from orchestrator.report.findings import LintReport

EPILOG = """\b
Examples:
  infra lint --simulated         no registry, no credentials
  infra lint --fix               format files, and rewrite the tables of READMEs
  infra lint --sarif lint.sarif  for GitHub's code scanning
"""


@dataclass(frozen=True, kw_only=True)
class LintOptions(JsonOptions):
    """The options of `infra lint`."""

    simulated: bool
    fixing: bool
    strict: bool
    parallelism: int | None
    sarif: str | None


@click.command(epilog=EPILOG)
@click.option("--simulated", is_flag=True, help="Simulate providers from their recorded schemas.")
@click.option("--fix", "fixing", is_flag=True, help="Fix what can be fixed first.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option(
    "--parallelism", type=click.IntRange(1), metavar="N", help="The number of folders to check at once."
)
@click.option("--sarif", metavar="FILE", help="Write SARIF to FILE.")
@json_option
@with_options(LintOptions)
def command(app: App, options: LintOptions) -> int:
    """Check formatting, validity, pins, secrets, public access and READMEs. Exits with 1 for errors.

    Also runs tflint, trivy and checkov if they are installed. To accept a finding, add it to infra.yaml:
    `lint: {ignore: [{rule, path, reason}]}`.
    """
    from orchestrator.cli.support.session import run_session
    from orchestrator.cli.support.simulated_providers import simulated_providers
    from orchestrator.engine.ports import SilentProgress
    from orchestrator.quality.code_folders import collect_types, find_code_folders
    from orchestrator.quality.linting import LintRun, apply_fixes

    if options.fixing:
        with run_session(app, needs_stacks=False) as session:
            for file in apply_fixes(session.terraform):
                app.note(f"fixed {file}")
    with run_session(app, parallelism=options.parallelism, needs_stacks=False) as session:
        project = session.context.project
        types = collect_types(project, [folder.path for folder in find_code_folders(project)])
        with simulated_providers(app, project, types, is_requested=options.simulated) as simulation:
            # In a log a line for each folder would bury the findings.
            progress = session.context.progress if app.stderr.isatty() else SilentProgress()
            report = LintRun(session, progress, simulation).run()
    return _print_result(app, report, options.sarif, options.strict)


def _print_result(app: App, report: LintReport, sarif: str | None, strict: bool) -> int:
    """The result in every form that was requested; returns the exit code."""
    from orchestrator.cli.support.reports import publish_to_actions, write_file
    from orchestrator.forge.factory import annotate_findings
    from orchestrator.report import findings

    code = report.exit_code(strict=strict)
    if sarif:
        from orchestrator.report.sarif import render

        write_file(app, sarif, render(report))
    if app.json:
        app.emit("lint", code, **report.document())
    else:
        for line in findings.render_lines(report):
            app.write(line)
    publish_to_actions(app, annotate_findings(report.findings), findings.render_markdown(report))
    return code
