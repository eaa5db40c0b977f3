"""`infra drift`: checks stacks for drift, shows earlier results, and remediates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    ConsentOptions,
    Duration,
    JsonOptions,
    Reason,
    consent_options,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks
from orchestrator.errors import Exit, UsageError, exit_code_of

if TYPE_CHECKING:
    from orchestrator.drift.changes import CloudChange
    from orchestrator.drift.history import StackHistory
    from orchestrator.drift.remediation import RemediationResult
    from orchestrator.drift.remediation_choice import NotRemediated, Remediation
    from orchestrator.drift.report import DriftReport
    from orchestrator.engine.context import RunContext
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.session import Session
    from orchestrator.forge.interface import OpenForge
    from orchestrator.repository.model import Project

EPILOG = """\b
Classes of what differs:
  reverted    changed outside; the next apply reverts it
  conflict    changed outside, and the code wants a third value
  codified    changed outside, and the code says the same already
  ignored     covered by ignore_changes
  baseline    filled in by the provider: so since the first check after an apply
  noise       changes by itself: counters, timestamps, what only the provider sets
  unmanaged   changed outside, and the code does not set it
  owed        not applied: nothing changed outside, and an apply would change it

\b
Exit codes: 0 clean, 8 drift, 1 a check failed.

\b
Examples:
  infra drift                       every stack
  infra drift prod --budget 30m     the longest unchecked first, as far as half an hour goes
  infra drift dev/network --show-ignored
  infra drift --shard 2/4 --json    a quarter of the stacks, for a program
  infra drift --last                what the last checks found, without a new one
  infra drift history               when what drifted, for how long, and what ended it
  infra drift history prod/network
  infra drift dev/network --fix     remediate it, as infra.yaml says
  infra drift dev/network --fix --action accept
  infra drift --issues              update issues on GitHub too, with a token and outside a job
"""


class DriftShard(click.ParamType):  # type: ignore[type-arg]
    """`2/4`: the second of four parts."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        number, _, of = str(value).partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            self.fail(f"{value!r} is not a shard such as 2/4", param, ctx)
        return int(number), int(of)


@dataclass(frozen=True, kw_only=True)
class DriftOptions(ConsentOptions, JsonOptions):
    """The options of `infra drift`; `budget` is in seconds, `shard` is I and N, `junit`, `markdown`,
    `report` and `changes` are paths."""

    names: tuple[str, ...]
    everything: bool
    environments: tuple[str, ...]
    budget: float | None
    shard: tuple[int, int]
    parallelism: int | None
    show_ignored: bool
    last: bool
    junit: str | None
    markdown: str | None
    report: str | None
    changes: str | None
    issues: bool
    fix: bool
    action: Literal["revert", "accept", "pr"] | None
    break_glass: str | None


def is_misspelt(word: str, meant: str) -> bool:
    """Whether a word is nearly another one."""
    from difflib import SequenceMatcher

    return "/" not in word and word != meant and SequenceMatcher(None, word, meant).ratio() > 0.75


@click.command(epilog=EPILOG)
@click.argument(
    "names",
    nargs=-1,
    metavar="[ENV | ENV/STACK | GLOB]... | history [STACK]...",
    shell_complete=complete_stacks,
)
@click.option("--all", "everything", is_flag=True, help="Check every stack; the default without a name.")
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Only stacks of ENV.")
@click.option("--budget", type=Duration(), metavar="DURATION", help="Start no further check after this time.")
@click.option(
    "--shard", type=DriftShard(), default="1/1", metavar="I/N", help="Check only part I of N of the stacks."
)
@click.option(
    "--parallelism",
    type=click.IntRange(1),
    metavar="N",
    help="The number of stacks to run at once (default: one per core).",
)
@click.option(
    "--show-ignored", is_flag=True, help="Also show noise, and what is ignored or covered by a rule."
)
@click.option("--last", is_flag=True, help="Show the results of the last checks, without a new check.")
@click.option("--junit", metavar="FILE", help="Also write JUnit XML to FILE.")
@click.option("--markdown", metavar="FILE", help="Also write Markdown to FILE.")
@click.option("--report", metavar="DIR", help="Write the report for `infra ci drift` to DIR.")
@click.option(
    "--changes",
    metavar="FILE",
    help="Check first what changed by FILE (audit log entries, an asset feed), and name who did it.",
)
@click.option("--issues", is_flag=True, help="Also update the issues on GitHub, and send the message.")
@click.option("--fix", is_flag=True, help="Remediate the drift, after a prompt.")
@click.option(
    "--action",
    type=click.Choice(["revert", "accept", "pr"]),
    help="How: apply the code again, take it into the state, or write it into the code by a pull request. "
    "Without it infra.yaml says (drift.actions).",
)
@consent_options
@click.option(
    "--break-glass",
    type=Reason(),
    metavar="REASON",
    help="Fix where only CI may apply; the reason is recorded in the ledger.",
)
@json_option
@with_options(DriftOptions)
def command(app: App, options: DriftOptions) -> int:
    """Show what was changed outside Terraform.

    Plans each stack once, at the commit last applied to it. Without --fix, takes no lock and changes no state
    and no resource. In GitHub Actions, also writes the step summary.

    Without a name, checks every stack.
    """
    if options.names[:1] == ("history",):
        return _show_history(app, options.names[1:])
    first = options.names[0] if options.names else ""
    if is_misspelt(first, "history") and first not in app.project().environments:
        raise UsageError(
            f"There is no environment or stack {first!r}.", advice="Did you mean `infra drift history`?"
        )
    if options.everything and options.names:
        raise UsageError("--all and names exclude each other.", advice="Leave one out.")
    if options.action and not options.fix:
        raise UsageError("--action says how to fix.", advice="Add --fix.")
    if options.last and (options.fix or options.issues):
        raise UsageError("--last checks nothing.", advice="Leave it out, or --fix and --issues.")
    if options.last and options.changes:
        raise UsageError("--last checks nothing.", advice="Leave out --changes.")
    if options.last:
        return _show_last_checks(app, options.names, options.environments)
    return _check(app, options)


def _check(app: App, options: DriftOptions) -> int:
    """Checks the stacks, remediates with --fix, and writes the result to every output requested."""
    from orchestrator.cli.support.session import run_session
    from orchestrator.drift.check_all import DriftRequest, check_drift
    from orchestrator.engine.origin import origin_of

    if options.issues:
        _open_forge(app).close()
    changes = _read_changes(app, options.changes) if options.changes else ()
    with run_session(app, parallelism=options.parallelism, trigger=origin_of(app.environ).trigger) as session:
        stacks = _select_stacks(app, session.context.project, options.names, options.environments)
        report = check_drift(session, DriftRequest(stacks, options.budget, options.shard, changes=changes))
        if options.fix:
            result = _fix(app, session, report, options)
            _write_outputs(app, result.report, options)
            return _print_fix_result(app, session.context, result)
    _write_outputs(app, report, options)
    if app.json:
        return app.emit("drift", report.exit_code, **report.document())
    from orchestrator.cli.terminal.drift_views import drift_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, drift_view(report, show_ignored=options.show_ignored))
    return report.exit_code


def _read_changes(app: App, path: str) -> tuple[CloudChange, ...]:
    """The changes in the file of --changes; UsageError where none of it can be read."""
    from orchestrator.drift.changes import read_changes

    try:
        changes, unknown = read_changes((app.cwd / path).read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", advice="The path is relative to this folder."
        ) from error
    if unknown and not changes:
        raise UsageError(
            f"{path} has no entry of an audit log or of an asset feed.",
            advice="Write it with `gcloud logging read … --format=json`, see docs/drift.md.",
        )
    if unknown:
        app.note(f"{path}: {unknown} entries are neither of an audit log nor of an asset feed.")
    return changes


def _show_last_checks(app: App, names: Sequence[str], environments: Sequence[str]) -> int:
    """Shows the results of the last checks; returns the exit code."""
    from datetime import UTC, datetime

    from orchestrator.drift.heartbeat import load_heartbeats
    from orchestrator.drift.history import load_histories

    project, ledgers = _open_ledgers(app)
    stacks = _select_stacks(app, project, names, environments)
    records = load_histories(project, ledgers, stacks, whole=False)
    beats = load_heartbeats(project, ledgers, dict.fromkeys(history.environment for history in records))
    if app.json:
        now = datetime.now(UTC)
        documents = [history.document(now) for history in records]
        beat_documents = {name: vars(beat) if beat else None for name, beat in beats.items()}
        code = _report_unreadable(app, records)
        return app.emit("drift --last", code, stacks=documents, heartbeats=beat_documents)
    from orchestrator.cli.terminal.drift_views import last_check_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, last_check_view(records, list(beats.items())))
    return _report_unreadable(app, records)


def _show_history(app: App, names: Sequence[str]) -> int:
    """Shows past periods of drift and how each ended; returns the exit code."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from orchestrator.drift.history import compute_figures, load_histories

    project, ledgers = _open_ledgers(app)
    records = load_histories(project, ledgers, _select_stacks(app, project, names, ()))
    now = datetime.now(UTC)
    if app.json:
        documents = [history.document(now) for history in records]
        code = _report_unreadable(app, records)
        return app.emit(
            "drift history", code, stacks=documents, figures=asdict(compute_figures(records, now))
        )
    from orchestrator.cli.terminal.drift_views import drift_history_view
    from orchestrator.cli.terminal.tables import print_pieces

    print_pieces(app, drift_history_view(records, now))
    return _report_unreadable(app, records)


def _report_unreadable(app: App, histories: Sequence[StackHistory]) -> int:
    """Prints the records that cannot be read; returns exit code 1 when there are any."""
    problems = [history.problem for history in histories if history.problem]
    for problem in problems:
        app.note(f"error: {problem}")
    return int(Exit.ERROR if problems else Exit.OK)


def _open_ledgers(app: App) -> tuple[Project, Ledgers]:
    from orchestrator.engine.ledgers import Ledgers
    from orchestrator.engine.states import States

    project = app.project()
    return project, Ledgers(project, States(project, app.environ), app.environ)


def _select_stacks(
    app: App, project: Project, names: Sequence[str], environments: Sequence[str]
) -> tuple[str, ...]:
    from orchestrator.repository.selection import select

    stacks = select(project, names, app.cwd) if names else tuple(project.stacks)
    unknown = [name for name in environments if name not in project.environments]
    if unknown:
        raise UsageError(
            f"There is no environment {unknown[0]!r}.", advice=f"There is {', '.join(project.environments)}."
        )
    if not environments:
        return stacks
    return tuple(id_ for id_ in stacks if project.stacks[id_].environment in environments)


def _write_outputs(app: App, report: DriftReport, options: DriftOptions) -> None:
    """Writes the files requested, the job's step summary, and the issues."""
    from orchestrator.cli.support.reports import write_file
    from orchestrator.drift import junit as drift_junit
    from orchestrator.drift import markdown as drift_markdown
    from orchestrator.forge.factory import add_summary

    summary = drift_markdown.render_summary(report)
    if options.junit:
        write_file(app, options.junit, drift_junit.render(report))
    if options.markdown:
        write_file(app, options.markdown, summary)
    add_summary(app.environ, summary)
    if options.report:
        from orchestrator.drift.report_files import write_report

        write_report(app.cwd / options.report, report, options.shard)
    if options.issues:
        _publish_issues(app, report, whole=not options.fix)


def _open_forge(app: App) -> OpenForge:
    """Opens the forge as the environment names it; UsageError when it does not, before any check is made."""
    from orchestrator.forge.factory import open_forge

    return open_forge(app.environ)


def _publish_issues(app: App, report: DriftReport, *, whole: bool) -> None:
    """Updates issues and sends the message; a failure is printed and does not change the exit code."""
    from orchestrator.drift.publish import PublishContext, publish_report

    with _open_forge(app) as forge:
        outbox = publish_report(PublishContext(app.project(), app.environ, forge), report, is_complete=whole)
    for failure in outbox.failures:
        app.note(f"GitHub could not be updated: {failure}")
    for problem in outbox.unsent:
        app.note(f"warning: {problem}")


@dataclass(frozen=True)
class FixResult:
    """The result of `--fix`: the stacks afterwards, the remediations made, and those skipped.

    `pull_requests` are lines about pull requests that were opened, `failures` about those that were not.
    """

    report: DriftReport
    done: tuple[RemediationResult, ...] = ()
    skipped: tuple[NotRemediated, ...] = ()
    pull_requests: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def _fix(app: App, session: Session, report: DriftReport, options: DriftOptions) -> FixResult:
    """Shows the drift, asks, and remediates it."""
    from dataclasses import replace

    from orchestrator.cli.terminal.drift_views import drift_view
    from orchestrator.cli.terminal.tables import print_pieces
    from orchestrator.drift.remediation import check_again, record_remediations
    from orchestrator.drift.remediation_choice import decide

    rules = session.context.project.config.drift
    decisions = [decide(stack, rules, options.action) for stack in report.stacks]
    remediations = [remediation for decision in decisions for remediation in decision.remediations]
    skipped = tuple(resource for decision in decisions for resource in decision.skipped)
    if not app.json:
        print_pieces(app, drift_view(report, show_ignored=options.show_ignored))
    for resource in skipped:
        app.note(f"skipped: {resource.words}")
    done = _fix_by_apply(app, session, report, remediations, options)
    lines, failures = _fix_by_pull_request(app, session.context.project, remediations)
    for line in (*lines, *failures, *record_remediations(session.memory, done)):
        app.note(line)
    now = replace(report, stacks=check_again(session, done, report.stacks))
    return FixResult(now, tuple(done), skipped, lines, failures)


def _fix_by_apply(
    app: App,
    session: Session,
    report: DriftReport,
    remediations: Sequence[Remediation],
    options: DriftOptions,
) -> list[RemediationResult]:
    """Applies one remediation after the other, each with its own question."""
    from orchestrator.cli.support.session import make_consent, policy_inspection
    from orchestrator.drift.remediation import remediate
    from orchestrator.engine.recorder import RecorderOptions

    context = session.context
    stacks = {stack.id: stack for stack in report.stacks}
    inspect = policy_inspection(context)
    consent = make_consent(app, context, options, "apply")
    recorder_options = RecorderOptions(break_glass=options.break_glass)
    done = []
    for remediation in remediations:
        if remediation.action not in ("revert", "accept") or context.supervisor.interrupted:
            continue
        app.note(f"{remediation.stack}: {remediation.action} {', '.join(remediation.addresses)}")
        result = remediate(
            session,
            remediation,
            stacks[remediation.stack],
            consent,
            recorder_options,
            deletes=True,
            inspect=inspect,
        )
        app.note(f"{remediation.stack}: {result.words}")
        done.append(result)
    return done


def _fix_by_pull_request(
    app: App, project: Project, remediations: Sequence[Remediation]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Opens pull requests; returns lines about those that were opened, and about failures."""
    if not any(remediation.action == "pr" for remediation in remediations):
        return (), ()
    from orchestrator.drift.pull_request import open_pull_requests
    from orchestrator.forge.outbox import Outbox

    outbox = Outbox()
    try:
        with _open_forge(app) as forge:
            lines = open_pull_requests(project, forge, remediations, outbox)
    except UsageError as error:
        return (), (f"No pull request can be opened: {error.message} {error.advice}",)
    return tuple(lines), tuple(outbox.failures)


def _print_fix_result(app: App, context: RunContext, result: FixResult) -> int:
    """Prints what was remediated; returns the exit code."""
    from orchestrator.drift.remediation import exit_code
    from orchestrator.drift.text import render_verdict

    codes = [result.report.exit_code, *([int(Exit.ERROR)] if result.failures else [])]
    code = exit_code_of([*codes, *([exit_code(result.done, context)] if result.done else [])])
    if app.json:
        return app.emit("drift --fix", code, **result.report.document(), **_fix_document(result))
    if result.done or result.pull_requests or result.failures:
        app.write(render_verdict(result.report))
    elif any(stack.result == "drifted" for stack in result.report.stacks):
        why = "see above" if result.skipped else "infra.yaml names no action for it; `--action revert` does"
        app.write(f"Nothing was remediated: {why}.")
    else:
        app.write("No stack that could be checked has drift.")
    return code


def _fix_document(result: FixResult) -> dict[str, Any]:
    """The keys of `--json` besides those of the report."""
    done = [
        {
            "stack": remediated.remediation.stack,
            "action": remediated.remediation.action,
            "addresses": list(remediated.remediation.addresses),
            "result": remediated.report.result,
            "reason": remediated.report.reason,
            "run": remediated.run,
        }
        for remediated in result.done
    ]
    skipped = [
        {"stack": resource.stack, "address": resource.address, "why": resource.why}
        for resource in result.skipped
    ]
    return {
        "remediations": done,
        "left": skipped,
        "pull_requests": [*result.pull_requests, *result.failures],
    }
