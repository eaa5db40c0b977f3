"""`infra bootstrap`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.context import App
from orchestrator.cli.options import ConsentOptions, JsonOptions, json_option, with_options
from orchestrator.errors import Exit

if TYPE_CHECKING:
    from orchestrator.project.model import Project, Stack
    from orchestrator.run.doctoring import Check

EPILOG = """\b
Examples:
  infra bootstrap                         plan, ask, apply, move the state, check
  infra sandbox exec -- infra bootstrap   rehearse it
  infra bootstrap --auto-approve --json
"""


@dataclass(frozen=True, kw_only=True)
class BootstrapOptions(JsonOptions):
    """The options of `infra bootstrap`."""

    folder: str | None
    adopt: bool
    allow_destroy: bool
    auto_approve: bool


@click.command(epilog=EPILOG)
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("--adopt", is_flag=True, help="Import the bucket if it exists already and is yours.")
@click.option("--allow-destroy", is_flag=True, help="Yes, also where something is deleted or replaced.")
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@json_option
@with_options(BootstrapOptions)
def command(app: App, options: BootstrapOptions) -> int:
    """Make the state bucket, the accounts and GitHub's identity, and move their state into that bucket.

    Applies DIR (infra/bootstrap) with its state on this disk, moves the state into the bucket, checks the
    result, and prints what to put into GitHub. Run it again after any failure: it goes on from there. Where
    the repository has no such code, it is written first, and you fill in what only you know.
    """
    from orchestrator.cli.running import consent_of, opened
    from orchestrator.run.bootstrap_checks import check_bucket
    from orchestrator.run.bootstrapping import Bootstrapping, bootstrap_root, bootstrap_stack

    project = app.project(needs_stacks=False)
    if options.folder is None and not has_code(project):
        return write_code(app, project)
    with opened(app, needs_stacks=False) as session:
        stack = bootstrap_stack(
            session.context.project, bootstrap_root(session.context.project, options.folder)
        )
        ready_sandbox(app, session.context.project, stack)
        answers = ConsentOptions(
            confirmed=(), allow_destroy=options.allow_destroy, adopt=False, auto_approve=options.auto_approve
        )
        consent = consent_of(app, session.context, answers, "apply")
        work = Bootstrapping(session, stack, consent, lambda text: say(app, text), options.adopt)
        report = work.run()
        if report.result == "failed":
            return tell_failure(app, session.context.report("bootstrap", [report]))
        checks = list(
            check_bucket(work.bucket_name, app.environ, work.outputs, lambda who: acting_as(app, who))
        )
    return tell_result(app, session.context.project, report.result, checks, work.outputs)


def has_code(project: Project) -> bool:
    """Whether the bootstrap's code is where it is looked for."""
    from orchestrator.run.bootstrapping import default_root

    return bool(project.coverage.source.code(default_root(project)))


def write_code(app: App, project: Project) -> int:
    """Write the bootstrap's code, and say what to fill in."""
    from orchestrator.ci.scaffold import remote_repository
    from orchestrator.run.bootstrap_code import VALUES, write_bootstrap
    from orchestrator.run.bootstrapping import default_root
    from orchestrator.sandbox.demo.repository import example

    written = write_bootstrap(project, example(), remote_repository(project) or ("", ""))
    values = f"{default_root(project)}/{VALUES}"
    step = f"Fill in {values}, then run `infra bootstrap` again."
    if app.json:
        return app.emit("bootstrap", int(Exit.USAGE), written=written, next=[step])
    for name in written:
        app.write(f"wrote        {name}")
    app.note(step)
    return int(Exit.USAGE)


def say(app: App, text: str) -> None:
    """One step of the way."""
    if not app.json:
        app.note(text)


def tell_failure(app: App, report: Any) -> int:
    """A failed apply, as `infra apply` tells one."""
    from orchestrator.cli.running import tell

    return tell(app, report)


def tell_result(
    app: App, project: Project, result: str, checks: list[Check], outputs: Mapping[str, Any]
) -> int:
    """The checks, then what to do in GitHub; exit 1 when a check failed."""
    from orchestrator.report import github_setup

    code = int(Exit.ERROR if any(check.status == "error" for check in checks) else Exit.OK)
    if app.json:
        return app.emit(
            "bootstrap",
            code,
            run=None,
            stacks=[],
            result=result,
            checks=[asdict(check) for check in checks],
            outputs=dict(outputs),
        )
    signs = {"ok": "✓", "warning": "!", "error": "✗"}
    for check in checks:
        app.write(f"{signs[check.status]} {check.name}: {check.message}")
        if check.advice and check.status != "ok":
            app.write(f"  → {check.advice}")
    app.write("")
    config = project.config
    order = config.promotion_order(outputs.get("accounts") or {})
    gates = [
        name
        for name in order.all
        if config.needs_approval(name, order) and config.environment(name).unapproved == "gate"
    ]
    for line in github_setup.lines(outputs, config.trunk or "main", order.all, gates):
        app.write(line)
    return code


def ready_sandbox(app: App, project: Project, stack: Stack) -> None:
    """On the sandbox: take the bucket away that it made ready, and serve the bootstrap's types."""
    if not app.environ.get("INFRA_SANDBOX"):
        return
    from orchestrator.sandbox import attach, control
    from orchestrator.sandbox.needs import Needs, Types

    info = attach.require(Path(app.environ["INFRA_SANDBOX"]))
    used = project.coverage.types([stack])
    needs = Needs(providers=tuple(used.providers), types=Types(used.resources, used.data_sources))
    control.call(info, "prepare", needs=needs.document())
    control.call(info, "give_up_bucket", name=(stack.state or "").removeprefix("gs://").partition("/")[0])


def acting_as(app: App, email: str) -> Mapping[str, str]:
    """What makes requests as a service account: a port of the sandbox's, or impersonation."""
    if not app.environ.get("INFRA_SANDBOX"):
        return {"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT": email}
    from orchestrator.sandbox import attach, control

    info = attach.require(Path(app.environ["INFRA_SANDBOX"]))
    port = control.call(info, "act_as", member=f"serviceAccount:{email}")
    return {"STORAGE_EMULATOR_HOST": attach.url(port)}
