"""`/repos/…/commits`, with checks, statuses and deployments."""

from __future__ import annotations

from orchestrator.sandbox.github import commits, pulls
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall
from orchestrator.sandbox.github.errors import GitHubError, unprocessable
from orchestrator.sandbox.github.model import CheckRun


def get_commit(call: RepositoryCall) -> ApiResponse:
    """One commit, with the files that it changes; or its id, or its change as a diff or a patch."""
    sha, git = _sha(call), call.service.git
    commit = git.commit(sha)
    base = commit.parents[0] if commit.parents else ""
    other = call.as_media(
        {
            "sha": sha.encode,
            "diff": lambda: git.diff(base, sha),
            "patch": lambda: git.patch(base, sha),
        }
    )
    if other:
        return other
    files = call.service.git.files(commit.parents[0], sha) if commit.parents else []
    added, deleted = sum(file.additions for file in files), sum(file.deletions for file in files)
    stats = {"total": added + deleted, "additions": added, "deletions": deleted}
    return ApiResponse(200, {**call.issues.commit(sha), "stats": stats})


def pulls_of_commit(call: RepositoryCall) -> ApiResponse:
    """The pull requests that a commit belongs to."""
    commit = pulls.find_by_commit(call.service, _sha(call, "commit_sha"))
    return call.page([call.issues.pull(issue) for issue in commit])


def list_checks(call: RepositoryCall) -> ApiResponse:
    """The checks of a commit, newest first; the latest of each name unless all are requested."""
    query = call.request.query
    checks = commits.checks_of(
        call.service,
        _sha(call),
        name=query.get("check_name", ""),
        latest=query.get("filter", "latest") == "latest",
    )
    checks = [check for check in checks if query.get("status", check.status) == check.status]
    return call.page([call.commits.check(check) for check in checks], "check_runs")


def create_check(call: RepositoryCall) -> ApiResponse:
    """Post a check."""
    call.text("name")
    check_run = commits.create_check(call.service, call.token.app, call.content)
    return ApiResponse(201, call.commits.check(check_run))


def get_check(call: RepositoryCall) -> ApiResponse:
    """One check."""
    return ApiResponse(200, call.commits.check(_check(call)))


def update_check(call: RepositoryCall) -> ApiResponse:
    """Change a check that this app made."""
    check = _check(call)
    if check.app != call.token.app:
        raise GitHubError(
            403, "Invalid app_id `{}` - check run can only be modified by the app that made it."
        )
    commits.update_check(call.service, check, call.content)
    return ApiResponse(200, call.commits.check(check))


def list_annotations(call: RepositoryCall) -> ApiResponse:
    """The remarks of a check."""
    check = _check(call)
    return call.page([call.commits.annotation(check, annotation) for annotation in check.annotations])


def create_status(call: RepositoryCall) -> ApiResponse:
    """Set a commit status."""
    status = commits.set_status(call.service, call.token.login, call.arguments["sha"], call.content)
    return ApiResponse(201, call.commits.status(status))


def list_statuses(call: RepositoryCall) -> ApiResponse:
    """The statuses of a commit, newest first."""
    sha = _sha(call, "sha" if "sha" in call.arguments else "ref")
    return call.page([call.commits.status(status) for status in commits.statuses_of(call.service, sha)])


def combined_status(call: RepositoryCall) -> ApiResponse:
    """The latest status of each context, and what they come to."""
    sha = _sha(call)
    return ApiResponse(200, call.commits.combined(sha, commits.statuses_of(call.service, sha, latest=True)))


def list_deployments(call: RepositoryCall) -> ApiResponse:
    """Deployments that the query asks for, newest first."""
    query = call.request.query
    deployments = [
        deployment
        for deployment in reversed(call.service.repository.deployments)
        if query.get("environment", deployment.environment) == deployment.environment
        and query.get("sha", deployment.commit) == deployment.commit
        and query.get("ref", deployment.ref) == deployment.ref
        and query.get("task", deployment.task) == deployment.task
    ]
    return call.page([call.commits.deployment(deployment) for deployment in deployments])


def create_deployment(call: RepositoryCall) -> ApiResponse:
    """Note that a commit is being deployed; 409 when a required status is not there."""
    deployment = commits.create_deployment(call.service, call.token.login, call.content)
    required_contexts = call.content.get("required_contexts")
    statuses = commits.statuses_of(call.service, deployment.commit, latest=True)
    # With no list of its own GitHub wants every status of the commit to be a success.
    counted = [
        status for status in statuses if required_contexts is None or status.context in required_contexts
    ]
    missing = {*(required_contexts or ())} - {status.context for status in counted}
    if missing or any(status.state != "success" for status in counted):
        call.service.repository.deployments.remove(deployment)
        raise GitHubError(409, f"Conflict: Commit status checks failed for {deployment.ref}.")
    return ApiResponse(201, call.commits.deployment(deployment))


def get_deployment(call: RepositoryCall) -> ApiResponse:
    """One deployment."""
    deployment = commits.find_deployment(call.service, call.arguments["deployment_id"])
    return ApiResponse(200, call.commits.deployment(deployment))


def list_deployment_statuses(call: RepositoryCall) -> ApiResponse:
    """How a deployment went, newest first."""
    deployment = commits.find_deployment(call.service, call.arguments["deployment_id"])
    return call.page(
        [call.commits.deployment_status(deployment, status) for status in reversed(deployment.statuses)]
    )


def create_deployment_status(call: RepositoryCall) -> ApiResponse:
    """Say how a deployment goes."""
    deployment = commits.find_deployment(call.service, call.arguments["deployment_id"])
    status = commits.set_deployment(call.service, deployment, call.token.login, call.content)
    return ApiResponse(201, call.commits.deployment_status(deployment, status))


def _sha(call: RepositoryCall, name: str = "ref") -> str:
    sha = call.service.git.resolve(call.arguments[name])
    if not sha:
        raise unprocessable(f"No commit found for SHA: {call.arguments[name]}")
    return sha


def _check(call: RepositoryCall) -> CheckRun:
    return commits.find_check(call.service, call.arguments["check_run_id"])
