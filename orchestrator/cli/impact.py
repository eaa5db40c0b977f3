"""`infra impact`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_stacks

EPILOG = """\b
Examples:
  infra impact infra/modules/network    who uses a module, and who reads them
  infra impact prod/network             who reads a stack
  infra impact infra/envs/common.tfvars --json
"""

RESOURCES = "SELECT stack, resources FROM states WHERE problem IS NULL"


@dataclass(frozen=True, kw_only=True)
class ImpactOptions(JsonOptions):
    """The options of `infra impact`."""

    name: str


@click.command(epilog=EPILOG)
@click.argument("name", metavar="MODULE | ENV | ENV/STACK | FILE", shell_complete=complete_stacks)
@json_option
@with_options(ImpactOptions)
def command(app: App, options: ImpactOptions) -> int:
    """Show which stacks a change of a module, a stack or a file reaches.

    First those that read it themselves, then those that read outputs of these, and so on; each with its
    owners and the number of resources in its state. Writes nothing, and does not run Terraform.
    """
    from orchestrator.cli.support.dataset import hidden_documents, note_hidden, open_dataset
    from orchestrator.cli.terminal.query_views import impact_view
    from orchestrator.cli.terminal.tables import print_pieces
    from orchestrator.insight.impact import find_impact, find_target
    from orchestrator.insight.refresh import DEFAULT_DAYS

    project = app.project()
    target = find_target(project, options.name, app.cwd)
    stacks = find_impact(project, target)
    with open_dataset(app, days=DEFAULT_DAYS, project=project) as session:
        rows = session.ask(RESOURCES).rows if stacks else ()
        resources = {str(stack): int(str(count)) for stack, count in rows}
        if options.as_json:
            return app.emit(
                "impact",
                target={"kind": target.kind, "names": target.names},
                stacks=[stack.document(resources) for stack in stacks],
                not_visible=hidden_documents(session),
            )
        note_hidden(app, session)
    print_pieces(app, impact_view(stacks, resources))
    return 0
