"""What commands that run Terraform share: the session, the request, consent, and the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    ConsentOptions,
    CoordinationOptions,
    RequestOptions,
    SelectionOptions,
    TerraformOptions,
)
from orchestrator.cli.support.telemetry import send_telemetry, start_telemetry
from orchestrator.cli.terminal.consent import CommandConsent
from orchestrator.cli.terminal.progress import make_progress
from orchestrator.cli.terminal.tables import print_renderables
from orchestrator.engine.context import RunContext
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.pipeline import RunRequest
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.recorder import RecorderOptions
from orchestrator.engine.session import Session, open_session
from orchestrator.engine.timing import RunTiming
from orchestrator.errors import Exit, UsageError
from orchestrator.process import Supervisor
from orchestrator.report.console import render, render_details, render_verdict
from orchestrator.report.model import RunReport, StackReport
from orchestrator.repository.affected import find_affected, find_dependents
from orchestrator.repository.model import Project
from orchestrator.repository.selection import make_filter
from orchestrator.terraform.binary import Binary, find_binary
from orchestrator.terraform.client import PlanOptions

if TYPE_CHECKING:
    from orchestrator.config.rules import Policy
    from orchestrator.engine.plan_reuse import PlanReuse

    # The policy on trunk, and its rules in Rego by file.
    TrunkPolicy = tuple[Policy, dict[str, str]]

DEFAULT_RECORDER_OPTIONS = RecorderOptions()
NO_DEPENDENTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@contextmanager
def run_session(
    app: App,
    *,
    parallelism: int | None = None,
    variables: Sequence[str] = (),
    trigger: str = "local",
    on_interrupt: Callable[[Session], None] = lambda session: None,
    project: Project | None = None,
    needs_stacks: bool = True,
    hook_base: str | None = None,
) -> Iterator[Session]:
    """A session for one run: signals are handled inside it, and its plan files are gone after it.

    `parallelism` and `variables` are options of the command line. `on_interrupt` is called once the first
    signal was forwarded. `project` is the one in the working folder when it is not given, which has to
    have stacks unless `needs_stacks` is false. `hook_base` as in `open_session`.
    """
    if app.environ.get("INFRA_SANDBOX") and not app.json:
        real = app.environ.get("INFRA_SANDBOX_REAL")
        what = f"real are {real} alone" if real else "nothing here is real"
        app.note(f"On the sandbox in {app.environ['INFRA_SANDBOX']}: {what}.")
    timing = RunTiming() if app.timing else None
    project = project or app.project(needs_stacks=needs_stacks)
    telemetry = start_telemetry(app.environ, project)
    session = open_session(
        project,
        {**app.environ, "TRACEPARENT": telemetry.traceparent} if telemetry else app.environ,
        make_progress(app),
        workers=parallelism,
        trigger=trigger,
        variables=variables,
        debug=app.note if app.debug else None,
        timing=timing,
        telemetry=telemetry,
        cold=app.cold,
        ci_command=app.command.startswith("ci "),
        hook_base=hook_base,
    )
    for note in () if app.json else session.terraform.cli.notes:
        app.note(note)
    with session.context.supervisor.handling_signals(
        lambda processes: _report_second_interrupt(app, processes), on_first=lambda: on_interrupt(session)
    ):
        error = ""
        try:
            yield session
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            session.close()
            if telemetry:
                send_telemetry(app, session, telemetry, error)
            for line in timing.lines() if timing else ():
                app.note(line)


def _report_second_interrupt(app: App, processes: list[str]) -> int:
    """After a second Ctrl-C: prints the processes that go on, and returns the exit code."""
    if not processes:
        app.note("Interrupted again: ended at once; no process goes on.")
        return int(Exit.INTERRUPTED)
    app.note("Interrupted again. These processes go on, since ending them would lose what they created:")
    for process in processes:
        app.note(f"  {process}")
    return int(Exit.PARTIAL)


def policy_inspection(
    context: RunContext, rules: TrunkPolicy | None = None, *, estimates_cost: bool = False
) -> Inspect:
    """The inspection that checks each plan by the policy on trunk; `rules` are that, if it was read before.

    What a label allows on a pull request is allowed here by the question before an apply.
    """
    from orchestrator.engine.policy_inspection import policy_inspection, rules_of_trunk

    policy, rego = rules or rules_of_trunk(context.project)
    return policy_inspection(context, policy, allow_destroy=True, rego=rego, estimates_cost=estimates_cost)


def _earlier_plans(
    app: App, session: Session, options: PlanOptions, rules: TrunkPolicy, out: Path | None
) -> PlanReuse | None:
    """The earlier plans that may be shown again; None where every plan is to be made."""
    from orchestrator.engine.origin import is_ci
    from orchestrator.engine.plan_reuse import PlanReuse

    max_age = session.context.project.config.plan_reuse
    if app.cold or not max_age or out or options.is_partial or is_ci(app.environ):
        return None
    return PlanReuse(session, options, (rules, *_cost_settings(session.context)), max_age=max_age)


def _cost_settings(context: RunContext) -> tuple[object, ...]:
    """What an estimate of the cost depends on beside the plan: nothing where there is none."""
    from orchestrator.plan.infracost import VARIABLES

    cost = context.project.config.cost
    return (
        (cost, sorted((k, v) for k, v in context.environ.items() if k.startswith(VARIABLES))) if cost else ()
    )


def narrow(
    app: App,
    project: Project,
    options: SelectionOptions,
    stacks: Sequence[str],
    dependents: Mapping[str, tuple[str, ...]] = NO_DEPENDENTS,
) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The stacks and dependents that --exclude and --tag leave; UsageError where no stack of some is left."""
    is_wanted = make_filter(project, options.excluded, options.tags, app.cwd)
    left = tuple(id_ for id_ in stacks if is_wanted(id_))
    if stacks and not left:
        raise UsageError(
            f"--exclude and --tag leave none of {len(stacks)} stacks.",
            advice="`infra list` shows the stacks.",
        )
    return left, {id_: sources for id_, sources in dependents.items() if is_wanted(id_)}


def _var_files(app: App, names: Sequence[str]) -> tuple[Path, ...]:
    """The files of --var-file; UsageError for one that is not there."""
    paths = tuple(app.cwd / name for name in names)
    missing = next((name for name, path in zip(names, paths, strict=True) if not path.is_file()), None)
    if missing is not None:
        raise UsageError(
            f"There is no variable file {missing}.", advice="The path is relative to this folder."
        )
    return paths


def given_variables(app: App, options: TerraformOptions) -> tuple[str, ...]:
    """The variables of --var-file and --var as `NAME=VALUE`: their secrets are hidden in all output."""
    from orchestrator.repository.hcl import read_values

    variables = []
    for path in _var_files(app, options.var_files):
        for name, attribute in read_values(path.name, path.read_bytes()).attributes.items():
            value = attribute.expression.string
            variables.append(f"{name}={attribute.expression.source if value is None else value}")
    return (*variables, *options.variables)


def make_run_request(
    app: App,
    session: Session,
    options: RequestOptions,
    *,
    with_dependents: bool = True,
    destroy: bool = False,
    pending: bool = False,
    recorder_options: RecorderOptions = DEFAULT_RECORDER_OPTIONS,
    out: Path | None = None,
    detailed: bool = False,
    shows_only: bool = False,
) -> RunRequest:
    """The request that the command line makes; with no names: what differs from trunk, and its dependents.

    With `shows_only` nothing is applied, so that an earlier plan may be shown again.
    """
    from orchestrator.engine.policy_inspection import rules_of_trunk

    context = session.context
    for variable in options.variables:
        if "=" not in variable:
            raise UsageError("--var wants NAME=VALUE.", advice="For example: --var region=europe-west1")
    plan_options = PlanOptions(
        destroy=destroy,
        refresh_only=options.refresh_only,
        targets=options.targets,
        replaces=options.replaces,
        variables=options.variables,
        given_var_files=_var_files(app, options.var_files),
    )
    dependents: Mapping[str, tuple[str, ...]] = {}
    if pending:
        stacks, dependents = _select_pending(app, session, options.stacks)
    elif options.everything:
        stacks = tuple(context.project.stacks)
    elif options.stacks:
        stacks = context.select(options.stacks, app.cwd)
    else:
        changes = find_affected(context.project)
        stacks = changes.ids
        dependents = changes.dependents if with_dependents else {}
    stacks, dependents = narrow(app, context.project, options, stacks, dependents)
    context.project.require_some((*stacks, *dependents))
    promotes = pending or options.everything
    rules = rules_of_trunk(context.project)
    return RunRequest(
        stacks,
        plan_options,
        dependents,
        out=out,
        detailed=detailed,
        recorder_options=recorder_options,
        promotes=promotes,
        inspect=policy_inspection(context, rules, estimates_cost=context.project.config.cost is not None),
        reuse=_earlier_plans(app, session, plan_options, rules, out) if shows_only else None,
    )


def _select_pending(
    app: App, session: Session, names: Sequence[str]
) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The pending stacks among those named, and their dependents; prints the reasons."""
    context = session.context
    from orchestrator.engine.commit_order import is_on_trunk
    from orchestrator.engine.pending import pending_stacks

    among = context.select(names, app.cwd) if names else tuple(context.project.stacks)
    pending = {id_: why for id_, why in pending_stacks(session.memory).items() if id_ in among}
    if not app.json:
        if not is_on_trunk(context.project, context.info.commit):
            app.note("This checkout is not trunk: what follows is pending for the commit checked out.")
        for id_, why in pending.items():
            app.note(f"{id_}: {why}.")
    readers = {id_: of for id_, of in find_dependents(context.project, list(pending)).items() if id_ in among}
    return tuple(pending), readers


def make_recorder_options(options: CoordinationOptions) -> RecorderOptions:
    """Recorder options from the command line."""
    return RecorderOptions(
        wait=options.wait,
        lock_timeout=options.lock_timeout,
        break_glass=options.break_glass,
        over=options.over,
    )


def make_consent(app: App, context: RunContext, options: ConsentOptions, verb: str) -> CommandConsent:
    """Consent that asks, or takes the answers from options."""

    def show(report: RunReport | StackReport) -> None:
        if not app.json:
            print_report(app, report)

    return CommandConsent(
        app,
        verb,
        show,
        auto_approve=options.auto_approve,
        allow_destroy=options.allow_destroy,
        adopt=options.adopt,
        confirmed=options.confirmed,
        interrupted=lambda: context.supervisor.interrupted,
    )


def print_report(app: App, report: RunReport | StackReport) -> None:
    """A whole run, or the details of one stack, to standard output."""
    console = app.console()
    if isinstance(report, RunReport):
        pieces = render(report, app.detail, with_table=not app.quiet)
    else:
        pieces = render_details([report], app.detail)
    print_renderables(console, pieces)


def _print_paged(app: App, report: RunReport) -> None:
    """A whole run, in the pager of the user where it is longer than the terminal."""
    console = app.console()
    if not app.stdout.isatty():
        print_report(app, report)
        return
    with console.capture() as capture:
        print_renderables(console, render(report, app.detail, with_table=not app.quiet))
    text = capture.get()
    if text.count("\n") < console.height:
        app.data(text)
        return
    from orchestrator.cli.terminal.pager import show_in_pager

    if show_in_pager(app, text) == "paged":
        # A pager that is left early would hide how it ended.
        print_renderables(console, [render_verdict(report)])


def print_result(app: App, report: RunReport, *, after_report: bool = False, paged: bool = False) -> int:
    """Prints the result as text or JSON, `after_report` below an earlier one; returns the exit code."""
    if app.json:
        return app.emit(report.command, report.exit_code, **report.document())
    if after_report and any(stack.result == "applied" for stack in report.stacks):
        app.write("")
    (_print_paged if paged else print_report)(app, report)
    return report.exit_code


def find_local_terraform(app: App) -> Binary:
    """The Terraform that would be used in the working folder, in a project or outside one."""
    from orchestrator.engine.folders import Folders
    from orchestrator.engine.terraform_runner import binaries_for
    from orchestrator.errors import GitError, ProjectError

    try:
        project = app.project(needs_stacks=False)
    except (GitError, ProjectError):
        with TemporaryDirectory(prefix="infra-") as name:
            return find_binary(None, app.environ, Supervisor(), Path(name))
    folders = Folders(project.root)
    folders.prepare()
    return binaries_for(project, app.environ, Supervisor(), folders).default


def read_only_session(app: App, project: Project) -> Session:
    """A session for a command that changes nothing; without progress."""
    debug = app.note if app.debug else None
    return open_session(
        project,
        app.environ,
        SilentProgress(),
        debug=debug,
        cold=True,
        ci_command=app.command.startswith("ci "),
    )
