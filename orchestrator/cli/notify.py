"""`infra notify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

if TYPE_CHECKING:
    from orchestrator.notify.send import Delivery
    from orchestrator.repository.model import Project

EPILOG = """\b
Examples:
  infra notify                        the channels, and which variables are set here
  infra notify --test                 send a test message to every channel
  infra notify --test operations      to one channel
"""


@dataclass(frozen=True, kw_only=True)
class NotifyOptions(JsonOptions):
    """The options of `infra notify`."""

    channels: tuple[str, ...]
    test: bool


@click.command(epilog=EPILOG)
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@click.option("--test", is_flag=True, help="Send a test message.")
@json_option
@with_options(NotifyOptions)
def command(app: App, options: NotifyOptions) -> int:
    """Show the channels of `notify` in infra.yaml, or send a test message to them.

    Messages about rollouts and drift are sent by the jobs of CI that write comments and issues. Addresses and
    keys are in environment variables, and never printed.

    Without a name, all channels.
    """
    project = app.project(needs_stacks=False)
    known = project.config.notify_channels
    unknown = [name for name in options.channels if name not in known]
    if unknown or (options.test and not known):
        listed = ", ".join(known)
        raise UsageError(
            f"There is no channel {unknown[0]}." if unknown else "infra.yaml has no channel.",
            advice=f"There are {listed}." if listed else "Add one below `notify` in infra.yaml.",
        )
    names = options.channels or tuple(known)
    return _send_test(app, project, names) if options.test else _show(app, project, names)


def _show(app: App, project: Project, names: Sequence[str]) -> int:
    """Prints the channels, and which of their variables are not set; returns the exit code."""
    channels = project.config.notify_channels
    documents = [
        {
            "name": name,
            "kind": channels[name].kind,
            "variables": list(channels[name].variables),
            "unset": [variable for variable in channels[name].variables if not app.environ.get(variable)],
        }
        for name in names
    ]
    if app.json:
        return app.emit("notify", run=None, channels=documents, deliveries=[])
    if not documents:
        app.write("infra.yaml has no channel for messages: add one below `notify`.")
    for document in documents:
        unset = f"; not set here: {', '.join(document['unset'])}" if document["unset"] else ""
        app.write(f"{document['name']}: {document['kind']}, {', '.join(document['variables'])}{unset}")
    return 0


def _send_test(app: App, project: Project, names: Sequence[str]) -> int:
    """Sends a test message; exit code 1 when a channel did not take it."""
    from datetime import UTC, datetime

    from orchestrator.notify.model import Notification
    from orchestrator.notify.send import Sender

    sender = Sender.of_job(project.config, app.environ, datetime.now(UTC))
    test = Notification("test", "", "low", "This channel gets messages about rollouts and drift.")
    deliveries = sender.send([test], names)
    code = int(Exit.OK if all(each.result == "sent" for each in deliveries) else Exit.ERROR)
    if app.json:
        documents = [asdict(each) for each in deliveries]
        return app.emit("notify", code, run=None, channels=[], deliveries=documents)
    for delivery in deliveries:
        app.write(_describe(delivery))
    return code


def _describe(delivery: Delivery) -> str:
    if delivery.result == "sent":
        return f"{delivery.channel}: sent"
    return f"{delivery.channel}: not sent: {delivery.problem}"
