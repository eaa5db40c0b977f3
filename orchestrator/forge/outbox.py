"""Publishes comments, checks and statuses, and collects failures.

A failure to publish never fails the run, and is never hidden: it is collected and reported elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from orchestrator.errors import ForgeError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import Comment, Conclusion, NewCheck, StatusState
from orchestrator.report import markers

T = TypeVar("T")

CommentChange = Literal["created", "updated", "unchanged", "none"]

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
_NO_CHECKS = (401, 403, 404)


@dataclass
class Outbox:
    """Publishes one thing after the other and collects failures; the client retries.

    `failures` are sentences, each with its advice. `unsent` are those about messages to chats and webhooks:
    they are reported, and never fail a job.
    """

    failures: list[str] = field(default_factory=list)
    unsent: list[str] = field(default_factory=list)

    def send(self, what: str, action: Callable[[], T]) -> T | None:
        """Runs an action; returns None if the forge refuses."""
        try:
            return action()
        except ForgeError as error:
            self.failures.append(f"{what}: {error.message} {error.advice}".strip())
            return None

    @property
    def summary(self) -> str:
        """The failures as Markdown for a step summary; empty if there are none."""
        parts = (
            ("GitHub could not be told everything; what was done stands.", self.failures),
            ("Some notifications were not sent. This fails no job.", self.unsent),
        )
        return "".join(_render_warning(sentence, lines) for sentence, lines in parts if lines)


def _render_warning(sentence: str, lines: Iterable[str]) -> str:
    from orchestrator.report import escape

    items = "".join(f"- {escape.text(line)}\n" for line in lines)
    return f"\n> [!WARNING]\n> {sentence}\n\n{items}"


def find_own_comments(forge: Forge, number: int, marker: str) -> list[Comment]:
    """Our comments that begin with a marker, oldest first: others can copy a marker."""
    return [
        comment
        for comment in forge.comments(number)
        if comment.author == forge.login and markers.is_marked(comment.body, marker)
    ]


def publish_comment(forge: Forge, number: int, marker: str, body: str) -> CommentChange:
    """Creates or updates the one comment with `marker`; an equal text is not sent.

    The body must begin with the marker. Of several comments (two jobs ran at once) the oldest one stays.
    Raises ForgeError.
    """
    if not markers.is_marked(body, marker):
        raise ValueError("a comment that would not be found again")
    comments = find_own_comments(forge, number, marker)
    for extra in comments[1:]:
        forge.delete_comment(extra.id)
    if not comments:
        forge.create_comment(number, body)
        return "created"
    if is_same_text(comments[0].body, body):
        return "unchanged"
    forge.update_comment(comments[0].id, body)
    return "updated"


def rewrite_comment(forge: Forge, number: int, marker: str, change: Callable[[str], str]) -> CommentChange:
    """Changes the text of our comment with `marker`, if there is one. Raises ForgeError."""
    comments = find_own_comments(forge, number, marker)
    if not comments:
        return "none"
    body = change(comments[0].body)
    if is_same_text(comments[0].body, body):
        return "unchanged"
    forge.update_comment(comments[0].id, body)
    return "updated"


def is_same_text(first: str, second: str) -> bool:
    """Whether two texts are equal except for line ends and trailing space, which GitHub changes."""
    return first.replace("\r\n", "\n").rstrip() == second.replace("\r\n", "\n").rstrip()


def post_checks(forge: Forge, checks: Iterable[NewCheck], outbox: Outbox) -> list[str]:
    """Posts checks, or a commit status of the same name if the token may not. Returns the names posted."""
    posted = []
    for check in checks:
        if outbox.send(f"The check {check.name}", lambda check=check: _check_or_status(forge, check)):  # type: ignore[misc]
            posted.append(check.name)
    return posted


def _check_or_status(forge: Forge, check: NewCheck) -> str:
    try:
        forge.create_check(check)
    except ForgeError as refused:
        if refused.status not in _NO_CHECKS:
            raise
        try:
            forge.set_status(
                check.head, check.name, STATES.get(check.conclusion, "failure"), check.title, check.url
            )
        except ForgeError as error:
            raise refused from error
    return check.name
