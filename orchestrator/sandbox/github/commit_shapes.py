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
    CheckRun,
    Deployment,
    DeploymentEnvironment,
    DeploymentStatus,
    HostedRepository,
    RunApproval,
    Status,
    WorkflowRun,
)
from orchestrator.sandbox.github.shapes import ApiDocuments, Document, node

# The app whose token a workflow's job has.
ACTIONS_APP = ACTIONS.removesuffix(BOT)


class CommitShapes:
    """Creates documents of the checks, statuses, deployments and runs of one repository's commits."""

    def __init__(self, shapes: ApiDocuments, repository: HostedRepository, issues: IssueShapes) -> None:
        self._shapes = shapes
        self._repository = repository
        self._issues = issues

    def _api(self, path: str) -> str:
        return self._shapes.api(self._repository, path)

    def check(self, check_run: CheckRun) -> Document:
        """A check run."""
        return {
            "id": check_run.id,
            "name": check_run.name,
            "node_id": node("CR", check_run.id),
            "head_sha": check_run.head,
            "external_id": check_run.external_id,
            "url": self._api(f"/check-runs/{check_run.id}"),
            "html_url": self._shapes.html(self._repository, f"/runs/{check_run.id}"),
            "details_url": check_run.details_url
            or self._shapes.html(self._repository, f"/runs/{check_run.id}"),
            "status": check_run.status,
            "conclusion": check_run.conclusion or None,
            "started_at": check_run.started_at,
            "completed_at": check_run.completed_at or None,
            "output": {
                "title": check_run.title or None,
                "summary": check_run.summary or None,
                "text": check_run.text or None,
                "annotations_count": len(check_run.annotations),
                "annotations_url": self._api(f"/check-runs/{check_run.id}/annotations"),
            },
            "check_suite": {"id": _suite_of(check_run, self._repository.runs)},
            "app": self._shapes.app(check_run.app),
            "pull_requests": [],
        }

    def annotation(self, check: CheckRun, annotation: dict[str, Any]) -> Document:
        """A remark on a line."""
        empty = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
        link = self._shapes.html(self._repository, f"/blob/{check.head}/{quote(annotation['path'])}")
        return {**empty, **annotation, "blob_href": link}

    def status(self, status: Status, *, simple: bool = False) -> Document:
        """A commit status."""
        document = {
            "url": self._api(f"/statuses/{status.commit}"),
            "avatar_url": f"{self._shapes.base}/avatars/1",
            "id": status.id,
            "node_id": node("SC", status.id),
            "state": status.state,
            "description": status.description or None,
            "target_url": status.target_url or None,
            "context": status.context,
            "created_at": status.created_at,
            "updated_at": status.created_at,
        }
        return document if simple else {**document, "creator": self._shapes.user(status.creator)}

    def combined(self, sha: str, statuses: list[Status]) -> Document:
        """All statuses of a commit as one."""
        return {
            "state": combined(statuses),
            "statuses": [self.status(status, simple=True) for status in statuses],
            "sha": sha,
            "total_count": len(statuses),
            "repository": self._shapes.minimal_repository(self._repository),
            "commit_url": self._api(f"/commits/{sha}"),
            "url": self._api(f"/commits/{sha}/status"),
        }

    def deployment(self, deployment: Deployment) -> Document:
        """A deployment."""
        url = self._api(f"/deployments/{deployment.id}")
        return {
            "url": url,
            "id": deployment.id,
            "node_id": node("DE", deployment.id),
            "sha": deployment.commit,
            "ref": deployment.ref,
            "task": deployment.task,
            "payload": deployment.payload,
            "environment": deployment.environment,
            "original_environment": deployment.environment,
            "description": deployment.description or None,
            "creator": self._shapes.user(deployment.creator),
            "created_at": deployment.created_at,
            "updated_at": deployment.statuses[-1].created_at
            if deployment.statuses
            else deployment.created_at,
            "statuses_url": f"{url}/statuses",
            "repository_url": self._api(""),
        }

    def deployment_status(self, deployment: Deployment, status: DeploymentStatus) -> Document:
        """How a deployment went on."""
        url = self._api(f"/deployments/{deployment.id}")
        return {
            "url": f"{url}/statuses/{status.id}",
            "id": status.id,
            "node_id": node("DES", status.id),
            "state": status.state,
            "creator": self._shapes.user(status.creator),
            "description": status.description,
            "environment": deployment.environment,
            "target_url": status.log_url,
            "log_url": status.log_url,
            "environment_url": status.environment_url,
            "created_at": status.created_at,
            "updated_at": status.created_at,
            "deployment_url": url,
            "repository_url": self._api(""),
        }

    def environment(self, deployment_environment: DeploymentEnvironment) -> Document:
        """A deployment environment with what protects it."""
        rules: list[Document] = []
        if deployment_environment.wait_minutes:
            rules.append(
                {
                    "id": deployment_environment.id + 1,
                    "type": "wait_timer",
                    "wait_timer": deployment_environment.wait_minutes,
                }
            )
        if deployment_environment.reviewers:
            people = [
                {"type": "Team", "reviewer": self._shapes.team(name)}
                if "/" in name
                else {"type": "User", "reviewer": self._shapes.user(name)}
                for name in deployment_environment.reviewers
            ]
            review = {"prevent_self_review": deployment_environment.prevent_self_review, "reviewers": people}
            rules.append({"id": deployment_environment.id + 2, "type": "required_reviewers", **review})
        policy = None
        if deployment_environment.protected_branches or deployment_environment.branches is not None:
            rules.append({"id": deployment_environment.id + 3, "type": "branch_policy"})
            own = deployment_environment.branches is not None
            policy = {"protected_branches": not own, "custom_branch_policies": own}
        for number, rule in enumerate(rules):
            rule["node_id"] = node("GA", deployment_environment.id + number + 1)
        name = quote(deployment_environment.name, safe="")
        return {
            "id": deployment_environment.id,
            "node_id": node("EN", deployment_environment.id),
            "name": deployment_environment.name,
            "url": self._api(f"/environments/{name}"),
            "html_url": self._shapes.html(self._repository, "/deployments/activity_log"),
            "created_at": deployment_environment.created_at,
            "updated_at": deployment_environment.created_at,
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
                    "checks": [{"context": context, "app_id": None} for context in contexts],
                },
            },
        }

    def run(self, run: WorkflowRun) -> Document:
        """A run of a workflow."""
        url = self._api(f"/actions/runs/{run.id}")
        links = ("jobs", "logs", "artifacts", "cancel", "rerun")
        return {
            "id": run.id,
            "name": run.workflow,
            "node_id": node("WFR", run.id),
            "head_branch": run.branch,
            "head_sha": run.commit,
            "path": f".github/workflows/{run.workflow}",
            "display_title": run.workflow,
            "run_number": 1,
            "run_attempt": run.attempt,
            "event": run.event,
            "status": run.visible_status,
            "conclusion": run.conclusion or None,
            "workflow_id": workflow_id(run.workflow),
            "url": url,
            "html_url": self._shapes.html(self._repository, f"/actions/runs/{run.id}"),
            "pull_requests": [],
            "created_at": run.created_at,
            "updated_at": run.created_at,
            "run_started_at": run.created_at,
            "actor": self._shapes.user(run.actor),
            "triggering_actor": self._shapes.user(run.actor),
            **{f"{name}_url": f"{url}/{name}" for name in links},
            "check_suite_url": self._api(f"/check-suites/{run.id}"),
            "workflow_url": self._api(f"/actions/workflows/{workflow_id(run.workflow)}"),
            "head_commit": self._issues.simple_commit(run.commit),
            "repository": self._shapes.minimal_repository(self._repository),
            "head_repository": self._shapes.minimal_repository(self._repository),
        }

    def run_approval(self, approval: RunApproval) -> Document:
        """What a reviewer answered while a run waited."""
        environments = self._repository.environments
        keys = ("id", "node_id", "name", "url", "html_url", "created_at", "updated_at")
        documents = [
            self.environment(environments[name]) for name in approval.environments if name in environments
        ]
        return {
            "state": approval.state,
            "comment": approval.comment,
            "environments": [{key: document[key] for key in keys} for document in documents],
            "user": self._shapes.user(approval.user),
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


def _suite_of(check: CheckRun, runs: Sequence[WorkflowRun]) -> int:
    """The id of the suite that a check is in.

    Each workflow run has a suite of its own. A check that was made by the API is put into the first one of
    its app on the commit, whichever workflow's job made it.
    """
    first = next((run.id for run in runs if check.app == ACTIONS_APP and run.commit == check.head), None)
    return first if first is not None else int(check.head[:7], 16) * 10 + len(check.app) % 10


def workflow_id(name: str) -> int:
    """The id of a workflow file."""
    return 1_000_000 + crc32(name.encode())
