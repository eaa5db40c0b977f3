"""`infra version`."""

from __future__ import annotations

import platform

import click

from orchestrator import __version__
from orchestrator.cli.app import App, error_document
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import InfraError

EPILOG = """\b
Examples:
  infra version
  infra version --json
"""


@click.command(epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def command(app: App, options: JsonOptions) -> int:
    """Show the version of infra, and which Terraform it uses here."""
    from orchestrator.cli.support.session import find_local_terraform

    try:
        binary, problem = find_local_terraform(app), None
    except InfraError as error:
        binary, problem = None, error
    python = platform.python_version()
    if options.as_json:
        binary_document = None
        if binary:
            binary_document = {
                "product": binary.product,
                "version": binary.version,
                "source": binary.source,
                "path": str(binary.path),
            }
        errors = [error_document(problem)] if problem else []
        return app.emit("version", infra=__version__, python=python, terraform=binary_document, errors=errors)
    app.write(f"infra {__version__} (Python {python})")
    if binary:
        app.write(f"{binary.product} {binary.version} ({binary.source}: {binary.path})")
    elif problem:
        app.write(f"no usable Terraform: {problem.message}")
        app.note(f"  {problem.advice}")
    return 0
