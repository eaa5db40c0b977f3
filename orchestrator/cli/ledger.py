"""`infra ledger claim`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    AnswerOptions,
    JsonOptions,
    Reason,
    answer_options,
    json_option,
    with_options,
)

EPILOG = """\b
Examples:
  infra ledger claim --reason "renamed from acme/infra to acme/platform"
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Claim the ledgers in the bucket for this repository."""


@dataclass(frozen=True, kw_only=True)
class LedgerClaimOptions(AnswerOptions, JsonOptions):
    """The options of `infra ledger claim`."""

    reason: str


@command.command("claim", epilog=EPILOG)
@click.option("--reason", required=True, type=Reason(), metavar="TEXT", help="The reason, for the record.")
@answer_options
@json_option
@with_options(LedgerClaimOptions)
def claim(app: App, options: LedgerClaimOptions) -> int:
    """Record in the bucket that the ledgers of infra.yaml's environments belong to this repository.

    Use it after a rename or a move of the repository. States and ledgers are not changed.
    """
    from orchestrator.cli.terminal.consent import CommandConsent, confirm
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States
    from orchestrator.errors import ConfigError

    project = app.project(needs_stacks=False)
    ledgers = Ledgers(project, States(project, app.environ), app.environ)
    identity, folders = ledgers.identity, ledgers.folders()
    if not folders:
        raise ConfigError(
            "no environment is remembered in a bucket, so there is nothing to claim",
            file=project.config.file,
            key="memory.bucket",
            advice="Without a bucket the ledger is in a folder of this machine, for this checkout alone.",
        )
    first = {folder.marker_url: folder for folder in folders}
    markers = {url: ledgers.marker(folder) for url, folder in first.items()}
    unclaimed = [url for url, marker in markers.items() if marker is None or not marker.is_current(identity)]
    if not options.as_json:
        for url, marker in markers.items():
            owner = marker.repository.words if marker else "nobody"
            app.write(f"{url}: {owner}")
    if unclaimed:
        consent = CommandConsent(app, "claim the memory", lambda report: None, confirmed=options.confirmed)
        claimed = {folder.environment for folder in folders if folder.marker_url in unclaimed}
        for name in project.order.all:
            if name in claimed and project.config.is_protected(name, project.order):
                consent.confirm_environment(name)
        confirm(app, f"Make it the memory of {identity.words}?", is_confirmed=options.auto_approve)
        for url in unclaimed:
            ledgers.claim(first[url], options.reason)
    if options.as_json:
        return app.emit("ledger claim", repository=asdict(identity), claimed=unclaimed)
    app.write(f"It is the memory of {identity.words}." if unclaimed else "Nothing to change.")
    return 0
