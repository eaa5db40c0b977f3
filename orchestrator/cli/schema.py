"""`infra schema`."""

from __future__ import annotations

import json

import click

from orchestrator.cli.app import pass_app

EPILOG = """\b
Examples:
  infra schema > infra.schema.json    for an editor that completes and checks infra.yaml
"""


@click.command(epilog=EPILOG)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Print the JSON Schema of infra.yaml."""
    from orchestrator.config import json_schema

    pass_app(ctx).write(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0
