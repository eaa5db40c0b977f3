"""Events as GitHub Actions gives them to a job: the payload, and the variables beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox.github.errors import not_found
from orchestrator.sandbox.github.issue_shapes import IssueShapes
from orchestrator.sandbox.github.repository import RepositoryService
from orchestrator.sandbox.github.shapes import ApiDocuments, Document

KINDS = (
    "pull_request",
    "pull_request_target",
    "issue_comment",
    "push",
    "merge_group",
    "workflow_dispatch",
    "schedule",
)


def event_variables(service: RepositoryService, kind: str, number: int = 0) -> dict[str, str]:
    """The variables that tell a job what it runs for."""
    if kind in ("pull_request", "pull_request_target"):
        pull = service.pull(number).pull
        assert pull  # noqa: S101 - `service.pull` looked
        sides = {"GITHUB_HEAD_REF": pull.head_ref, "GITHUB_BASE_REF": pull.base_ref}
        if kind == "pull_request":
            return {"GITHUB_SHA": pull.merge_commit, "GITHUB_REF": f"refs/pull/{number}/merge", **sides}
        return {"GITHUB_SHA": pull.base, "GITHUB_REF": f"refs/heads/{pull.base_ref}", **sides}
    trunk, tip = _trunk(service)
    return {"GITHUB_SHA": tip, "GITHUB_REF": f"refs/heads/{trunk}", "GITHUB_REF_NAME": trunk}


def _trunk(service: RepositoryService) -> tuple[str, str]:
    """The trunk and its newest commit; SandboxError before its first push."""
    trunk = service.repository.default_branch
    tip = service.git.heads().get(trunk)
    if tip is None:
        raise SandboxError(
            f"{trunk} of {service.repository.full_name} has no commit on the sandbox's GitHub yet.",
            advice="Push it there first: `infra sandbox github open BRANCH` pushes trunk and a branch, "
            f"`git push {service.repository.git} HEAD:{trunk}` trunk alone.",
        )
    return trunk, tip


class Payloads:
    """Makes the payload of an event from what the server knows."""

    def __init__(self, service: RepositoryService, shapes: ApiDocuments) -> None:
        self._service = service
        self._shapes = shapes
        self._issues = IssueShapes(shapes, service.repository, service.git)

    def of(self, kind: str, number: int, actor: str, more: Mapping[str, Any]) -> Document:
        """The whole payload of an event of KINDS. `more` are fields that replace its own; `comment` is the id
        of the comment that an issue_comment is about (else the newest), `merge_group` that event's group.
        """
        if kind not in KINDS:
            raise SandboxError(f"There is no event {kind!r}.", advice=f"There are {', '.join(KINDS)}.")
        make = {
            "pull_request": self._pull_request,
            "pull_request_target": self._pull_request,
            "issue_comment": self._issue_comment,
            "push": self._push,
            "merge_group": self._merge_group,
            "workflow_dispatch": self._workflow_dispatch,
            "schedule": self._schedule,
        }[kind]
        own: Document = make(number, more)
        common = {
            "repository": self._shapes.repository(self._service.repository),
            "organization": self._shapes.user(self._service.repository.owner),
        }
        rest = {key: value for key, value in more.items() if key not in ("comment", "merge_group")}
        return {**own, **common, **rest, "sender": self._shapes.user(actor)}

    def _pull_request(self, number: int, more: Mapping[str, Any]) -> Document:
        pull = self._issues.pull(self._service.pull(number), whole=True)
        return {"action": "synchronize", "number": number, "pull_request": pull}

    def _issue_comment(self, number: int, more: Mapping[str, Any]) -> Document:
        issue = self._service.issue(number)
        comment_id = more.get("comment")
        record = next(
            (comment for comment in reversed(issue.comments) if comment_id in (None, comment.id)), None
        )
        if record is None:
            raise not_found()
        comment = self._issues.comment(issue, record)
        return {"action": "created", "issue": self._issues.issue(issue), "comment": comment}

    def _push(self, number: int, more: Mapping[str, Any]) -> Document:
        trunk, newest = _trunk(self._service)
        tip = str(more.get("after") or newest)
        parents = self._service.git.commit(tip).parents
        head = self._issues.simple_commit(tip)
        return {
            "ref": f"refs/heads/{trunk}",
            "before": parents[0] if parents else "0" * 40,
            "after": tip,
            "created": False,
            "deleted": False,
            "forced": False,
            "commits": [head],
            "head_commit": head,
            "pusher": {"name": "ada", "email": "ada@users.noreply.github.com"},
        }

    def _merge_group(self, number: int, more: Mapping[str, Any]) -> Document:
        group = dict(more["merge_group"])
        group["head_commit"] = self._issues.simple_commit(group["head_sha"])
        return {"action": "checks_requested", "merge_group": group}

    def _workflow_dispatch(self, number: int, more: Mapping[str, Any]) -> Document:
        dispatched = self._service.repository.dispatches
        last = asdict(dispatched[-1]) if dispatched else {"workflow": "infra-apply.yml", "inputs": {}}
        workflow = f".github/workflows/{last['workflow']}"
        ref = f"refs/heads/{self._service.repository.default_branch}"
        return {"inputs": last["inputs"], "ref": ref, "workflow": workflow}

    def _schedule(self, number: int, more: Mapping[str, Any]) -> Document:
        return {"schedule": "0 6 * * *", "workflow": ".github/workflows/infra-drift.yml"}
