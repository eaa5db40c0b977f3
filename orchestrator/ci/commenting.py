"""Telling a pull request what its plans are; only the newest head's."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from orchestrator.ci.event import Event
from orchestrator.ci.messages import Messages
from orchestrator.ci.posting import Outbox, Told, ours, post_checks, rewrite, sticky
from orchestrator.hosts.port import Host
from orchestrator.report import markers, pull_request

Comment = Literal["created", "updated", "unchanged", "none", "outdated", "failed"]


def completed(event: Event, host: Host, outbox: Outbox) -> Event:
    """An event with what the host knows of its pull request, where the event itself does not tell."""
    number = event.pull_request
    if number is None or event.title:
        return event
    found = outbox.send(f"Pull request #{number}", lambda: host.pull_request(number))
    if found is None:
        return event
    return replace(
        event,
        title=found.title,
        author=found.author,
        labels=found.labels,
        head_ref=event.head_ref or found.head_ref,
        base_ref=event.base_ref or found.base_ref,
        is_fork=event.is_fork or found.head_repository != host.repository,
    )


def tell(host: Host, event: Event, messages: Messages, outbox: Outbox) -> Comment:
    """Post the checks and keep the comment up to date; what could not be told is in the outbox."""
    post_checks(host, messages.checks, outbox)
    number = event.pull_request
    if number is None or event.kind == "merge_group":
        return "none"
    told = outbox.send(f"The comment on #{number}", lambda: _comment(host, number, event.head, messages))
    return told or "failed"


def _comment(host: Host, number: int, head: str, messages: Messages) -> Comment:
    """A run that was overtaken by a push says nothing: the newer head's run will."""
    if host.pull_request(number).head != head:
        return "outdated"
    if messages.comment is not None:
        return sticky(host, number, messages.marker, messages.comment)
    if not ours(host, number, messages.marker):
        return "none"
    return sticky(host, number, messages.marker, messages.nothing)


def started(host: Host, event: Event, outbox: Outbox) -> Told:
    """Mark the plan of an earlier head as outdated, when a newer one is begun."""
    number = event.pull_request
    if number is None or not event.head or event.kind == "merge_group":
        return "none"

    def change(body: str) -> str:
        same = markers.head_of(body) == event.head
        return body if same else pull_request.outdated(body, event.head)

    def action() -> Told:
        return rewrite(host, number, markers.PLAN, change)

    return outbox.send(f"The comment on #{number}", action) or "none"
