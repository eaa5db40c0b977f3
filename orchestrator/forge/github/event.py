"""Reads the event of a GitHub Actions job from its environment and event file. All of it is untrusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config.reason import clean_reason
from orchestrator.engine.rollout_requests import RolloutRequests, parse_requests
from orchestrator.errors import UsageError
from orchestrator.forge.event import KINDS, Event, EventComment, Kind
from orchestrator.jsontext import items

_QUEUED = re.compile(r"^refs/heads/gh-readonly-queue/(?P<base>.+)/pr-(?P<number>\d+)-[0-9a-f]{40}")
_COMMIT = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?")


def read_event(environ: Mapping[str, str]) -> Event | None:
    """Reads the event of a job; None outside GitHub Actions.

    Raises UsageError for an event kind that infra does not support, and for an unreadable event file.
    """
    kind = environ.get("GITHUB_EVENT_NAME", "")
    if not kind:
        return None
    if kind not in KINDS:
        raise UsageError(f"infra does nothing for the event {kind!r}.", advice=_advice(kind))
    payload = _read_payload(environ)
    reader = _EventReader(kind, environ, payload)
    match kind:
        case "pull_request":
            return reader.event(**_of_pull_request(payload))
        case "merge_group":
            return reader.event(**_of_merge_group(payload))
        case "workflow_dispatch":
            return reader.event(**_of_dispatch(payload, environ))
        case "issue_comment":
            return reader.event(**_of_comment(payload))
        case _:
            return reader.event()


@dataclass(frozen=True)
class _EventReader:
    """Builds events from the fields that every event has."""

    kind: Kind
    environ: Mapping[str, str]
    payload: Mapping[str, Any]

    def event(self, **fields: Any) -> Event:
        environ = self.environ
        repository = environ.get("GITHUB_REPOSITORY", "")
        number, attempt = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "1")
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        defaults: dict[str, Any] = {
            "pull_request": None,
            "head": "",
            "base": "",
            "base_ref": environ.get("GITHUB_BASE_REF", ""),
            "is_fork": False,
            "title": "",
            "author": environ.get("GITHUB_ACTOR", ""),
            "labels": (),
            "head_ref": environ.get("GITHUB_HEAD_REF", ""),
        }
        return Event(
            kind=self.kind,
            repository=repository,
            commit=_commit(environ.get("GITHUB_SHA")),
            run=f"{number}-{attempt}" if number else "",
            url=f"{server}/{repository}/actions/runs/{number}" if number else "",
            ref=environ.get("GITHUB_REF", ""),
            action=_text(self.payload.get("action")),
            **(defaults | fields),
        )


def read_skip_reason(environ: Mapping[str, str], environment: str) -> str:
    """Reads the reason for skipping an environment's checks from a manual run's inputs; empty if none.

    Raises UsageError for a blank or invalid reason.
    """
    text = _text(_inputs_for(environ, environment).get("skip_checks")).strip()
    if not text:
        return ""
    try:
        return clean_reason(text)
    except ValueError as error:
        raise UsageError(
            f"The input skip_checks {error}.", advice="Start the workflow again with a reason."
        ) from error


def read_rollout_requests(environ: Mapping[str, str], environment: str) -> RolloutRequests:
    """Reads the requests for an environment's rollout from a manual run's inputs.

    Raises UsageError for an invalid input.
    """
    inputs = _inputs_for(environ, environment)
    resume, forget, over = (_text(inputs.get(name)).strip() for name in ("resume", "forget", "supersede"))
    return parse_requests(resume, forget, over)


def _inputs_for(environ: Mapping[str, str], environment: str) -> Mapping[str, Any]:
    """The inputs of a manual run for an environment; empty for any other event."""
    if environ.get("GITHUB_EVENT_NAME") != "workflow_dispatch":
        return {}
    inputs = _map(_read_payload(environ).get("inputs"))
    return inputs if _text(inputs.get("environment")) == environment else {}


def _read_payload(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Reads the event file. Raises UsageError if it cannot be read."""
    path = environ.get("GITHUB_EVENT_PATH", "")
    try:
        # Not `read_json`: half a character in a title is replaced, not refused.
        return _map(json.loads(Path(path).read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"The event's file cannot be read: {path or 'GITHUB_EVENT_PATH is not set'}.",
            advice="In GitHub Actions it is always there; elsewhere leave GITHUB_EVENT_NAME unset.",
        ) from error


def _of_pull_request(payload: Mapping[str, Any]) -> dict[str, Any]:
    pull_request = _map(payload.get("pull_request"))
    head, base = _map(pull_request.get("head")), _map(pull_request.get("base"))
    full_name = _map(base.get("repo")).get("full_name")
    return {
        "pull_request": _number(pull_request.get("number")),
        "head": _commit(head.get("sha")),
        "head_ref": _text(head.get("ref")),
        "base": _commit(base.get("sha")),
        "base_ref": _text(base.get("ref")),
        # A head whose repository is gone was a fork's too.
        "is_fork": _map(head.get("repo")).get("full_name") != full_name,
        "title": _text(pull_request.get("title")),
        "author": _text(_map(pull_request.get("user")).get("login")),
        "labels": tuple(sorted(_text(_map(item).get("name")) for item in items(pull_request.get("labels")))),
    }


def _of_merge_group(payload: Mapping[str, Any]) -> dict[str, Any]:
    group = _map(payload.get("merge_group"))
    queued = _QUEUED.fullmatch(_text(group.get("head_ref")))
    return {
        "pull_request": int(queued["number"]) if queued else None,
        "head": _commit(group.get("head_sha")),
        "head_ref": _text(group.get("head_ref")).removeprefix("refs/heads/"),
        "base": _commit(group.get("base_sha")),
        "base_ref": _text(group.get("base_ref")).removeprefix("refs/heads/"),
    }


def _of_dispatch(payload: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """A plan requested in a comment names its pull request and the head at that time.

    The base branch comes from INFRA_TRUNK, else it is the default branch: the payload names no target.
    """
    inputs = _map(payload.get("inputs"))
    default = _text(_map(payload.get("repository")).get("default_branch"))
    return {
        "base_ref": environ.get("INFRA_TRUNK") or default,
        "pull_request": _number(inputs.get("pull_request") or environ.get("INFRA_PULL_REQUEST")),
        "head": _commit(inputs.get("head") or environ.get("INFRA_HEAD")),
    }


def _of_comment(payload: Mapping[str, Any]) -> dict[str, Any]:
    issue, comment = _map(payload.get("issue")), _map(payload.get("comment"))
    id_, user = comment.get("id"), _map(comment.get("user"))
    return {
        "pull_request": _number(issue.get("number")) if "pull_request" in issue else None,
        "comment": EventComment(
            id_, _text(user.get("login")), _text(comment.get("body")), user.get("type") == "Bot"
        )
        if isinstance(id_, int)
        else None,
    }


def _advice(kind: str) -> str:
    if kind == "pull_request_target":
        return "It runs a fork's pull request with the repository's rights: use `pull_request`."
    return f"It works for {', '.join(KINDS)}."


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A valid Unicode string: lone surrogates, which JSON can contain, are replaced."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _commit(value: Any) -> str:
    """A commit id, or empty: other text could be an option to git, or a path."""
    text = _text(value)
    return text if _COMMIT.fullmatch(text) else ""


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None
