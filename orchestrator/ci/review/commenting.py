"""Telling a pull request what its plans are; only the newest head's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.ci.event import Event
from orchestrator.ci.posting import Outbox, Told, ours, post_checks, rewrite, sticky
from orchestrator.ci.review import again
from orchestrator.ci.review.messages import Messages, messages_of, refused
from orchestrator.errors import UsageError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.report import markers, pull_request
from orchestrator.report.review import Review
from orchestrator.review.attesting import Outcome

Comment = Literal["created", "updated", "unchanged", "none", "outdated", "failed"]


@dataclass(frozen=True)
class Telling:
    """A review to be shown: `plans` maps stacks to a hash of what their plan objects do, `folder` is the
    project's path in the repository. It is `alone` when somebody asked for one stack. `attest` attests the
    plans once they are shown."""

    review: Review
    plans: Mapping[str, str]
    folder: str
    attest: Callable[[], Outcome]
    alone: bool = False


def completed(event: Event, host: Host) -> Event:
    """An event with what the host knows of its pull request, where the event itself does not tell.

    That is a run that was started by hand. Raises HostError, and UsageError when the pull request is of a
    fork, is not open, or does not go from the run's branch at this head to trunk.
    """
    number = event.pull_request
    if number is None or event.kind != "workflow_dispatch":
        return event
    found = host.pull_request(number)
    problem = _not_plannable(event, found)
    if problem:
        raise UsageError(
            f"#{number} is not planned: {problem}.",
            advice="Comment `/infra plan` on an open pull request of this repository.",
        )
    return replace(
        event,
        title=found.title,
        author=found.author,
        labels=found.labels,
        head_ref=event.head_ref or found.head_ref,
        base_ref=event.base_ref or found.base_ref,
    )


def _not_plannable(event: Event, found: PullRequest) -> str:
    """Why a run that was started by hand may not plan a pull request, as a clause; empty when it may."""
    if found.head_repository.lower() != event.repository.lower():
        return "it comes from a fork, whose code is not planned with this repository's rights"
    if found.state != "open":
        return "it is not open"
    if found.base_ref != event.base_ref:
        return f"it is to be merged into {found.base_ref}, not into {event.base_ref}"
    if event.ref != f"refs/heads/{found.head_ref}":
        return f"this run is not on its branch {found.head_ref}"
    return "" if found.head == event.head else f"its head is {found.head[:10]} by now"


def tell(host: Host, event: Event, telling: Telling, outbox: Outbox) -> tuple[Messages, Comment]:
    """Keep the comment up to date, attest what it shows, post the checks; failures are in the outbox.

    What could not be shown, or is of an older head, is not attested.
    """
    number = event.pull_request
    if number is None or event.kind == "merge_group":
        messages = messages_of(telling.review, telling.folder, alone=telling.alone)
        post_checks(host, messages.checks, outbox)
        return messages, "none"
    what = f"The comment on #{number}"
    found = outbox.send(f"Pull request #{number}", lambda: host.pull_request(number))
    made = outbox.send(what, lambda: _messages(host, found, telling)) if found else None
    messages = made or messages_of(telling.review, telling.folder, alone=telling.alone)
    comment: Comment = "failed"
    if found is not None and found.head != event.head:
        # A run that was overtaken by a push says nothing: the newer head's run will.
        comment = "outdated"
    elif made is not None:
        comment = outbox.send(what, lambda: _keep(host, number, made)) or "failed"
    if comment not in ("failed", "outdated"):
        outcome = telling.attest()
        outbox.failures += [f"Nothing can be approved in {why}" for why in outcome.failures]
        messages = refused(messages, outcome.reasons)
    post_checks(host, messages.checks, outbox)
    return messages, comment


def _messages(host: Host, found: PullRequest, telling: Telling) -> Messages:
    """The texts, with what the comment remembers of earlier plans of this head."""
    if telling.alone:
        return messages_of(telling.review, telling.folder, alone=True)
    before = ours(host, found.number, markers.PLAN)
    plans = again.plans_of(telling.review, telling.plans)
    approved = again.approved_at(host, found) if plans else ""
    known = again.told(before[0].body if before else "", telling.review.head, plans, approved)
    names = again.to_review_again(known, approved)
    return messages_of(telling.review, telling.folder, again=names, remembered=again.line(known))


def _keep(host: Host, number: int, messages: Messages) -> Comment:
    if messages.comment is not None:
        return sticky(host, number, messages.marker, messages.comment)
    if not ours(host, number, messages.marker):
        return "none"
    return sticky(host, number, messages.marker, messages.nothing)


def started(host: Host, event: Event, outbox: Outbox) -> Told:
    """Mark the plan of an earlier head as outdated, when a newer one is begun."""
    event = completed(event, host)
    number = event.pull_request
    if number is None or not event.head or event.kind == "merge_group":
        return "none"

    def change(body: str) -> str:
        same = markers.head_of(body) == event.head
        return body if same else pull_request.outdated(body, event.head)

    def action() -> Told:
        return rewrite(host, number, markers.PLAN, change)

    return outbox.send(f"The comment on #{number}", action) or "none"
