"""`infra validate`."""

from __future__ import annotations

import click

from orchestrator.cli.context import pass_app
from orchestrator.cli.options import json_option
from orchestrator.errors import Exit

EPILOG = """\b
Examples:
  infra validate            exit 3 when something is wrong
  infra validate --json     for a program
"""


@click.command(epilog=EPILOG)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Check the layout, backends, cycles, lock files and owners. Nothing but the repository is looked at.

    Where CODEOWNERS names teams and `approved_by` is codeowners, INFRA_TEAMS_TOKEN must be set.
    """
    from orchestrator.project.validate import check
    from orchestrator.review.owners import problems

    app = pass_app(ctx)
    project = app.project()
    findings = (*problems(project, app.environ), *check(project))
    wrong = any(one.severity == "error" for one in findings)
    code = int(Exit.USAGE if wrong else Exit.OK)
    if as_json:
        from orchestrator.project.documents import findings_document

        return app.emit("validate", code, **findings_document(project, findings))
    from orchestrator.cli.views import findings_view, show

    show(app, findings_view(project, findings))
    return code
