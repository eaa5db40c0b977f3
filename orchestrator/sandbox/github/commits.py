"""What is said of commits: checks, statuses and deployments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.sandbox.github.errors import invalid, not_found, unprocessable
from orchestrator.sandbox.github.model import Check, Deployment, DeploymentStatus, Status
from orchestrator.sandbox.github.place import Place

LONGEST_OUTPUT = 65_535
MOST_ANNOTATIONS = 50
LONGEST_DESCRIPTION = 140
CONCLUSIONS = (
    *("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "stale"),
)
DEPLOYMENT_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


def create_check(place: Place, app: str, body: Mapping[str, Any]) -> Check:
    """Post a check; `body` as the API takes it."""
    sha = place.git.resolve(str(body.get("head_sha", "")))
    if not sha or sha != body["head_sha"]:
        raise unprocessable(f"No commit found for SHA: {body.get('head_sha')}")
    now = place.now()
    check = Check(place.next_id(), str(body["name"]), sha, app, "queued", "", "", "", now, "")
    update_check(place, check, body)
    place.repository.checks.append(check)
    return check


def update_check(place: Place, check: Check, body: Mapping[str, Any]) -> None:
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
        check.completed_at = str(body.get("completed_at") or place.now())
    elif check.status == "completed" and not check.conclusion:
        raise invalid("CheckRun", "conclusion", code="missing_field")
    for field in ("title", "summary", "text"):
        if output.get(field) is not None:
            setattr(check, field, str(output[field]))
    check.annotations += annotations


def _annotations(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [dict(one) for one in output.get("annotations") or ()]
    if len(found) > MOST_ANNOTATIONS:
        raise unprocessable(
            f"Invalid request.\n\n"
            f"No more than {MOST_ANNOTATIONS} items are allowed; {len(found)} were supplied."
        )
    for one in found:
        if one["annotation_level"] not in ("notice", "warning", "failure"):
            raise invalid("CheckRun", "annotation_level", code="invalid")
        columns = "start_column" in one or "end_column" in one
        if one["end_line"] < one["start_line"] or (columns and one["end_line"] != one["start_line"]):
            raise invalid("CheckRun", "annotations", "Annotation lines are not in order.")
    return found


def find_check(place: Place, id_: str) -> Check:
    """A check by its id; 404 when there is none."""
    for one in place.repository.checks:
        if one.id == int(id_):
            return one
    raise not_found()


def checks_of(place: Place, sha: str, *, name: str = "", latest: bool = True) -> list[Check]:
    """The checks of a commit, newest first; with `latest` one for each app and name."""
    found = [one for one in place.repository.checks if one.head == sha and (not name or one.name == name)]
    found.reverse()
    return list(_first(found, lambda one: (one.app, one.name))) if latest else found


def set_status(place: Place, creator: str, sha: str, body: Mapping[str, Any]) -> Status:
    """Set a commit status."""
    if place.git.resolve(sha) != sha:
        raise unprocessable(f"No commit found for SHA: {sha}")
    if body.get("state") not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state", code="invalid")
    description = str(body.get("description") or "")
    if len(description) > LONGEST_DESCRIPTION:
        told = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("Status", "description", told)
    made = Status(
        place.next_id(),
        sha,
        str(body.get("context") or "default"),
        str(body["state"]),
        description,
        str(body.get("target_url") or ""),
        creator,
        place.now(),
    )
    place.repository.statuses.append(made)
    return made


def statuses_of(place: Place, sha: str, *, latest: bool = False) -> list[Status]:
    """The statuses of a commit, newest first; with `latest` one for each context."""
    found = [one for one in reversed(place.repository.statuses) if one.commit == sha]
    return list(_first(found, lambda one: one.context)) if latest else found


def combined(statuses: list[Status]) -> str:
    """What the latest statuses come to."""
    states = {one.state for one in statuses}
    if states & {"failure", "error"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def create_deployment(place: Place, creator: str, body: Mapping[str, Any]) -> Deployment:
    """Note that a commit is being deployed. GitHub makes the environment when there is none."""
    ref = str(body.get("ref") or "")
    sha = place.git.resolve(ref)
    if not sha:
        raise unprocessable(f"No ref found for: {ref}")
    made = Deployment(
        place.next_id(),
        sha,
        ref,
        str(body.get("task") or "deploy"),
        str(body.get("environment") or "production"),
        str(body.get("description") or ""),
        body.get("payload") or {},
        creator,
        place.now(),
    )
    place.repository.deployments.append(made)
    return made


def find_deployment(place: Place, id_: str) -> Deployment:
    """A deployment by its id; 404 when there is none."""
    for one in place.repository.deployments:
        if one.id == int(id_):
            return one
    raise not_found()


def set_deployment(
    place: Place, deployment: Deployment, creator: str, body: Mapping[str, Any]
) -> DeploymentStatus:
    """Say how a deployment goes. A success makes the environment's earlier ones inactive."""
    state = str(body.get("state"))
    if state not in DEPLOYMENT_STATES:
        raise invalid("DeploymentStatus", "state", code="invalid")
    description = str(body.get("description") or "")
    if len(description) > LONGEST_DESCRIPTION:
        told = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise invalid("DeploymentStatus", "description", told)
    made = _deployment_status(place, creator, state, description, body)
    deployment.statuses.append(made)
    if state == "success" and body.get("auto_inactive", True):
        for other in place.repository.deployments:
            same = other.environment == deployment.environment and other is not deployment
            if same and other.statuses and other.statuses[-1].state == "success":
                other.statuses.append(_deployment_status(place, creator, "inactive", "", {}))
    return made


def _deployment_status(
    place: Place, creator: str, state: str, description: str, body: Mapping[str, Any]
) -> DeploymentStatus:
    log = str(body.get("log_url") or body.get("target_url") or "")
    url = str(body.get("environment_url") or "")
    return DeploymentStatus(place.next_id(), state, description, log, url, creator, place.now())


def _first(items: Iterable[Any], key: Any) -> Iterable[Any]:
    seen = set()
    for one in items:
        if key(one) not in seen:
            seen.add(key(one))
            yield one
