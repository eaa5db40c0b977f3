"""What `infra ci plan` and `infra ci comment` share: publishing the review of a plan."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.cli.app import App
from orchestrator.errors import Exit, GitError, UsageError
from orchestrator.forge.event import Event
from orchestrator.forge.factory import add_summary, open_forge, set_outputs
from orchestrator.forge.outbox import Outbox
from orchestrator.masking import Masker
from orchestrator.report.review import PlanReview
from orchestrator.report.words import plural
from orchestrator.review.hook_reports import read_hook_reports, validate_hook_reports
from orchestrator.review.plan_reports import CollectedReports
from orchestrator.review.pull_request import publish as commenting
from orchestrator.review.pull_request.assemble import join_reports
from orchestrator.review.pull_request.documents import build_document, render_sarif
from orchestrator.review.pull_request.messages import ReviewMessages, render_messages
from orchestrator.review.pull_request.plan_attestation import PlanAttestation
from orchestrator.review.pull_request.plan_job import ONE_STACK, exit_code
from orchestrator.review.pull_request.report_validation import validate_reports
from orchestrator.review.pull_request.scope import ChangeScope


@dataclass(frozen=True)
class ReviewFiles:
    """The files that a review is written to, as options name them; None for none."""

    sarif: str | None = None
    markdown: str | None = None
    document: str | None = None


NO_COMMENT = "No comment: the pull request affects no stack."
FORK = (
    "This pull request comes from a fork. Planning needs credentials, and a fork's code gets none: "
    "somebody with write access can push it to a branch of this repository to have it planned."
)
OTHER_TARGET = "#{} is to be merged into {}, not into {}, and is not planned: the rules are those of trunk."


def explain_unplanned(app: App, event: Event | None) -> str:
    """Why the pull request of an event is not planned; empty where it is, or there is none.

    Rules and accounts are those of trunk, which the workflow names in INFRA_TRUNK.
    """
    if event is None:
        return ""
    if event.is_fork:
        return FORK
    if event.kind != "pull_request":
        return ""
    try:
        trunk = app.environ.get("INFRA_TRUNK") or app.project(for_guard=True).trunk_branch
    except GitError:
        return ""
    return "" if event.base_ref == trunk else OTHER_TARGET.format(event.pull_request, event.base_ref, trunk)


def reject_unplanned(app: App, event: Event, reason: str, command: str) -> int:
    """Prints why a pull request is not planned; returns exit code 0."""
    if not app.json:
        app.write(reason)
        return 0
    nothing = PlanReview(
        event.repository, event.pull_request or 0, "", "", event.head, "", "", "", (), (), notes=(reason,)
    )
    return app.emit(command, **build_document(nothing))


def require_pull_request(event: Event | None, *, posts: bool) -> None:
    """Raises UsageError where a review is to be posted and the event has no pull request."""
    if posts and (event is None or not event.is_reviewed):
        what = f"The event {event.kind} has" if event else "There is"
        raise UsageError(
            f"{what} no pull request to comment on.",
            advice="`--dry-run` prints the comment, `--markdown FILE` writes it, `--report DIR` a report.",
        )


def publish_review(
    app: App,
    scope: ChangeScope,
    event: Event | None,
    reports: CollectedReports,
    *,
    dry: bool,
    command: str,
    expected: Collection[str] = (),
    files: ReviewFiles,
    hook_folders: Collection[Path] = (),
) -> int:
    """Joins the reports and publishes the review, or prints it with `dry`; returns the exit code.

    `hook_folders` are where the files of report hooks are; without any, no report is expected.
    """
    outbox = Outbox()
    only = app.environ.get(ONE_STACK, "")
    folder = scope.project.repository.prefix.removesuffix("/")
    if dry or event is None:
        review = join_reports(scope, event, validate_reports(scope, event, reports, only), expected, only)
        review = _with_hook_reports(scope, event, review, hook_folders)
        messages = render_messages(review, folder)
        _write_files(app, files, review, folder, messages, command)
        return _print_preview(app, review, messages, command)
    with open_forge(app.environ) as forge:
        event = commenting.complete_event(event, forge)
        attestation = PlanAttestation.of(scope, event, app.environ, attests=not only)
        validated_reports = validate_reports(scope, event, reports, only, attestation.objects)
        review = join_reports(scope, event, validated_reports, expected, only, lambda: forge)
        review = replace(review, notes=(*review.notes, *attestation.notes(review)))
        review = _with_hook_reports(scope, event, review, () if only else hook_folders)
        publication = commenting.ReviewPublication(
            review, attestation.plans, folder, lambda: attestation.attest(review), alone=bool(only)
        )
        messages, comment = commenting.publish_review(forge, event, publication, outbox)
    _write_files(app, files, review, folder, messages, command)
    add_summary(app.environ, messages.summary + outbox.summary)
    code = exit_code(review) if command == "ci plan" else int(Exit.OK)
    code = code or (int(Exit.ERROR) if outbox.failures else code)
    set_outputs(app.environ, review_outputs(review, exit_code(review)) | {"comment": comment})
    for failure in outbox.failures:
        app.note(f"error: GitHub could not be updated: {failure}")
    if app.json:
        content = build_document(review, comment=comment, messages=messages, unpublished=outbox.failures)
        return app.emit(command, code, **content)
    app.write(f"{plural(len(review.stacks), 'stack')}; comment: {comment}; checks: {_check_names(messages)}")
    return code


def _with_hook_reports(
    scope: ChangeScope, event: Event | None, review: PlanReview, folders: Collection[Path]
) -> PlanReview:
    """The review with what report hooks wrote. They belong to a pull request, not to a merge group."""
    if not folders or (event and event.kind == "merge_group"):
        return review
    files, unread = read_hook_reports(folders)
    masker = Masker(scope.rules.masking)
    reports, rejected = validate_hook_reports(scope, event, files, masker.mask_text)
    return replace(review, reports=reports, notes=(*review.notes, *unread, *rejected))


def _write_files(
    app: App, files: ReviewFiles, review: PlanReview, folder: str, messages: ReviewMessages, command: str
) -> None:
    """Writes the review to the files that options name."""
    from orchestrator.cli.support.reports import write_file

    if files.sarif:
        write_file(app, files.sarif, render_sarif(review, folder))
    if files.markdown:
        write_file(app, files.markdown, f"{messages.comment or NO_COMMENT}\n")
    if files.document:
        document = build_document(review, messages=messages)
        write_file(app, files.document, app.render_document(command, exit_code(review), **document) + "\n")


def _print_preview(app: App, review: PlanReview, messages: ReviewMessages, command: str) -> int:
    """Prints what would be posted; returns the exit code."""
    code = exit_code(review)
    if app.json:
        return app.emit(command, code, **build_document(review, messages=messages))
    app.write(messages.comment or NO_COMMENT)
    for check in messages.checks:
        app.write(f"check {check.name} on {check.head[:10]}: {check.conclusion}: {check.title}")
        for note in check.annotations:
            app.write(f"  {note.path}:{note.line}: {note.level}: {note.message.splitlines()[0]}")
    for text in review.notes if messages.comment is None else ():
        app.note(text)
    return code


def review_outputs(review: PlanReview, code: int) -> dict[str, str]:
    """The outputs of the job's step."""
    return {
        "changed": str(any(stack.report.result == "changed" for stack in review.stacks)).lower(),
        "affected": str(bool(review.stacks or review.unplanned)).lower(),
        "stacks": json.dumps([stack.id for stack in review.stacks]),
        "exit_code": str(code),
    }


def _check_names(messages: ReviewMessages) -> str:
    return ", ".join(f"{check.name} {check.conclusion}" for check in messages.checks) or "none"
