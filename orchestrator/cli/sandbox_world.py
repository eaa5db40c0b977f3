"""`infra sandbox world`: inspect the simulated resources and change them outside Terraform."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, with_options

DIR = click.option("--dir", "directory", metavar="DIR", type=click.Path(file_okay=False), help="The sandbox.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(
    epilog="""\b
Examples:
  infra sandbox world list
  infra sandbox world show google_cloud_run_v2_service/api
  infra sandbox world set api ingress '"INGRESS_TRAFFIC_ALL"'
  infra sandbox world delete api
  infra sandbox world break google_cloud_run_v2_service create 'Error 503: try later'
"""
)
def world() -> None:
    """Show and change the resources in the sandbox.

    NAME is TYPE/ID, an id, or the last part of an id if it is unique.
    """


@dataclass(frozen=True, kw_only=True)
class SandboxWorldListOptions(JsonOptions):
    """The options of `infra sandbox world list`."""

    glob: str | None
    type_: str | None
    directory: str | None


@world.command(
    name="list",
    epilog="""\b
Examples:
  infra sandbox world list
  infra sandbox world list 'dev-*' --type google_compute_network
""",
)
@click.argument("glob", required=False)
@click.option("--type", "type_", metavar="TYPE", help="Only resources of this type.")
@DIR
@JSON
@with_options(SandboxWorldListOptions)
def list_(app: App, options: SandboxWorldListOptions) -> int:
    """List resources.

    Without a pattern, all of them.
    """
    items = _call_sandbox(app, options.directory, "world_list", type=options.type_, glob=options.glob)
    if options.as_json:
        return app.emit(app.command, resources=items)
    for item in items:
        app.write(f"{item['type']}/{item['id']}")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxWorldShowOptions(JsonOptions):
    """The options of `infra sandbox world show`."""

    name: str
    directory: str | None


@world.command(
    epilog="""\b
Examples:
  infra sandbox world show google_compute_network/dev
"""
)
@click.argument("name")
@DIR
@JSON
@with_options(SandboxWorldShowOptions)
def show(app: App, options: SandboxWorldShowOptions) -> int:
    """Print one resource."""
    item = _call_sandbox(app, options.directory, "world_show", name=options.name)
    if options.as_json:
        return app.emit(app.command, resources=[item])
    app.write(f"{item['type']}/{item['id']}\n{json.dumps(item['attributes'], indent=2, ensure_ascii=False)}")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxWorldSetOptions:
    """The options of `infra sandbox world set`."""

    name: str
    path: str
    value: str
    directory: str | None


@world.command(
    name="set",
    epilog="""\b
Examples:
  infra sandbox world set api ingress INGRESS_TRAFFIC_ALL
  infra sandbox world set api 'template[0].scaling[0].max_instance_count' 50
  infra sandbox world set api labels '{"team": "web"}'
""",
)
@click.argument("name")
@click.argument("path")
@click.argument("value")
@DIR
@with_options(SandboxWorldSetOptions)
def set_(app: App, options: SandboxWorldSetOptions) -> int:
    """Change an attribute outside Terraform. VALUE is JSON, or else a plain string."""
    value = _parse_value(options.value)
    item = _call_sandbox(
        app, options.directory, "world_set", name=options.name, path=options.path, value=value
    )
    app.write(f"{item['type']}/{item['id']}: {options.path} is {json.dumps(value, ensure_ascii=False)} now.")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxWorldDeleteOptions:
    """The options of `infra sandbox world delete`."""

    name: str
    directory: str | None


@world.command(
    epilog="""\b
Examples:
  infra sandbox world delete google_compute_network/dev
"""
)
@click.argument("name")
@DIR
@with_options(SandboxWorldDeleteOptions)
def delete(app: App, options: SandboxWorldDeleteOptions) -> int:
    """Delete a resource outside Terraform."""
    item = _call_sandbox(app, options.directory, "world_delete", name=options.name)
    app.write(f"{item['type']}/{item['id']} is deleted.")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxWorldBreakOptions:
    """The options of `infra sandbox world break`."""

    target: str
    operation: str
    message: str
    times: int | None
    directory: str | None


@world.command(
    name="break",
    epilog="""\b
Examples:
  infra sandbox world break google_compute_network create 'Error 403: Quota exceeded'
  infra sandbox world break api update 'Error 503: try later' --times 1
""",
)
@click.argument("target")
@click.argument("operation")
@click.argument("message", default="Error 500: Internal error")
@click.option(
    "--times", type=click.IntRange(min=1), help="Fail this many times (default: until `world mend`)."
)
@DIR
@with_options(SandboxWorldBreakOptions)
def break_(app: App, options: SandboxWorldBreakOptions) -> int:
    """Make an operation fail: TARGET is a type, an id, or a pattern of either.

    Without MESSAGE, fails with a message of the sandbox.
    """
    _call_sandbox(
        app,
        options.directory,
        "world_break",
        target=options.target,
        operation=options.operation,
        message=options.message,
        times=options.times,
    )
    app.write(
        f"{options.operation} of {options.target} fails from now on"
        + (f", {options.times} times." if options.times else ".")
    )
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxWorldMendOptions:
    """The options of `infra sandbox world mend`."""

    target: str | None
    directory: str | None


@world.command(
    epilog="""\b
Examples:
  infra sandbox world mend                            everything
  infra sandbox world mend google_compute_network     what was switched on for this target
"""
)
@click.argument("target", required=False)
@DIR
@with_options(SandboxWorldMendOptions)
def mend(app: App, options: SandboxWorldMendOptions) -> int:
    """End all failures.

    Without TARGET, all of them.
    """
    count = _call_sandbox(app, options.directory, "world_mend", target=options.target)
    app.write(f"{count} {'failure' if count == 1 else 'failures'} switched off.")
    return 0


@dataclass(frozen=True, kw_only=True)
class SandboxWorldDelaysOptions:
    """The options of `infra sandbox world delays`."""

    scale: float | None
    directory: str | None


@world.command(
    epilog="""\b
Examples:
  infra sandbox world delays            how it is now
  infra sandbox world delays 0.1        a tenth of what a real cloud takes
  infra sandbox world delays 0          none, as at the beginning
"""
)
@click.argument("scale", required=False, type=click.FloatRange(0, 10))
@DIR
@with_options(SandboxWorldDelaysOptions)
def delays(app: App, options: SandboxWorldDelaysOptions) -> int:
    """Let operations take as long as in a real cloud, multiplied by SCALE.

    Without SCALE, prints the current one.
    """
    now = _call_sandbox(app, options.directory, "world_delays", scale=options.scale)
    app.write(f"Operations take {now:g} of the time that a real cloud takes." if now else "Nothing waits.")
    return 0


def _parse_value(text: str) -> Any:
    """`text` as JSON; what is not JSON is a string, so that a plain word needs no second quotes."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _call_sandbox(app: App, directory: str | None, operation: str, /, **arguments: Any) -> Any:
    """What the running sandbox answers."""
    from orchestrator.cli.support.sandbox_project import sandbox_folder
    from orchestrator.sandbox import attach, control

    return control.call(attach.require(sandbox_folder(app, directory)), operation, **arguments)
