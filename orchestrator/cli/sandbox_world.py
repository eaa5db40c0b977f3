"""`infra sandbox world`: look at the simulated cloud and change it by hand, the way click-ops does."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestrator.cli.context import App, pass_app

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
    """Look at what exists in the sandbox, and change it by hand.

    NAME is TYPE/ID, an id, or the last part of an id where only one has it.
    """


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
@click.pass_context
def list_(
    ctx: click.Context, glob: str | None, type_: str | None, directory: str | None, as_json: bool
) -> int:
    """List what exists."""
    app = pass_app(ctx)
    items = ask(app, directory, "world_list", type=type_, glob=glob)
    if as_json:
        return app.emit(app.command, resources=items)
    for item in items:
        app.write(f"{item['type']}/{item['id']}")
    return 0


@world.command(
    epilog="""\b
Examples:
  infra sandbox world show google_compute_network/dev
"""
)
@click.argument("name")
@DIR
@JSON
@click.pass_context
def show(ctx: click.Context, name: str, directory: str | None, as_json: bool) -> int:
    """Print one resource as it is in the world."""
    app = pass_app(ctx)
    item = ask(app, directory, "world_show", name=name)
    if as_json:
        return app.emit(app.command, resources=[item])
    app.write(f"{item['type']}/{item['id']}\n{json.dumps(item['attributes'], indent=2, ensure_ascii=False)}")
    return 0


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
@click.pass_context
def set_(ctx: click.Context, name: str, path: str, value: str, directory: str | None) -> int:
    """Change an attribute behind Terraform's back. VALUE is JSON, or else a text as it stands."""
    app = pass_app(ctx)
    item = ask(app, directory, "world_set", name=name, path=path, value=value_of(value))
    app.write(
        f"{item['type']}/{item['id']}: {path} is {json.dumps(value_of(value), ensure_ascii=False)} now."
    )
    return 0


@world.command(
    epilog="""\b
Examples:
  infra sandbox world delete google_compute_network/dev
"""
)
@click.argument("name")
@DIR
@click.pass_context
def delete(ctx: click.Context, name: str, directory: str | None) -> int:
    """Delete a resource behind Terraform's back."""
    app = pass_app(ctx)
    item = ask(app, directory, "world_delete", name=name)
    app.write(f"{item['type']}/{item['id']} is gone.")
    return 0


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
@click.option("--times", type=click.IntRange(min=1), help="So often, then no more; without it until mended.")
@DIR
@click.pass_context
def break_(
    ctx: click.Context, target: str, operation: str, message: str, times: int | None, directory: str | None
) -> int:
    """Make an operation fail: TARGET is a type, an id, or a pattern of either."""
    app = pass_app(ctx)
    ask(app, directory, "world_break", target=target, operation=operation, message=message, times=times)
    app.write(f"{operation} of {target} fails from now on" + (f", {times} times." if times else "."))
    return 0


@world.command(
    epilog="""\b
Examples:
  infra sandbox world mend                            everything
  infra sandbox world mend google_compute_network     what was switched on for this target
"""
)
@click.argument("target", required=False)
@DIR
@click.pass_context
def mend(ctx: click.Context, target: str | None, directory: str | None) -> int:
    """Switch failures off again."""
    app = pass_app(ctx)
    count = ask(app, directory, "world_mend", target=target)
    app.write(f"{count} {'failure' if count == 1 else 'failures'} switched off.")
    return 0


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
@click.pass_context
def delays(ctx: click.Context, scale: float | None, directory: str | None) -> int:
    """Let operations take as long as in a real cloud, times SCALE."""
    app = pass_app(ctx)
    now = ask(app, directory, "world_delays", scale=scale)
    app.write(f"Operations take {now:g} of the time that a real cloud takes." if now else "Nothing waits.")
    return 0


def value_of(text: str) -> Any:
    """`text` as JSON; what is not JSON is a string, so that a plain word needs no second quotes."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def ask(app: App, directory: str | None, operation: str, /, **arguments: Any) -> Any:
    """What the running sandbox answers."""
    from orchestrator.cli.sandbox_needs import sandbox_folder
    from orchestrator.sandbox import attach, control

    return control.call(attach.require(sandbox_folder(app, directory)), operation, **arguments)
