"""`infra validate`."""

from __future__ import annotations

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit

EPILOG = """\b
Examples:
  infra validate            exit 3 when something is wrong
  infra validate --json     for a program
"""


@click.command(epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def command(app: App, options: JsonOptions) -> int:
    """Check the layout, backends, cycles, lock files and owners. Nothing but the repository is looked at.

    Where CODEOWNERS names teams and `approved_by` is codeowners, INFRA_TEAMS_TOKEN must be set.
    """
    from orchestrator.project.validate import check
    from orchestrator.review.owners import problems

    project = app.project(needs_stacks=False)
    findings = (*problems(project, app.environ), *check(project))
    wrong = any(one.severity == "error" for one in findings)
    code = int(Exit.USAGE if wrong else Exit.OK)
    if options.as_json:
        from orchestrator.project.documents import findings_document

        return app.emit("validate", code, **findings_document(project, findings))
    from orchestrator.cli.views import findings_view, show

    show(app, findings_view(project, findings))
    return code
