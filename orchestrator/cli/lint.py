"""`infra lint`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

if TYPE_CHECKING:
    from orchestrator.report.findings import LintReport

EPILOG = """\b
Examples:
  infra lint --simulated         no registry, no credentials
  infra lint --fix               format files, and write READMEs' tables anew
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
@click.option("--fix", "fixing", is_flag=True, help="First mend what can be mended.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--parallelism", type=click.IntRange(1), metavar="N", help="Folders at once.")
@click.option("--sarif", metavar="FILE", help="Write SARIF to FILE.")
@json_option
@with_options(LintOptions)
def command(app: App, options: LintOptions) -> int:
    """Check formatting, validity, pins, descriptions, secrets, public access and READMEs. Exit 1 for errors.

    tflint, trivy and checkov take part when they are installed. What is right as it is, is accepted in
    infra.yaml: `lint: {ignore: [{rule, path, reason}]}`.
    """
    from orchestrator.cli.running import opened
    from orchestrator.cli.simulation import simulated_providers
    from orchestrator.engine.ports import Silent
    from orchestrator.quality.linting import Linting, fix
    from orchestrator.quality.places import places_of, types_in

    if options.fixing:
        with opened(app, needs_stacks=False) as session:
            for file in fix(session.terraform):
                app.note(f"mended {file}")
    with opened(app, parallelism=options.parallelism, needs_stacks=False) as session:
        project = session.context.project
        types = types_in(project, [place.path for place in places_of(project)])
        with simulated_providers(app, project, types, wanted=options.simulated) as simulation:
            # In a log a line for each folder would bury the findings.
            progress = session.context.progress if app.stderr.isatty() else Silent()
            report = Linting(session, progress, simulation).run()
    return tell(app, report, options.sarif, options.strict)


def tell(app: App, report: LintReport, sarif: str | None, strict: bool) -> int:
    """The result in every form that was asked for; returns the exit code."""
    from orchestrator.cli.actions import tell_actions, write_report
    from orchestrator.report import annotate, findings_text

    code = report.exit_code(strict=strict)
    if sarif:
        from orchestrator.report.sarif import render

        write_report(app, sarif, render(report))
    if app.json:
        app.emit("lint", code, **report.document())
    else:
        for line in findings_text.lines(report):
            app.write(line)
    tell_actions(app, annotate.of_findings(report.findings), findings_text.markdown(report))
    return code
