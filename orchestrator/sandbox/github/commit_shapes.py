"""Checks, statuses, deployments, branches and environments as GitHub's API tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from zlib import crc32

from orchestrator.sandbox.github.commits import combined
from orchestrator.sandbox.github.issue_shapes import IssueShapes
from orchestrator.sandbox.github.model import (
    ACTIONS,
    BOT,
    Check,
    Deployment,
    DeploymentStatus,
    Environment,
    Repository,
    Run,
    RunApproval,
    Status,
)
from orchestrator.sandbox.github.shapes import Document, Shapes, node

# The app whose token a workflow's job has.
ACTIONS_APP = ACTIONS.removesuffix(BOT)


class CommitShapes:
    """Makes documents of what is said of one repository's commits."""

    def __init__(self, shapes: Shapes, repository: Repository, issues: IssueShapes) -> None:
        self._shapes = shapes
        self._repository = repository
        self._issues = issues

    def _api(self, path: str) -> str:
        return self._shapes.api(self._repository, path)

    def check(self, one: Check) -> Document:
        """A check run."""
        return {
            "id": one.id,
            "name": one.name,
            "node_id": node("CR", one.id),
            "head_sha": one.head,
            "external_id": one.external_id,
            "url": self._api(f"/check-runs/{one.id}"),
            "html_url": self._shapes.html(self._repository, f"/runs/{one.id}"),
            "details_url": one.details_url or self._shapes.html(self._repository, f"/runs/{one.id}"),
            "status": one.status,
            "conclusion": one.conclusion or None,
            "started_at": one.started_at,
            "completed_at": one.completed_at or None,
            "output": {
                "title": one.title or None,
                "summary": one.summary or None,
                "text": one.text or None,
                "annotations_count": len(one.annotations),
                "annotations_url": self._api(f"/check-runs/{one.id}/annotations"),
            },
            "check_suite": {"id": suite_of(one, self._repository.runs)},
            "app": self._shapes.app(one.app),
            "pull_requests": [],
        }

    def annotation(self, check: Check, one: dict[str, Any]) -> Document:
        """A remark on a line."""
        empty = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
        link = self._shapes.html(self._repository, f"/blob/{check.head}/{quote(one['path'])}")
        return {**empty, **one, "blob_href": link}

    def status(self, one: Status, *, simple: bool = False) -> Document:
        """A commit status."""
        told = {
            "url": self._api(f"/statuses/{one.commit}"),
            "avatar_url": f"{self._shapes.base}/avatars/1",
            "id": one.id,
            "node_id": node("SC", one.id),
            "state": one.state,
            "description": one.description or None,
            "target_url": one.target_url or None,
            "context": one.context,
            "created_at": one.created_at,
            "updated_at": one.created_at,
        }
        return told if simple else {**told, "creator": self._shapes.user(one.creator)}

    def combined(self, sha: str, statuses: list[Status]) -> Document:
        """All statuses of a commit as one."""
        return {
            "state": combined(statuses),
            "statuses": [self.status(one, simple=True) for one in statuses],
            "sha": sha,
            "total_count": len(statuses),
            "repository": self._shapes.minimal_repository(self._repository),
            "commit_url": self._api(f"/commits/{sha}"),
            "url": self._api(f"/commits/{sha}/status"),
        }

    def deployment(self, one: Deployment) -> Document:
        """A deployment."""
        url = self._api(f"/deployments/{one.id}")
        return {
            "url": url,
            "id": one.id,
            "node_id": node("DE", one.id),
            "sha": one.commit,
            "ref": one.ref,
            "task": one.task,
            "payload": one.payload,
            "environment": one.environment,
            "original_environment": one.environment,
            "description": one.description or None,
            "creator": self._shapes.user(one.creator),
            "created_at": one.created_at,
            "updated_at": one.statuses[-1].created_at if one.statuses else one.created_at,
            "statuses_url": f"{url}/statuses",
            "repository_url": self._api(""),
        }

    def deployment_status(self, deployment: Deployment, one: DeploymentStatus) -> Document:
        """How a deployment went on."""
        url = self._api(f"/deployments/{deployment.id}")
        return {
            "url": f"{url}/statuses/{one.id}",
            "id": one.id,
            "node_id": node("DES", one.id),
            "state": one.state,
            "creator": self._shapes.user(one.creator),
            "description": one.description,
            "environment": deployment.environment,
            "target_url": one.log_url,
            "log_url": one.log_url,
            "environment_url": one.environment_url,
            "created_at": one.created_at,
            "updated_at": one.created_at,
            "deployment_url": url,
            "repository_url": self._api(""),
        }

    def environment(self, one: Environment) -> Document:
        """A deployment environment with what protects it."""
        rules: list[Document] = []
        if one.wait_minutes:
            rules.append({"id": one.id + 1, "type": "wait_timer", "wait_timer": one.wait_minutes})
        if one.reviewers:
            people = [{"type": "User", "reviewer": self._shapes.user(login)} for login in one.reviewers]
            asked = {"prevent_self_review": one.prevent_self_review, "reviewers": people}
            rules.append({"id": one.id + 2, "type": "required_reviewers", **asked})
        policy = None
        if one.protected_branches or one.branches is not None:
            rules.append({"id": one.id + 3, "type": "branch_policy"})
            own = one.branches is not None
            policy = {"protected_branches": not own, "custom_branch_policies": own}
        for number, rule in enumerate(rules):
            rule["node_id"] = node("GA", one.id + number + 1)
        name = quote(one.name, safe="")
        return {
            "id": one.id,
            "node_id": node("EN", one.id),
            "name": one.name,
            "url": self._api(f"/environments/{name}"),
            "html_url": self._shapes.html(self._repository, "/deployments/activity_log"),
            "created_at": one.created_at,
            "updated_at": one.created_at,
            "protection_rules": rules,
            "deployment_branch_policy": policy,
        }

    def branch(self, name: str, sha: str, *, whole: bool = True) -> Document:
        """A branch, with its commit and what protects it."""
        url = self._api(f"/branches/{quote(name)}")
        protected = name in self._repository.protection
        link = {"protected": protected, "protection_url": f"{url}/protection"}
        checks = self._repository.protection.get(name, {}).get("required_status_checks") or {}
        contexts = list(checks.get("contexts") or ())
        if not whole:
            return {"name": name, "commit": {"sha": sha, "url": self._api(f"/commits/{sha}")}, **link}
        return {
            "name": name,
            "commit": self._issues.commit(sha),
            "_links": {"html": self._shapes.html(self._repository, f"/tree/{quote(name)}"), "self": url},
            **link,
            "protection": {
                "enabled": protected,
                "required_status_checks": {
                    "enforcement_level": "non_admins" if protected else "off",
                    "contexts": contexts,
                    "checks": [{"context": one, "app_id": None} for one in contexts],
                },
            },
        }

    def run(self, one: Run) -> Document:
        """A run of a workflow."""
        url = self._api(f"/actions/runs/{one.id}")
        links = ("jobs", "logs", "artifacts", "cancel", "rerun")
        return {
            "id": one.id,
            "name": one.workflow,
            "node_id": node("WFR", one.id),
            "head_branch": one.branch,
            "head_sha": one.commit,
            "path": f".github/workflows/{one.workflow}",
            "display_title": one.workflow,
            "run_number": 1,
            "run_attempt": one.attempt,
            "event": one.event,
            "status": one.status,
            "conclusion": one.conclusion or None,
            "workflow_id": workflow_id(one.workflow),
            "url": url,
            "html_url": self._shapes.html(self._repository, f"/actions/runs/{one.id}"),
            "pull_requests": [],
            "created_at": one.created_at,
            "updated_at": one.created_at,
            "run_started_at": one.created_at,
            "actor": self._shapes.user(one.actor),
            "triggering_actor": self._shapes.user(one.actor),
            **{f"{name}_url": f"{url}/{name}" for name in links},
            "check_suite_url": self._api(f"/check-suites/{one.id}"),
            "workflow_url": self._api(f"/actions/workflows/{workflow_id(one.workflow)}"),
            "head_commit": self._issues.simple_commit(one.commit),
            "repository": self._shapes.minimal_repository(self._repository),
            "head_repository": self._shapes.minimal_repository(self._repository),
        }

    def run_approval(self, one: RunApproval) -> Document:
        """What a reviewer answered while a run waited."""
        known = self._repository.environments
        shown = ("id", "node_id", "name", "url", "html_url", "created_at", "updated_at")
        documents = [self.environment(known[name]) for name in one.environments if name in known]
        return {
            "state": one.state,
            "comment": one.comment,
            "environments": [{key: document[key] for key in shown} for document in documents],
            "user": self._shapes.user(one.user),
        }

    def workflow(self, name: str) -> Document:
        """A workflow file."""
        id_ = workflow_id(name)
        url = self._api(f"/actions/workflows/{id_}")
        html = self._shapes.html(self._repository, f"/actions/workflows/{name}")
        return {
            "id": id_,
            "node_id": node("W", id_),
            "name": name,
            "path": f".github/workflows/{name}",
            "state": "active",
            "created_at": self._repository.created_at,
            "updated_at": self._repository.created_at,
            "url": url,
            "html_url": html,
            "badge_url": f"{html}/badge.svg",
        }


def suite_of(check: Check, runs: Sequence[Run]) -> int:
    """The id of the suite that a check is in.

    Each workflow run has a suite of its own. A check that was made by the API is put into the first one of
    its app on the commit, whichever workflow's job made it.
    """
    first = next((run.id for run in runs if check.app == ACTIONS_APP and run.commit == check.head), None)
    return first if first is not None else int(check.head[:7], 16) * 10 + len(check.app) % 10


def workflow_id(name: str) -> int:
    """The id of a workflow file."""
    return 1_000_000 + crc32(name.encode())
