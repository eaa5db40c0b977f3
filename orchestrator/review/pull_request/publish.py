"""Publishes the plans of a pull request's newest head: comment, attestation and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.errors import UsageError
from orchestrator.forge.event import Event
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.forge.outbox import (
    CommentChange,
    Outbox,
    find_own_comments,
    post_checks,
    publish_comment,
    rewrite_comment,
)
from orchestrator.report import markers, plan_comment
from orchestrator.report.review import PlanReview
from orchestrator.review.attestation import AttestationOutcome
from orchestrator.review.pull_request import renewed_review as again
from orchestrator.review.pull_request.messages import ReviewMessages, mark_unapprovable, render_messages

_CommentOutcome = Literal["created", "updated", "unchanged", "none", "outdated", "failed"]


@dataclass(frozen=True)
class ReviewPublication:
    """A review to be shown: `plans` maps stacks to a hash of what their plan objects do, `folder` is the
    project's path in the repository. It is `alone` when somebody requested one stack. `attest` attests the
    plans once they are shown."""

    review: PlanReview
    plans: Mapping[str, str]
    folder: str
    attest: Callable[[], AttestationOutcome]
    alone: bool = False


def complete_event(event: Event, forge: Forge) -> Event:
    """Adds what the forge knows of the pull request to the event of a manual run.

    Raises ForgeError, and UsageError if the pull request is from a fork, is not open, or does not go from the
    run's branch at this head to trunk.
    """
    number = event.pull_request
    if number is None or event.kind != "workflow_dispatch":
        return event
    pull_request = forge.pull_request(number)
    problem = _not_plannable(event, pull_request)
    if problem:
        raise UsageError(
            f"#{number} is not planned: {problem}.",
            advice="Comment `/infra plan` on an open pull request of this repository.",
        )
    return replace(
        event,
        title=pull_request.title,
        author=pull_request.author,
        labels=pull_request.labels,
        head_ref=event.head_ref or pull_request.head_ref,
        base_ref=event.base_ref or pull_request.base_ref,
    )


def _not_plannable(event: Event, pull_request: PullRequest) -> str:
    """Why a manual run may not plan a pull request, as a clause; empty if it may."""
    if pull_request.head_repository.lower() != event.repository.lower():
        return "it comes from a fork, whose code is not planned with this repository's rights"
    if pull_request.state != "open":
        return "it is not open"
    if pull_request.base_ref != event.base_ref:
        return f"it is to be merged into {pull_request.base_ref}, not into {event.base_ref}"
    if event.ref != f"refs/heads/{pull_request.head_ref}":
        return f"this run is not on its branch {pull_request.head_ref}"
    return "" if pull_request.head == event.head else f"its head is {pull_request.head[:10]} by now"


def publish_review(
    forge: Forge, event: Event, publication: ReviewPublication, outbox: Outbox
) -> tuple[ReviewMessages, _CommentOutcome]:
    """Updates the comment, attests what it shows, posts the checks; failures are in the outbox.

    Plans that could not be shown, or of an older head, are not attested.
    """
    number = event.pull_request
    if number is None or event.kind == "merge_group":
        messages = render_messages(publication.review, publication.folder, alone=publication.alone)
        post_checks(forge, messages.checks, outbox)
        return messages, "none"
    comment_name = f"The comment on #{number}"
    pull_request = outbox.send(f"Pull request #{number}", lambda: forge.pull_request(number))
    review_messages = (
        outbox.send(comment_name, lambda: _messages(forge, pull_request, publication))
        if pull_request
        else None
    )
    messages = review_messages or render_messages(
        publication.review, publication.folder, alone=publication.alone
    )
    comment: _CommentOutcome = "failed"
    if pull_request is not None and pull_request.head != event.head:
        # A run that was overtaken by a push says nothing: the newer head's run will.
        comment = "outdated"
    elif review_messages is not None:
        comment = outbox.send(comment_name, lambda: _keep(forge, number, review_messages)) or "failed"
    if comment not in ("failed", "outdated"):
        outcome = publication.attest()
        outbox.failures += [f"Nothing can be approved in {why}" for why in outcome.failures]
        messages = mark_unapprovable(messages, outcome.reasons)
    post_checks(forge, messages.checks, outbox)
    return messages, comment


def _messages(forge: Forge, pull_request: PullRequest, publication: ReviewPublication) -> ReviewMessages:
    """Renders the texts, with the record of earlier plans of this head from the comment."""
    if publication.alone:
        return render_messages(publication.review, publication.folder, alone=True)
    before = find_own_comments(forge, pull_request.number, markers.PLAN)
    plans = again.hash_plans(publication.review, publication.plans)
    approved = again.find_approval_time(forge, pull_request) if plans else ""
    reviewed_plans = again.update_reviewed_plans(
        before[0].body if before else "", publication.review.head, plans, approved
    )
    renewed = again.find_renewed(reviewed_plans, approved)
    return render_messages(
        publication.review, publication.folder, again=renewed, remembered=again.render_line(reviewed_plans)
    )


def _keep(forge: Forge, number: int, messages: ReviewMessages) -> _CommentOutcome:
    if messages.comment is not None:
        return publish_comment(forge, number, messages.marker, messages.comment)
    if not find_own_comments(forge, number, messages.marker):
        return "none"
    return publish_comment(forge, number, messages.marker, messages.nothing)


def mark_outdated(forge: Forge, event: Event, outbox: Outbox) -> CommentChange:
    """Marks the comment of an earlier head as outdated when a newer one is planned."""
    event = complete_event(event, forge)
    number = event.pull_request
    if number is None or not event.head or event.kind == "merge_group":
        return "none"

    def change(body: str) -> str:
        same = markers.parse_head(body) == event.head
        return body if same else plan_comment.mark_outdated(body, event.head)

    def action() -> CommentChange:
        return rewrite_comment(forge, number, markers.PLAN, change)

    return outbox.send(f"The comment on #{number}", action) or "none"
