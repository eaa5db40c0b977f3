"""What `plan`, `apply` and `destroy` share: opening a session, choosing stacks, telling the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.cli.consent import AskedConsent
from orchestrator.cli.context import App
from orchestrator.cli.options import ConsentOptions, RequestOptions, TermsOptions
from orchestrator.cli.progress import progress_for
from orchestrator.engine.context import RunContext
from orchestrator.engine.inspection import Inspect
from orchestrator.engine.ports import Silent
from orchestrator.engine.session import Session, open_session
from orchestrator.errors import Exit, UsageError
from orchestrator.process import Supervisor
from orchestrator.project.affected import affected
from orchestrator.project.affected import followers as followers_of
from orchestrator.project.model import Project
from orchestrator.report.console import details, render
from orchestrator.report.model import RunReport, StackReport
from orchestrator.run.pipeline import Request
from orchestrator.run.recording import Terms
from orchestrator.terraform.binary import Binary, find_binary
from orchestrator.terraform.client import PlanOptions

NO_TERMS = Terms()


@contextmanager
def opened(
    app: App,
    *,
    parallelism: int | None = None,
    variables: Sequence[str] = (),
    trigger: str = "local",
    on_interrupt: Callable[[Session], None] = lambda session: None,
    project: Project | None = None,
    needs_stacks: bool = True,
) -> Iterator[Session]:
    """A session for one run: signals are handled inside it, and its plan files are gone after it.

    `parallelism` and `variables` are options of the command line. `on_interrupt` is called once the first
    signal was forwarded. `project` is the one in the working folder when it is not given, which has to
    have stacks unless `needs_stacks` is false.
    """
    if app.environ.get("INFRA_SANDBOX") and not app.json:
        app.note(f"On the sandbox in {app.environ['INFRA_SANDBOX']}: nothing here is real.")
    session = open_session(
        project or app.project(needs_stacks=needs_stacks),
        app.environ,
        progress_for(app),
        workers=parallelism,
        trigger=trigger,
        variables=variables,
        debug=app.note if app.debug else None,
        ci_command=app.command.startswith("ci "),
    )
    for note in () if app.json else session.terraform.cli.notes:
        app.note(note)
    with session.context.supervisor.handling_signals(
        lambda left: leave(app, left), on_first=lambda: on_interrupt(session)
    ):
        try:
            yield session
        finally:
            session.close()


def leave(app: App, left: list[str]) -> int:
    """A second Ctrl-C: say what may be left behind, and give the exit code."""
    if not left:
        app.note("Interrupted again: ended at once; nothing was being changed.")
        return int(Exit.INTERRUPTED)
    app.note("Interrupted again. These go on without us, since ending them would lose what they made:")
    for one in left:
        app.note(f"  {one}")
    return int(Exit.PARTIAL)


def policy_inspection(context: RunContext) -> Inspect:
    """The inspection that judges each plan by trunk's policy.

    What a label allows on a pull request is allowed here by the question before an apply.
    """
    from orchestrator.run.policing import police, rules_of_trunk

    policy, rego = rules_of_trunk(context.project)
    return police(context, policy, allow_destroy=True, rego=rego)


def request_of(
    app: App,
    session: Session,
    options: RequestOptions,
    *,
    with_followers: bool = True,
    destroy: bool = False,
    pending: bool = False,
    terms: Terms = NO_TERMS,
    out: Path | None = None,
    detailed: bool = False,
) -> Request:
    """The request that the command line makes; with no names: what differs from trunk, and its followers."""
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
    )
    followers: Mapping[str, tuple[str, ...]] = {}
    if pending:
        stacks, followers = owed(app, session, options.stacks)
    elif options.everything:
        stacks = tuple(context.project.stacks)
    elif options.stacks:
        stacks = context.select(options.stacks, app.cwd)
    else:
        found = affected(context.project)
        stacks = found.ids
        followers = found.followers if with_followers else {}
    context.project.require((*stacks, *followers))
    promotes = pending or options.everything
    return Request(
        stacks,
        plan_options,
        followers,
        out=out,
        detailed=detailed,
        terms=terms,
        promotes=promotes,
        inspect=policy_inspection(context),
    )


def owed(
    app: App, session: Session, names: Sequence[str]
) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """The stacks that are owed something, among those named, and those that read them; says why."""
    context = session.context
    from orchestrator.run.forward import is_on_trunk
    from orchestrator.run.pending import pending_stacks

    among = context.select(names, app.cwd) if names else tuple(context.project.stacks)
    found = {id_: why for id_, why in pending_stacks(session.memory).items() if id_ in among}
    if not app.json:
        if not is_on_trunk(context.project, context.info.commit):
            app.note("This checkout is not trunk: what follows is owed by the commit that is here.")
        for id_, why in found.items():
            app.note(f"{id_}: {why}.")
    readers = {id_: of for id_, of in followers_of(context.project, list(found)).items() if id_ in among}
    return tuple(found), readers


def terms_of(options: TermsOptions) -> Terms:
    """How the run deals with others, as the command line says."""
    return Terms(
        wait=options.wait,
        lock_timeout=options.lock_timeout,
        break_glass=options.break_glass,
        over=options.over,
    )


def consent_of(app: App, context: RunContext, options: ConsentOptions, verb: str) -> AskedConsent:
    """Consent by question, or by the options given."""

    def show(report: RunReport | StackReport) -> None:
        if not app.json:
            print_report(app, report)

    return AskedConsent(
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
    for piece in render(report) if isinstance(report, RunReport) else details(report):
        console.print(piece)


def tell(app: App, report: RunReport, *, shown: bool = False) -> int:
    """The result in the format asked for; returns the exit code. `shown`: a report came before this one."""
    if app.json:
        return app.emit(report.command, report.exit_code, **report.document())
    if shown and any(stack.result == "applied" for stack in report.stacks):
        app.write("")
    print_report(app, report)
    return report.exit_code


def terraform_here(app: App) -> Binary:
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


def quick_session(app: App, project: Project) -> Session:
    """A session for a command that only looks; nobody watches its progress."""
    debug = app.note if app.debug else None
    return open_session(project, app.environ, Silent(), debug=debug, ci_command=app.command.startswith("ci "))
