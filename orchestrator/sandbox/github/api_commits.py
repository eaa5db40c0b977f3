"""`/repos/…/commits` and what is said of commits: checks, statuses, deployments."""

from __future__ import annotations

from orchestrator.sandbox.github import commits, pulls
from orchestrator.sandbox.github.call import Answer, Call
from orchestrator.sandbox.github.errors import GitHubError, unprocessable
from orchestrator.sandbox.github.model import Check


def get_commit(call: Call) -> Answer:
    """One commit, with the files that it changes; or its id, or its change as a diff or a patch."""
    sha, git = _sha(call), call.place.git
    one = git.commit(sha)
    base = one.parents[0] if one.parents else ""
    other = call.as_media(
        {
            "sha": sha.encode,
            "diff": lambda: git.diff(base, sha),
            "patch": lambda: git.patch(base, sha),
        }
    )
    if other:
        return other
    files = call.place.git.files(one.parents[0], sha) if one.parents else []
    added, deleted = sum(file.additions for file in files), sum(file.deletions for file in files)
    stats = {"total": added + deleted, "additions": added, "deletions": deleted}
    return Answer(200, {**call.issues.commit(sha), "stats": stats})


def pulls_of_commit(call: Call) -> Answer:
    """The pull requests that a commit belongs to."""
    found = pulls.of_commit(call.place, _sha(call, "commit_sha"))
    return call.page([call.issues.pull(one) for one in found])


def list_checks(call: Call) -> Answer:
    """The checks of a commit, newest first; the latest of each name unless all are asked for."""
    query = call.request.query
    found = commits.checks_of(
        call.place,
        _sha(call),
        name=query.get("check_name", ""),
        latest=query.get("filter", "latest") == "latest",
    )
    found = [one for one in found if query.get("status", one.status) == one.status]
    return call.page([call.commits.check(one) for one in found], "check_runs")


def create_check(call: Call) -> Answer:
    """Post a check."""
    call.text("name")
    made = commits.create_check(call.place, call.token.app, call.content)
    return Answer(201, call.commits.check(made))


def get_check(call: Call) -> Answer:
    """One check."""
    return Answer(200, call.commits.check(_check(call)))


def update_check(call: Call) -> Answer:
    """Change a check that this app made."""
    check = _check(call)
    if check.app != call.token.app:
        raise GitHubError(
            403, "Invalid app_id `{}` - check run can only be modified by the app that made it."
        )
    commits.update_check(call.place, check, call.content)
    return Answer(200, call.commits.check(check))


def list_annotations(call: Call) -> Answer:
    """The remarks of a check."""
    check = _check(call)
    return call.page([call.commits.annotation(check, one) for one in check.annotations])


def create_status(call: Call) -> Answer:
    """Set a commit status."""
    made = commits.set_status(call.place, call.token.login, call.arguments["sha"], call.content)
    return Answer(201, call.commits.status(made))


def list_statuses(call: Call) -> Answer:
    """The statuses of a commit, newest first."""
    sha = _sha(call, "sha" if "sha" in call.arguments else "ref")
    return call.page([call.commits.status(one) for one in commits.statuses_of(call.place, sha)])


def combined_status(call: Call) -> Answer:
    """The latest status of each context, and what they come to."""
    sha = _sha(call)
    return Answer(200, call.commits.combined(sha, commits.statuses_of(call.place, sha, latest=True)))


def list_deployments(call: Call) -> Answer:
    """Deployments that the query asks for, newest first."""
    query = call.request.query
    found = [
        one
        for one in reversed(call.place.repository.deployments)
        if query.get("environment", one.environment) == one.environment
        and query.get("sha", one.commit) == one.commit
        and query.get("ref", one.ref) == one.ref
        and query.get("task", one.task) == one.task
    ]
    return call.page([call.commits.deployment(one) for one in found])


def create_deployment(call: Call) -> Answer:
    """Note that a commit is being deployed; 409 when a required status is not there."""
    made = commits.create_deployment(call.place, call.token.login, call.content)
    wanted = call.content.get("required_contexts")
    statuses = commits.statuses_of(call.place, made.commit, latest=True)
    # With no list of its own GitHub wants every status of the commit to be a success.
    judged = [one for one in statuses if wanted is None or one.context in wanted]
    missing = {*(wanted or ())} - {one.context for one in judged}
    if missing or any(one.state != "success" for one in judged):
        call.place.repository.deployments.remove(made)
        raise GitHubError(409, f"Conflict: Commit status checks failed for {made.ref}.")
    return Answer(201, call.commits.deployment(made))


def get_deployment(call: Call) -> Answer:
    """One deployment."""
    found = commits.find_deployment(call.place, call.arguments["deployment_id"])
    return Answer(200, call.commits.deployment(found))


def list_deployment_statuses(call: Call) -> Answer:
    """How a deployment went, newest first."""
    found = commits.find_deployment(call.place, call.arguments["deployment_id"])
    return call.page([call.commits.deployment_status(found, one) for one in reversed(found.statuses)])


def create_deployment_status(call: Call) -> Answer:
    """Say how a deployment goes."""
    found = commits.find_deployment(call.place, call.arguments["deployment_id"])
    made = commits.set_deployment(call.place, found, call.token.login, call.content)
    return Answer(201, call.commits.deployment_status(found, made))


def _sha(call: Call, name: str = "ref") -> str:
    sha = call.place.git.resolve(call.arguments[name])
    if not sha:
        raise unprocessable(f"No commit found for SHA: {call.arguments[name]}")
    return sha


def _check(call: Call) -> Check:
    return commits.find_check(call.place, call.arguments["check_run_id"])
