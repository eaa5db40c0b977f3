"""`infra bootstrap`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.atomic_files import write_text
from orchestrator.cli.app import App
from orchestrator.cli.options import ConsentOptions, JsonOptions, json_option, with_options
from orchestrator.cli.support.bootstrap_names import NameOptions
from orchestrator.errors import ConfigError, Exit, UsageError
from orchestrator.state.location import Location

if TYPE_CHECKING:
    from orchestrator.engine.session import Session
    from orchestrator.report.doctor_check import DoctorCheck
    from orchestrator.repository.model import Project, Stack
    from orchestrator.scaffold.bootstrap_locations import Locations

EPILOG = """\b
Examples:
  infra bootstrap                         ask for names, plan, ask, apply, move the state, check
  infra bootstrap --github                and set what GitHub needs, with an administrator's GH_TOKEN
  infra sandbox exec -- infra bootstrap   rehearse it
  infra bootstrap --auto-approve --json
"""


@dataclass(frozen=True, kw_only=True)
class BootstrapOptions(JsonOptions, NameOptions):
    """The options of `infra bootstrap`."""

    folder: str | None
    github: bool
    reviewers: tuple[str, ...]
    adopt: bool
    allow_destroy: bool
    auto_approve: bool


@click.command(epilog=EPILOG)
@click.argument("folder", required=False, metavar="[DIR]")
@click.option(
    "--bucket",
    metavar="NAME",
    default="",
    help="The bucket of the bootstrap's own state (default: that of infra.yaml).",
)
@click.option("--project", metavar="ID", default="", help="The project of the bucket and the accounts.")
@click.option("--region", metavar="NAME", default="", help="The provider's region (default: europe-west1).")
@click.option("--location", metavar="NAME", default="", help="Where the bucket is (default: EU).")
@click.option(
    "--admin",
    "admins",
    multiple=True,
    metavar="group:ADDRESS",
    help="An administrator of the bucket; repeatable.",
)
@click.option(
    "--environment-project",
    "projects",
    multiple=True,
    metavar="ENV=ID",
    help="The project of an environment; repeatable.",
)
@click.option(
    "--github", is_flag=True, help="Also set the variable, the environments and their reviewers on GitHub."
)
@click.option(
    "--reviewer",
    "reviewers",
    multiple=True,
    metavar="LOGIN|ORG/TEAM",
    help="With --github: who may approve in gates; repeatable (default: owners of infra.yaml).",
)
@click.option("--adopt", is_flag=True, help="Import the bucket if it exists already and is yours.")
@click.option("--allow-destroy", is_flag=True, help="Allow deletions and replacements without a prompt.")
@click.option("--auto-approve", is_flag=True, help="Skip the confirmation prompt.")
@json_option
@with_options(BootstrapOptions)
def command(app: App, options: BootstrapOptions) -> int:
    """Create the state bucket, the accounts and GitHub's identity, and move their state into the bucket.

    Applies DIR (infra/bootstrap) with its state on this disk, moves the state into the bucket, checks the
    result, writes the accounts into infra.yaml, and prints or sets (--github) what GitHub needs. Run it again
    after a failure: it continues where it stopped. If the repository has no such code, writes it first, with
    the names that you give by options or at the prompts.

    Buckets of states that exist stay as they are: give the bootstrap a bucket of its own by --bucket. The
    accounts get rights in the folders that infra.yaml and the code name.

    Without DIR, uses infra/bootstrap, or the folder of the bootstrap code that exists.
    """
    from orchestrator.cli.support.session import make_consent, run_session
    from orchestrator.scaffold.bootstrap import Bootstrap, bootstrap_root, bootstrap_stack
    from orchestrator.scaffold.bootstrap_checks import check_access

    project = app.project(needs_stacks=False)
    if options.bucket and (options.folder or _has_code(project)):
        raise UsageError(
            "--bucket is for code that is not written yet.",
            advice="The bucket is in the backend block of the bootstrap's code, and in its terraform.tfvars.",
        )
    if options.folder is None and not _has_code(project) and not _write_code(app, project, options):
        return int(Exit.USAGE)
    with run_session(app, needs_stacks=False) as session:
        stack = bootstrap_stack(
            session.context.project, bootstrap_root(session.context.project, options.folder)
        )
        _prepare_sandbox(app, session.context.project, stack)
        answers = ConsentOptions(
            confirmed=(), allow_destroy=options.allow_destroy, adopt=False, auto_approve=options.auto_approve
        )
        consent = make_consent(app, session.context, answers, "apply")
        locations = _find_locations(app, session, stack)
        work = Bootstrap(
            session, stack, consent, lambda text: _print_step(app, text), options.adopt, locations
        )
        report = work.run()
        if report.result == "failed":
            return _print_failure(app, session.context.report("bootstrap", [report]))
        checks = list(
            check_access(
                work.bucket_name, app.environ, work.outputs, lambda who: _impersonation(app, who), locations
            )
        )
    return _print_result(app, options, report.result, checks, work.outputs)


def _has_code(project: Project) -> bool:
    """Whether the bootstrap's code is where it is looked for."""
    from orchestrator.repository.layout import default_bootstrap_root as default_root

    return bool(project.coverage.source.code(default_root(project)))


def _write_code(app: App, project: Project, options: BootstrapOptions) -> bool:
    """Writes the bootstrap's code with the names that are known; returns whether that is all of them."""
    from orchestrator.cli.support.bootstrap_names import find_names
    from orchestrator.repository.layout import default_bootstrap_root as default_root
    from orchestrator.sandbox.demo.repository import find_example
    from orchestrator.scaffold.bootstrap_code import VALUES, write_bootstrap

    names = find_names(app, project, options)
    written = write_bootstrap(project, find_example(), names)
    values = f"{default_root(project)}/{VALUES}"
    is_complete = names.is_complete and values in written
    step = f"Fill in {values}, then run `infra bootstrap` again."
    if app.json:
        if not is_complete:
            app.emit("bootstrap", int(Exit.USAGE), written=written, next=[step])
        return is_complete
    for name in written:
        app.write(f"wrote        {name}")
    if not is_complete:
        app.note(step)
    return is_complete


def _find_locations(app: App, session: Session, stack: Stack) -> Locations:
    """The folders of the environments that the bootstrap's code must be told; writes them beside it."""
    from orchestrator.scaffold import bootstrap_locations
    from orchestrator.state.bucket_access import read_settings

    project, own = session.context.project, Location.parse(stack.state or "").bucket
    locations = bootstrap_locations.find_locations(
        project,
        stack.path,
        own,
        lambda name: read_settings(session.memory.states.bucket(Location(name, ""))) != "missing",
    )
    if not bootstrap_locations.takes_locations(project, stack.path):
        if locations.environments:
            names = ", ".join(locations.environments)
            _print_step(
                app,
                f"{stack.path} has no variable `locations`, so it must itself give the accounts of {names} "
                f"rights where infra.yaml keeps their states.",
            )
        return locations
    if bootstrap_locations.write_locations(project, stack.path, locations):
        _print_step(app, f"Wrote the folders of the environments to {stack.path}/{bootstrap_locations.FILE}")
    return locations


def _print_step(app: App, text: str) -> None:
    """One step of the way."""
    if not app.json:
        app.note(text)


def _print_failure(app: App, report: Any) -> int:
    """A failed apply, as `infra apply` tells one."""
    from orchestrator.cli.support.session import print_result

    return print_result(app, report)


def _print_result(
    app: App,
    options: BootstrapOptions,
    result: str,
    checks: list[DoctorCheck],
    outputs: Mapping[str, Any],
) -> int:
    """The checks, then the accounts in infra.yaml and the settings of GitHub; exit 1 when a check failed."""
    code = int(Exit.ERROR if any(check.status == "error" for check in checks) else Exit.OK)
    signs = {"ok": "✓", "warning": "!", "error": "✗"}
    for check in () if app.json else checks:
        app.write(f"{signs[check.status]} {check.name}: {check.message}")
        if check.advice and check.status != "ok":
            app.write(f"  → {check.advice}")
    if code == Exit.OK:
        _set_up(app, options, outputs)
    if app.json:
        documents = [asdict(check) for check in checks]
        return app.emit(
            "bootstrap", code, run=None, stacks=[], result=result, checks=documents, outputs=dict(outputs)
        )
    return code


def _set_up(app: App, options: BootstrapOptions, outputs: Mapping[str, Any]) -> None:
    """Writes the accounts into infra.yaml, and prints or sets what GitHub needs."""
    from orchestrator.forge.factory import render_accounts, render_repositories, render_setup

    project = app.project(needs_stacks=False)
    config = project.config
    order = config.promotion_order(outputs.get("accounts") or {})
    lines = [] if _write_accounts(app, project, outputs, order.all) else render_accounts(outputs, order.all)
    if options.github:
        from orchestrator.cli.support.github_setup import set_up_github

        provider = str(outputs.get("workload_identity_provider") or "")
        set_up = set_up_github(
            app, project, order.all, provider, options.reviewers, is_confirmed=options.auto_approve
        )
        for note in set_up.notes:
            app.note(note)
    else:
        gates = config.gated(order.all, order)
        lines = [*render_setup(outputs, config.trunk or "main", order.all, gates), *lines]
    for line in () if app.json else (*lines, *render_repositories(outputs, config.trunk or "main")):
        app.write(line)


def _write_accounts(app: App, project: Project, outputs: Mapping[str, Any], order: Sequence[str]) -> bool:
    """Writes the accounts into infra.yaml; returns whether they are there now."""
    from orchestrator.config import FILE_NAME
    from orchestrator.scaffold.account_settings import write_accounts

    accounts, attest = outputs.get("accounts"), str(outputs.get("attest_account") or "")
    path = project.root / FILE_NAME
    if not isinstance(accounts, Mapping) or not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    try:
        written = write_accounts(text, accounts, attest, order)
    except ConfigError as error:
        app.note(f"The accounts are not written into {FILE_NAME}: it {error.message}. {error.advice}")
        return False
    if written != text:
        write_text(path, written)
        app.note(f"Wrote the accounts of {', '.join(order)} into {FILE_NAME}: commit it.")
    return True


def _prepare_sandbox(app: App, project: Project, stack: Stack) -> None:
    """On the sandbox: take the bucket away that it made ready, and serve the bootstrap's types."""
    if not app.environ.get("INFRA_SANDBOX"):
        return
    from orchestrator.sandbox import attach, control
    from orchestrator.sandbox.needs import Needs, ResourceTypes

    info = attach.require(Path(app.environ["INFRA_SANDBOX"]))
    used = project.coverage.types([stack])
    needs = Needs(providers=tuple(used.providers), types=ResourceTypes(used.resources, used.data_sources))
    control.call(info, "prepare", needs=needs.document())
    control.call(info, "give_up_bucket", name=Location.parse(stack.state or "").bucket)


def _impersonation(app: App, email: str) -> Mapping[str, str]:
    """What makes requests as a service account: a port of the sandbox's, or impersonation."""
    if not app.environ.get("INFRA_SANDBOX"):
        return {"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT": email}
    from orchestrator.sandbox import attach, control

    info = attach.require(Path(app.environ["INFRA_SANDBOX"]))
    port = control.call(info, "act_as", member=f"serviceAccount:{email}")
    return {"STORAGE_EMULATOR_HOST": attach.url(port)}
