"""What a job of GitHub Actions runs for, from its environment and the event's file. All of it is hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from orchestrator.ci.requests import RolloutRequests, requests_in
from orchestrator.config.reason import reason
from orchestrator.errors import UsageError
from orchestrator.jsontext import items

Kind = Literal["pull_request", "merge_group", "push", "workflow_dispatch", "schedule", "issue_comment"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_QUEUED = re.compile(r"^refs/heads/gh-readonly-queue/(?P<base>.+)/pr-(?P<number>\d+)-[0-9a-f]{40}")
_COMMIT = re.compile(r"^[0-9a-f]{40}(?:[0-9a-f]{24})?")
# A branch of ours whose merge approves what an environment is owed: `approve/prod/0123abc`.
_APPROVE = re.compile(r"^approve/(?P<environment>.+)/[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Event:
    """What a job runs for. What the event does not tell is empty, `pull_request` None.

    `head` is the pull request's (or the merge group's) own last commit, `base` the commit of its target when
    the event was sent, `base_ref` and `head_ref` are branches. `commit` is GITHUB_SHA: for a pull request its
    merge with trunk. `run` is `RUN_ID-ATTEMPT`, the same in all jobs of one attempt; `url` leads to it.
    """

    kind: Kind
    repository: str
    pull_request: int | None
    head: str
    base: str
    base_ref: str
    commit: str
    is_fork: bool
    title: str
    author: str
    labels: tuple[str, ...]
    run: str
    url: str
    ref: str
    head_ref: str = ""
    action: str = ""

    @property
    def is_reviewed(self) -> bool:
        """Whether there is a head whose plans people look at: a pull request's or a merge group's."""
        return bool(self.head) and (self.pull_request is not None or self.kind == "merge_group")

    @property
    def approves(self) -> str:
        """The environment whose debts this pull request is there to approve; empty for any other one."""
        found = _APPROVE.fullmatch(self.head_ref)
        return found["environment"] if found and not self.is_fork else ""


def event_of(environ: Mapping[str, str]) -> Event | None:
    """The event of a job's environment; None outside GitHub Actions.

    Raises UsageError for an event that infra has nothing to do for, and for one whose file cannot be read.
    """
    kind = environ.get("GITHUB_EVENT_NAME", "")
    if not kind:
        return None
    if kind not in KINDS:
        raise UsageError(f"infra does nothing for the event {kind!r}.", advice=_advice(kind))
    payload = payload_of(environ)
    known = _Known(kind, environ, payload)
    match kind:
        case "pull_request":
            return known.event(**_of_pull_request(payload))
        case "merge_group":
            return known.event(**_of_merge_group(payload))
        case "workflow_dispatch":
            return known.event(**_of_dispatch(payload, environ))
        case "issue_comment":
            issue = _map(payload.get("issue"))
            return known.event(pull_request=_number(issue.get("number")) if "pull_request" in issue else None)
        case _:
            return known.event()


@dataclass(frozen=True)
class _Known:
    """What every event has."""

    kind: Kind
    environ: Mapping[str, str]
    payload: Mapping[str, Any]

    def event(self, **found: Any) -> Event:
        environ = self.environ
        repository = environ.get("GITHUB_REPOSITORY", "")
        number, attempt = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "1")
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        plain: dict[str, Any] = {
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
            **(plain | found),
        )


def skip_reason(environ: Mapping[str, str], environment: str) -> str:
    """Why a workflow that was started by hand shall pass an environment without its checks; else empty.

    UsageError for a text that says nothing.
    """
    text = _text(_inputs_for(environ, environment).get("skip_checks")).strip()
    if not text:
        return ""
    try:
        return reason(text)
    except ValueError as error:
        raise UsageError(
            f"The input skip_checks {error}.", advice="Start the workflow again with a reason."
        ) from error


def rollout_requests(environ: Mapping[str, str], environment: str) -> RolloutRequests:
    """What a workflow that was started by hand asks of the rollout of an environment.

    UsageError for an input that cannot be read.
    """
    inputs = _inputs_for(environ, environment)
    resume, forget, over = (_text(inputs.get(name)).strip() for name in ("resume", "forget", "supersede"))
    return requests_in(resume, forget, over)


def _inputs_for(environ: Mapping[str, str], environment: str) -> Mapping[str, Any]:
    """The inputs of a workflow that was started by hand for an environment; none for any other event."""
    if environ.get("GITHUB_EVENT_NAME") != "workflow_dispatch":
        return {}
    inputs = _map(payload_of(environ).get("inputs"))
    return inputs if _text(inputs.get("environment")) == environment else {}


def payload_of(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The event's file; UsageError when it cannot be read."""
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
    found = _map(payload.get("pull_request"))
    head, base = _map(found.get("head")), _map(found.get("base"))
    ours = _map(base.get("repo")).get("full_name")
    return {
        "pull_request": _number(found.get("number")),
        "head": _commit(head.get("sha")),
        "head_ref": _text(head.get("ref")),
        "base": _commit(base.get("sha")),
        "base_ref": _text(base.get("ref")),
        # A head whose repository is gone was a fork's too.
        "is_fork": _map(head.get("repo")).get("full_name") != ours,
        "title": _text(found.get("title")),
        "author": _text(_map(found.get("user")).get("login")),
        "labels": tuple(sorted(_text(_map(one).get("name")) for one in items(found.get("labels")))),
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
    """A plan that was asked for in a comment names its pull request and the head that was read then.

    Trunk is what infra's own workflow says, else the default branch: the payload names no target.
    """
    inputs = _map(payload.get("inputs"))
    default = _text(_map(payload.get("repository")).get("default_branch"))
    return {
        "base_ref": environ.get("INFRA_TRUNK") or default,
        "pull_request": _number(inputs.get("pull_request") or environ.get("INFRA_PULL_REQUEST")),
        "head": _commit(inputs.get("head") or environ.get("INFRA_HEAD")),
    }


def _advice(kind: str) -> str:
    if kind == "pull_request_target":
        return "It runs a fork's pull request with the repository's rights: use `pull_request`."
    return f"It works for {', '.join(KINDS)}."


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A string that can be written anywhere: half a character, which JSON can name, is replaced."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _commit(value: Any) -> str:
    """A commit's id; what is none could be an option to git, or a path."""
    text = _text(value)
    return text if _COMMIT.fullmatch(text) else ""


def _number(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None
