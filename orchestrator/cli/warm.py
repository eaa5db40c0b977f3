"""`infra warm status` and `infra warm stop`."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options

EPILOG = """\b
Examples:
  infra warm status          which providers stay running between runs
  infra warm stop            end them now
  infra warm status --json   for a program
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Show or end the providers that stay running between runs (`terraform.warm: 10m`)."""


@command.command("status", epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def status(app: App, options: JsonOptions) -> int:
    """Show which providers run, since when, and when they end. Nothing is started."""
    from orchestrator.terraform.warm.host_folder import host_folder
    from orchestrator.terraform.warm.shared import host_statuses

    hosts = host_statuses(host_folder(app.environ))
    if options.as_json:
        return app.emit("warm status", hosts=hosts)
    if not hosts:
        app.write("No provider stays running.")
    for host in hosts:
        app.write(f"Process {host['pid']} keeps {len(host['providers'])} running:")
        for provider in host["providers"]:
            app.write(f"  {_describe(provider)}")
    return 0


@command.command("stop", epilog=EPILOG)
@json_option
@with_options(JsonOptions)
def stop(app: App, options: JsonOptions) -> int:
    """Stop these providers now. A run that uses one starts its own, and repeats the plan."""
    from orchestrator.terraform.warm.host_folder import host_folder
    from orchestrator.terraform.warm.shared import stop_hosts

    stopped = stop_hosts(host_folder(app.environ))
    if options.as_json:
        return app.emit("warm stop", stopped=stopped)
    for pid in stopped:
        app.write(f"Process {pid} and its providers have ended.")
    if not stopped:
        app.write("No provider stays running.")
    return 0


def _describe(provider: dict[str, Any]) -> str:
    if provider["runs"]:
        end = f"in use by {provider['runs']} {'run' if provider['runs'] == 1 else 'runs'}"
    else:
        end = f"ends in {_minutes(provider['ends_in_seconds'])}"
    return (
        f"{provider['source']} {provider['version']}: process {provider['pid']}, "
        f"{provider['memory_kib'] // 1024} MiB, {provider['calls']} calls, "
        f"for {_minutes(provider['seconds'])}; {end}"
    )


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
