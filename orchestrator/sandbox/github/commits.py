"""Checks, statuses and deployments of commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.sandbox.github.errors import invalid, not_found, unprocessable
from orchestrator.sandbox.github.model import CheckRun, Deployment, DeploymentStatus, Status
from orchestrator.sandbox.github.repository import RepositoryService

LONGEST_OUTPUT = 65_535
MOST_ANNOTATIONS = 50
LONGEST_DESCRIPTION = 140
CONCLUSIONS = (
    *("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "stale"),
)
DEPLOYMENT_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


def create_check(service: RepositoryService, app: str, body: Mapping[str, Any]) -> CheckRun:
    """Post a check; `body` as the API takes it."""
    sha = service.git.resolve(str(body.get("head_sha", "")))
    if not sha or sha != body["head_sha"]:
        raise unprocessable(f"No commit found for SHA: {body.get('head_sha')}")
    now = service.now()
    check = CheckRun(service.next_id(), str(body["name"]), sha, app, "queued", "", "", "", now, "")
    update_check(service, check, body)
    service.repository.checks.append(check)
    return check


def update_check(service: RepositoryService, check: CheckRun, body: Mapping[str, Any]) -> None:
    """Change a check; annotations are added to those that are there."""
    output = body.get("output") or {}
    annotations = _annotations(output)
    for field in ("summary", "text"):
        if len(output.get(field) or "") > LONGEST_OUTPUT:
            raise invalid("CheckRun", field, f"Only {LONGEST_OUTPUT} characters are allowed.")
    for field in ("name", "external_id", "details_url", "status", "started_at"):
        if body.get(field):
            setattr(check, field, str(body[field]))
    if body.get("conclusion"):
        if body["conclusion"] not in CONCLUSIONS:
            raise invalid("CheckRun", "conclusion", code="invalid")
        check.status, check.conclusion = "completed", str(body["conclusion"])
        check.completed_at = str(body.get("completed_at") or service.now())
    elif check.status == "completed" and not check.conclusion:
        raise invalid("CheckRun", "conclusion", code="missing_field")
    for field in ("title", "summary", "text"):
        if output.get(field) is not None:
            setattr(check, field, str(output[field]))
    check.annotations += annotations


def _annotations(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    annotations = [dict(annotation) for annotation in output.get("annotations") or ()]
    if len(annotations) > MOST_ANNOTATIONS:
        raise unprocessable(
            f"Invalid request.\n\n"
            f"No more than {MOST_ANNOTATIONS} items are allowed; {len(annotations)} were supplied."
        )
    for annotation in annotations:
        if annotation["annotation_level"] not in ("notice", "warning", "failure"):
            raise invalid("CheckRun", "annotation_level", code="invalid")
        columns = "start_column" in annotation or "end_column" in annotation
        if annotation["end_line"] < annotation["start_line"] or (
            columns and annotation["end_line"] != annotation["start_line"]
        ):
            raise invalid("CheckRun", "annotations", "Annotation lines are not in order.")
    return annotations


def find_check(service: RepositoryService, id_: str) -> CheckRun:
    """A check by its id; 404 when there is none."""
    for check in service.repository.checks:
        if check.id == int(id_):
            return check
    raise not_found()


def checks_of(service: RepositoryService, sha: str, *, name: str = "", latest: bool = True) -> list[CheckRun]:
    """The checks of a commit, newest first; with `latest` one for each app and name."""
    checks = [
        check for check in service.repository.checks if check.head == sha and (not name or check.name == name)
    ]
    checks.reverse()
    return list(_first(checks, lambda check: (check.app, check.name))) if latest else checks


def set_status(service: RepositoryService, creator: str, sha: str, body: Mapping[str, Any]) -> Status:
    """Set a commit status."""
    if service.git.resolve(sha) != sha:
        raise unprocessable(f"No commit found for SHA: {sha}")
    if body.get("state") not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state", code="invalid")
    description = str(body.get("description") or "")
    if len(description) > LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("Status", "description", message)
    status = Status(
        service.next_id(),
        sha,
        str(body.get("context") or "default"),
        str(body["state"]),
        description,
        str(body.get("target_url") or ""),
        creator,
        service.now(),
    )
    service.repository.statuses.append(status)
    return status


def statuses_of(service: RepositoryService, sha: str, *, latest: bool = False) -> list[Status]:
    """The statuses of a commit, newest first; with `latest` one for each context."""
    statuses = [status for status in reversed(service.repository.statuses) if status.commit == sha]
    return list(_first(statuses, lambda status: status.context)) if latest else statuses


def combined(statuses: list[Status]) -> str:
    """What the latest statuses come to."""
    states = {status.state for status in statuses}
    if states & {"failure", "error"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def create_deployment(service: RepositoryService, creator: str, body: Mapping[str, Any]) -> Deployment:
    """Note that a commit is being deployed. GitHub makes the environment when there is none."""
    ref = str(body.get("ref") or "")
    sha = service.git.resolve(ref)
    if not sha:
        raise unprocessable(f"No ref found for: {ref}")
    deployment = Deployment(
        service.next_id(),
        sha,
        ref,
        str(body.get("task") or "deploy"),
        str(body.get("environment") or "production"),
        str(body.get("description") or ""),
        body.get("payload") or {},
        creator,
        service.now(),
    )
    service.repository.deployments.append(deployment)
    return deployment


def find_deployment(service: RepositoryService, id_: str) -> Deployment:
    """A deployment by its id; 404 when there is none."""
    for deployment in service.repository.deployments:
        if deployment.id == int(id_):
            return deployment
    raise not_found()


def set_deployment(
    service: RepositoryService, deployment: Deployment, creator: str, body: Mapping[str, Any]
) -> DeploymentStatus:
    """Say how a deployment goes. A success makes the environment's earlier ones inactive."""
    state = str(body.get("state"))
    if state not in DEPLOYMENT_STATES:
        raise invalid("DeploymentStatus", "state", code="invalid")
    description = str(body.get("description") or "")
    if len(description) > LONGEST_DESCRIPTION:
        message = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("DeploymentStatus", "description", message)
    deployment_status = _deployment_status(service, creator, state, description, body)
    deployment.statuses.append(deployment_status)
    if state == "success" and body.get("auto_inactive", True):
        for other in service.repository.deployments:
            same = other.environment == deployment.environment and other is not deployment
            if same and other.statuses and other.statuses[-1].state == "success":
                other.statuses.append(_deployment_status(service, creator, "inactive", "", {}))
    return deployment_status


def _deployment_status(
    service: RepositoryService, creator: str, state: str, description: str, body: Mapping[str, Any]
) -> DeploymentStatus:
    log = str(body.get("log_url") or body.get("target_url") or "")
    url = str(body.get("environment_url") or "")
    return DeploymentStatus(service.next_id(), state, description, log, url, creator, service.now())


def _first(items: Iterable[Any], key: Any) -> Iterable[Any]:
    keys = set()
    for item in items:
        if key(item) not in keys:
            keys.add(key(item))
            yield item
