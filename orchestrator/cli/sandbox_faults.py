"""`infra sandbox faults`: make the sandbox's Cloud Storage slow, refusing or unreliable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, with_options

DIR = click.option("--dir", "directory", metavar="DIR", type=click.Path(file_okay=False), help="The sandbox.")
PATH = "/_sandbox/faults"


@click.group(
    epilog="""\b
Examples:
  infra sandbox faults add --status 503 --count 2
  infra sandbox faults add --path '*.tflock' --latency 2000
  infra sandbox faults list
  infra sandbox faults clear
"""
)
def faults() -> None:
    """Make the sandbox's Cloud Storage slow, unavailable or unreliable.

    To make other resources fail, use `infra sandbox world break`.
    """


@dataclass(frozen=True, kw_only=True)
class SandboxFaultsAddOptions:
    """The options of `infra sandbox faults add`: which requests, and what becomes of them."""

    method: str | None
    path: str | None
    account: str | None
    after: int | None
    count: int | None
    latency: int | None
    status: int | None
    cut: str | None
    directory: str | None


@faults.command(
    epilog="""\b
Examples:
  infra sandbox faults add --status 503 --count 2                 two requests are refused
  infra sandbox faults add --account 'serviceAccount:prod-*' --status 403
  infra sandbox faults add --method POST --cut answer --count 1   done, but nobody hears of it
"""
)
@click.option("--method", metavar="METHOD", help="Only requests by this HTTP method.")
@click.option("--path", metavar="GLOB", help="Only requests whose path matches this glob.")
@click.option("--account", metavar="GLOB", help="Only requests of an account, as IAM names it.")
@click.option("--after", type=click.IntRange(0), metavar="N", help="Let N matching requests pass first.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="Apply the rule N times.")
@click.option("--latency", type=click.IntRange(1), metavar="MS", help="Wait this long before each answer.")
@click.option("--status", type=click.IntRange(400, 599), metavar="CODE", help="Refuse with this HTTP status.")
@click.option(
    "--cut",
    type=click.Choice(["before", "request", "response", "answer"]),
    help="Where to cut the connection: before or in the request, in the response, or before any answer.",
)
@DIR
@with_options(SandboxFaultsAddOptions)
def add(app: App, options: SandboxFaultsAddOptions) -> int:
    """Add a rule. Without a filter, it applies to every request."""
    conditions = {
        "method": options.method,
        "path": options.path,
        "account": options.account,
        "after": options.after,
        "count": options.count,
        "status": options.status,
        "cut": options.cut,
        "latency_ms": options.latency,
    }
    rule = {name: value for name, value in conditions.items() if value is not None}
    _call_gcs(app, options.directory, "POST", rule)
    app.write(f"In force: {json.dumps(rule)}")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxFaultsListOptions(JsonOptions):
    """The options of `infra sandbox faults list`."""

    directory: str | None


@faults.command(
    name="list",
    epilog="""\b
Examples:
  infra sandbox faults list
""",
)
@DIR
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@with_options(SandboxFaultsListOptions)
def list_(app: App, options: SandboxFaultsListOptions) -> int:
    """List the active rules, and how often each was applied."""
    rules = _call_gcs(app, options.directory, "GET")["faults"]
    if options.as_json:
        return app.emit(app.command, faults=rules)
    for rule in rules:
        app.write(json.dumps(rule))
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxFaultsClearOptions:
    """The options of `infra sandbox faults clear`."""

    directory: str | None


@faults.command(
    epilog="""\b
Examples:
  infra sandbox faults clear
"""
)
@DIR
@with_options(SandboxFaultsClearOptions)
def clear(app: App, options: SandboxFaultsClearOptions) -> int:
    """Remove all rules."""
    _call_gcs(app, options.directory, "DELETE")
    return 0


def _call_gcs(app: App, directory: str | None, method: str, rule: dict[str, Any] | None = None) -> Any:
    """What the GCS server's own endpoint answers."""
    from orchestrator.cli.support.sandbox_project import sandbox_folder
    from orchestrator.sandbox import attach, control

    info = attach.require(sandbox_folder(app, directory))
    return control.request_gcs(info, method, PATH, rule)
