"""Telling a host: one comment that is kept up to date, checks, statuses; and what could not be told.

A failure here never fails what was done, and never passes for success: it is kept, and told elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from orchestrator.errors import HostError
from orchestrator.hosts.model import Comment, Conclusion, NewCheck, StatusState
from orchestrator.hosts.port import Host
from orchestrator.report import markers

T = TypeVar("T")

Told = Literal["created", "updated", "unchanged", "none"]

STATES: dict[Conclusion, StatusState] = {
    "success": "success",
    "neutral": "success",
    "skipped": "success",
    "failure": "failure",
    "timed_out": "error",
    "cancelled": "error",
    "action_required": "pending",
}
# A token of a person, or one without the right, cannot post checks; a status may still be possible.
NO_CHECKS = (401, 403, 404)


@dataclass
class Outbox:
    """Sends one thing after the other; the client asks again where that helps, the rest is kept here.

    `failures` are sentences, each with its advice.
    """

    failures: list[str] = field(default_factory=list)

    def send(self, what: str, action: Callable[[], T]) -> T | None:
        """Do it; None when the host said no."""
        try:
            return action()
        except HostError as error:
            self.failures.append(f"{what}: {error.message} {error.advice}".strip())
            return None

    @property
    def summary(self) -> str:
        """What could not be told, as Markdown for a step summary; empty when everything was."""
        if not self.failures:
            return ""
        from orchestrator.report import escape

        lines = "".join(f"- {escape.text(one)}\n" for one in self.failures)
        return f"\n> [!WARNING]\n> GitHub could not be told everything; what was done stands.\n\n{lines}"


def ours(host: Host, number: int, marker: str) -> list[Comment]:
    """The comments that we wrote and that begin with the marker, oldest first: others can copy a marker."""
    return [
        one
        for one in host.comments(number)
        if one.author == host.login and markers.is_marked(one.body, marker)
    ]


def sticky(host: Host, number: int, marker: str, body: str) -> Told:
    """Keep one comment with `marker` on a pull request or an issue up to date; an equal text is not sent.

    The body must begin with the marker. Of several (two jobs began at once) the oldest one stays. Raises
    HostError.
    """
    if not markers.is_marked(body, marker):
        raise ValueError("a comment that would not be found again")
    found = ours(host, number, marker)
    for extra in found[1:]:
        host.delete_comment(extra.id)
    if not found:
        host.create_comment(number, body)
        return "created"
    if same(found[0].body, body):
        return "unchanged"
    host.update_comment(found[0].id, body)
    return "updated"


def rewrite(host: Host, number: int, marker: str, change: Callable[[str], str]) -> Told:
    """Change the text of our comment with `marker`, if there is one. Raises HostError."""
    found = ours(host, number, marker)
    if not found:
        return "none"
    body = change(found[0].body)
    if same(found[0].body, body):
        return "unchanged"
    host.update_comment(found[0].id, body)
    return "updated"


def same(one: str, other: str) -> bool:
    """Whether two texts are equal but for line ends and space at the end, which GitHub changes."""
    return one.replace("\r\n", "\n").rstrip() == other.replace("\r\n", "\n").rstrip()


def post_checks(host: Host, checks: Iterable[NewCheck], outbox: Outbox) -> list[str]:
    """Post checks; where the token may not, set a commit status of the same name. Gives the names posted."""
    posted = []
    for check in checks:
        if outbox.send(f"The check {check.name}", lambda check=check: _check_or_status(host, check)):  # type: ignore[misc]
            posted.append(check.name)
    return posted


def _check_or_status(host: Host, check: NewCheck) -> str:
    try:
        host.create_check(check)
    except HostError as refused:
        if refused.status not in NO_CHECKS:
            raise
        try:
            host.set_status(
                check.head, check.name, STATES.get(check.conclusion, "failure"), check.title, check.url
            )
        except HostError as error:
            raise refused from error
    return check.name
