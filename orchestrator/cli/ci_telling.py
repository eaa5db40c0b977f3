"""How `infra ci plan` and `infra ci comment` tell what was planned: to GitHub, the job, the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from orchestrator.ci import shards
from orchestrator.ci.event import Event
from orchestrator.ci.outputs import add_summary, set_outputs
from orchestrator.ci.posting import Outbox
from orchestrator.ci.reports import LARGEST, OURS, Gathered, PlanReport, artifacts_of, write_report
from orchestrator.ci.review import commenting
from orchestrator.ci.review.attesting import Attesting
from orchestrator.ci.review.believing import believed
from orchestrator.ci.review.documents import document, sarif
from orchestrator.ci.review.messages import Messages, messages_of
from orchestrator.ci.review.plan_job import ONE_STACK, exit_code
from orchestrator.ci.review.reviewing import joined
from orchestrator.ci.review.scope import Scope
from orchestrator.cli.context import App
from orchestrator.errors import Exit, UsageError
from orchestrator.hosts.github import open_host
from orchestrator.hosts.port import Host
from orchestrator.report.review import Review
from orchestrator.report.words import plural

FORK = (
    "This pull request comes from a fork. Planning needs credentials, and a fork's code gets none: "
    "somebody with write access can push it to a branch of this repository to have it planned."
)
MATRIX = "matrix"
MATRIX_ARTIFACT = "infra-matrix"


def refused_to_fork(app: App, event: Event, command: str) -> int:
    """A fork's pull request gets nothing, and is told so; that is no failure. Gives the exit code."""
    if not app.json:
        app.write(FORK)
        return 0
    nothing = Review(
        event.repository, event.pull_request or 0, "", "", event.head, "", "", "", (), (), notes=(FORK,)
    )
    return app.emit(command, **document(nothing))


def for_whom(event: Event | None, *, posts: bool) -> None:
    """Refuse to post where there is nobody to tell."""
    if posts and (event is None or not event.is_reviewed):
        what = f"The event {event.kind} has" if event else "There is"
        raise UsageError(
            f"{what} no pull request to tell.",
            advice="`--dry-run` prints what one would be told, `--report DIR` writes it to a file.",
        )


@contextmanager
def host_when_needed(app: App, event: Event | None) -> Iterator[Callable[[], Host] | None]:
    """What opens the host of a pull request or a merge group; None where there is none to ask.

    A merge group is always compared with what was approved, so its host is opened at once.
    """
    with ExitStack() as stack:
        opener = cache(lambda: stack.enter_context(open_host(app.environ)))
        if event is None or not event.is_reviewed:
            yield None
            return
        if event.kind == "merge_group":
            try:
                opener()
            except UsageError as error:
                app.note(f"Not compared with what was approved: {error.message} The apply will compare it.")
                yield None
                return
        yield opener


def report_written(app: App, folder: Path, report: PlanReport) -> int:
    """Leave a part for the job that comments; gives the exit code."""
    path = write_report(folder, report)
    code = exit_code(report.review)
    outputs = {**_outputs(report.review, code), "report": str(path)}
    set_outputs(app.environ, outputs)
    if app.json:
        return app.emit("ci plan", code, **document(report.review, report=str(path)))
    app.write(f"{plural(len(report.review.stacks), 'stack')} in {path}")
    for note in report.review.notes:
        app.note(note)
    return code


def told(
    app: App,
    scope: Scope,
    event: Event | None,
    reports: Gathered,
    *,
    dry: bool,
    command: str,
    expected: Collection[str] = (),
    sarif_file: str | None = None,
) -> int:
    """Tell the whole of some reports; gives the exit code."""
    outbox = Outbox()
    only = app.environ.get(ONE_STACK, "")
    folder = scope.project.repository.prefix.removesuffix("/")
    if dry or event is None:
        review = joined(scope, event, believed(scope, event, reports, only), expected, only)
        _keep_sarif(app, sarif_file, review, folder)
        return _shown(app, review, messages_of(review, folder), command)
    with open_host(app.environ) as host:
        event = commenting.completed(event, host)
        attesting = Attesting.of(scope, event, app.environ, attests=not only)
        found = believed(scope, event, reports, only, attesting.objects)
        review = joined(scope, event, found, expected, only, lambda: host)
        review = replace(review, notes=(*review.notes, *attesting.notes(review)))
        telling = commenting.Telling(
            review, attesting.plans, folder, lambda: attesting.attest(review), alone=bool(only)
        )
        messages, comment = commenting.tell(host, event, telling, outbox)
    _keep_sarif(app, sarif_file, review, folder)
    add_summary(app.environ, messages.summary + outbox.summary)
    code = exit_code(review) if command == "ci plan" else int(Exit.OK)
    code = code or (int(Exit.ERROR) if outbox.failures else code)
    set_outputs(app.environ, _outputs(review, exit_code(review)) | {"comment": comment})
    for failure in outbox.failures:
        app.note(f"error: GitHub could not be told: {failure}")
    if app.json:
        shown = document(review, comment=comment, messages=messages, not_told=outbox.failures)
        return app.emit(command, code, **shown)
    app.write(f"{plural(len(review.stacks), 'stack')}; comment: {comment}; checks: {_names(messages)}")
    return code


def _keep_sarif(app: App, name: str | None, review: Review, folder: str) -> None:
    if name:
        from orchestrator.cli.actions import write_report

        write_report(app, name, sarif(review, folder))


def begun(app: App, event: Event | None) -> int:
    """Mark what is there as outdated; gives the exit code."""
    if event is None or not event.is_reviewed:
        raise UsageError("There is no pull request to tell.", advice="--started is for a job of one.")
    outbox = Outbox()
    with open_host(app.environ) as host:
        comment = commenting.started(host, event, outbox)
    for failure in outbox.failures:
        app.note(f"error: GitHub could not be told: {failure}")
    add_summary(app.environ, outbox.summary)
    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        return app.emit("ci comment", code, run=None, stacks=[], comment=comment, not_told=outbox.failures)
    app.write(f"comment: {comment}")
    return code


def matrix_stacks(folders: Sequence[Path]) -> tuple[str, ...]:
    """The stacks that the matrix was made of, where its file is among the reports."""
    found: dict[str, None] = {}
    for path, artifact in artifacts_of(folders, MATRIX).items():
        # A job that plans could leave one too.
        if artifact.startswith(OURS) and artifact != MATRIX_ARTIFACT:
            continue
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("it is too large")
            found.update(dict.fromkeys(shards.stacks_in(json.loads(path.read_bytes()))))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path.name} is no matrix.", advice="`infra affected --matrix`.") from error
    return tuple(found)


def landings_told(
    app: App, event: Event | None, folders: Sequence[Path], environment: str = "", pending: str = ""
) -> int | None:
    """Tell what applies did, when the reports are of that; None when they are of plans.

    Jobs of a pull request tell of no applies: its code runs in them. Where there is no report, that
    `environment` was not applied is told; `pending` is the number of its pending stacks, as text.
    """
    from orchestrator.ci.landing.results import credible, not_applied, tell
    from orchestrator.cli.ci_applying import facts_of_job
    from orchestrator.report.landing_comment import landing_summary

    if event and event.is_reviewed:
        return None
    project = app.project()
    landings, foreign = credible(folders, project, event.commit if event else "")
    if environment and not (landings or foreign):
        if environment not in project.order.all:
            raise UsageError(
                f"There is no environment {environment}.", advice=f"There are {', '.join(project.order.all)}."
            )
        number = event.pull_request if event else None
        is_pending = pending.strip() != "0"
        landings = (
            not_applied(facts_of_job(app, project), environment, is_pending=is_pending, requested_by=number),
        )
    if not (landings or foreign):
        return None
    with open_host(app.environ) as host:
        outbox = tell(host, project, landings)
    outbox.failures += foreign
    add_summary(app.environ, "\n".join(map(landing_summary, landings)) + outbox.summary)
    for failure in outbox.failures:
        app.note(f"error: GitHub could not be told: {failure}")
    code = int(Exit.ERROR if outbox.failures else Exit.OK)
    if app.json:
        states = {one.environment: one.state for one in landings}
        told = {"environments": states, "not_told": outbox.failures}
        return app.emit("ci comment", code, run=None, stacks=[], **told)
    for one in landings:
        app.write(f"{one.environment}: {one.state}")
    return code


def _shown(app: App, review: Review, messages: Messages, command: str) -> int:
    """What would be posted, on standard output."""
    code = exit_code(review)
    if app.json:
        return app.emit(command, code, **document(review, messages=messages))
    app.write(messages.comment or "No comment: the pull request affects no stack.")
    for check in messages.checks:
        app.write(f"check {check.name} on {check.head[:10]}: {check.conclusion}: {check.title}")
        for note in check.annotations:
            app.write(f"  {note.path}:{note.line}: {note.level}: {note.message.splitlines()[0]}")
    for text in review.notes if messages.comment is None else ():
        app.note(text)
    return code


def _outputs(review: Review, code: int) -> dict[str, str]:
    """What later steps may want to know."""
    return {
        "changed": str(any(one.report.result == "changed" for one in review.stacks)).lower(),
        "affected": str(bool(review.stacks or review.unplanned)).lower(),
        "stacks": json.dumps([one.id for one in review.stacks]),
        "exit_code": str(code),
    }


def _names(messages: Messages) -> str:
    return ", ".join(f"{one.name} {one.conclusion}" for one in messages.checks) or "none"
