"""`infra validate`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, InfraError

if TYPE_CHECKING:
    from orchestrator.repository.model import Finding, Project

EPILOG = """\b
Examples:
  infra validate            exit 3 when something is wrong
  infra validate --json     for a program
"""


@click.command(epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def command(app: App, options: JsonOptions) -> int:
    """Check the layout, backends, cycles, lock files and owners. Reads only the repository.

    Where CODEOWNERS names teams and `approved_by` is codeowners, INFRA_TEAMS_TOKEN must be set.
    """
    from orchestrator.engine.ledgers import memory_findings
    from orchestrator.forge.owners import find_owner_problems
    from orchestrator.repository.validation import validate_project

    project = app.project(needs_stacks=False)
    findings = (
        *find_owner_problems(project, app.environ),
        *memory_findings(project),
        *_bootstrap_findings(project),
        *validate_project(project),
    )
    wrong = any(finding.severity == "error" for finding in findings)
    code = int(Exit.USAGE if wrong else Exit.OK)
    if options.as_json:
        from orchestrator.report.documents import findings_document

        return app.emit("validate", code, **findings_document(project, findings))
    from orchestrator.cli.terminal.project_views import findings_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, findings_view(project, findings))
    return code


def _bootstrap_findings(project: Project) -> Iterator[Finding]:
    """Where the bootstrap's code and infra.yaml disagree on locations; nothing without a bootstrap's code."""
    from orchestrator.repository.layout import default_bootstrap_root
    from orchestrator.repository.model import Finding
    from orchestrator.scaffold.bootstrap import bootstrap_stack
    from orchestrator.scaffold.bootstrap_locations import location_findings
    from orchestrator.state.location import Location

    root = default_bootstrap_root(project)
    if not project.coverage.source.code(root):
        return
    try:
        bucket = Location.parse(bootstrap_stack(project, root).state or "").bucket
        yield from location_findings(project, root, bucket)
    except InfraError as error:
        yield Finding("warning", "bootstrap-locations", error.message, error.advice, root)
