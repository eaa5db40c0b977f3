"""`/_sandbox/`: operations of the command line, the demo and tests, beside GitHub's own API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.errors import InfraError
from orchestrator.sandbox.github import issues, payloads, pulls, runs
from orchestrator.sandbox.github.call import ApiResponse
from orchestrator.sandbox.github.errors import GitHubError
from orchestrator.sandbox.github.faults import read_fault
from orchestrator.sandbox.github.model import DeploymentEnvironment
from orchestrator.sandbox.github.service import GitHubService
from orchestrator.sandbox.github.shapes import ApiDocuments
from orchestrator.sandbox.http import CONTROL_PREFIX, HttpRequest


def answer(server: GitHubService, request: HttpRequest) -> ApiResponse:
    """`POST /_sandbox/OPERATION` with the operation's arguments as JSON; the answer is `{"result": …}`."""
    if not request.has_token(server.control_token):
        return ApiResponse(403, {"message": "The token is not this sandbox's."})
    operation = operations(server).get(request.path.removeprefix(CONTROL_PREFIX))
    if operation is None:
        return ApiResponse(404, {"message": f"There is no operation {request.path}."})
    try:
        return ApiResponse(200, {"result": operation(**json.loads(request.body or b"{}"))})
    except GitHubError as error:
        return ApiResponse(error.status, error.document())
    except InfraError as error:
        return ApiResponse(400, {"message": error.message})
    except (TypeError, ValueError) as error:
        return ApiResponse(400, {"message": str(error)})


def operations(server: GitHubService) -> Mapping[str, Callable[..., Any]]:
    """The operations by name; each takes and returns JSON."""
    return {
        "status": lambda: status(server),
        "repository": lambda name, git=None, private=True: asdict(
            server.add_repository(name, Path(git) if git else None, private=private)
        )["git"],
        "user": lambda repository, login, role="read": server.set_role(repository, login, role),
        "team": lambda name, members: server.set_team(name, members),
        "pushed": lambda repository, by: pushed(server, repository, by),
        "introduce": lambda repository, login: introduce(server, repository, login),
        "token": lambda login, permissions=None: server.add_token(login, permissions),
        "protect": lambda repository, branch, rules: protect(server, repository, branch, rules),
        "environment": lambda repository, name, **more: environment(server, repository, name, **more),
        "event": lambda repository, kind, number=0, by="owner", run=0, continues=False: event(
            server, repository, kind, number, by, run, continues=continues
        ),
        "gate": lambda repository, run, environment, by: open_gate(server, repository, run, environment, by),
        "fault": lambda **fault: server.faults.add(read_fault(fault)),
        "clear_faults": server.faults.clear,
        "requests": lambda: server.requests,
        "dispatches": lambda repository: dispatches(server, repository),
        "open": lambda repository, **more: open_pull(server, repository, **more),
        "find": lambda repository, branch: _find_pull(server, repository, branch),
        "branches": lambda repository: branches(server, repository),
        "close": lambda repository, number, by: close(server, repository, number, by),
        "merge": lambda repository, number, by, method="merge": merge(server, repository, number, by, method),
        "review": lambda repository, number, by, event, body="": review(
            server, repository, number, by, event, body
        ),
        "comment": lambda repository, number, by, body: comment(server, repository, number, by, body),
        "label": lambda repository, number, by, name: label(server, repository, number, by, name),
    }


def status(server: GitHubService) -> dict[str, Any]:
    """The repositories with how much is open in each, their folders, and their people's roles."""
    repositories = {}
    for name in sorted(server.world.repositories):
        with server.open_repository(name, reads=True) as service:
            pull_requests = [
                {
                    "number": pull.number,
                    "title": pull.title,
                    "state": "merged" if pull.pull.merged_at else pull.state,
                }
                for pull in service.repository.pulls()
                if pull.pull
            ]
            open_issues = [
                issue
                for issue in service.repository.issues.values()
                if issue.state == "open" and not issue.pull
            ]
            repositories[name] = {
                "git": service.repository.git,
                "pulls": pull_requests,
                "issues": len(open_issues),
                "people": dict(sorted(service.repository.roles.items())),
                "environments": sorted(service.repository.environments),
            }
    return {"url": server.url, "repositories": repositories}


def protect(server: GitHubService, repository: str, branch: str, rules: Mapping[str, Any] | None) -> None:
    """Protect a branch by rules in the API's form; remove the protection when they are None."""
    with server.open_repository(repository) as service:
        if rules is None:
            service.repository.protection.pop(branch, None)
        else:
            service.repository.protection[branch] = dict(rules)


def environment(server: GitHubService, repository: str, name: str, **more: Any) -> None:
    """Create or change a deployment environment: `reviewers`, `branches`, `wait_minutes`…"""
    with server.open_repository(repository) as service:
        deployment_environment = service.repository.environments.get(name)
        id_, at = (
            (deployment_environment.id, deployment_environment.created_at)
            if deployment_environment
            else (service.next_id() * 10, service.now())
        )
        service.repository.environments[name] = DeploymentEnvironment(id_, name, at, **more)


def dispatches(server: GitHubService, repository: str) -> list[dict[str, Any]]:
    """The workflows that were dispatched, oldest first."""
    with server.open_repository(repository) as service:
        return [asdict(dispatch) for dispatch in service.repository.dispatches]


def open_pull(
    server: GitHubService,
    repository: str,
    *,
    branch: str,
    by: str,
    title: str = "",
    body: str = "",
    base: str = "",
    draft: bool = False,
) -> int:
    """Open a pull request from a branch; its number. The title is the last commit's when none is given."""
    with server.open_repository(repository) as service:
        tip = service.git.heads().get(branch, "")
        title = title or (service.git.commit(tip).message.partition("\n")[0] if tip else branch)
        base = base or service.repository.default_branch
        return pulls.open_pull(service, by, title, branch, base, body, draft=draft).number


def event(
    server: GitHubService,
    repository: str,
    kind: str,
    number: int,
    by: str,
    run_id: int = 0,
    *,
    continues: bool = False,
) -> dict[str, Any]:
    """Start a job by an event: its `payload`, and its `variables` beside the event's file.

    With `run_id` it is another job of a run that an event started before, on that run's commit; with
    `continues` one of the newest run that the same event started on the same commit, where there is one.
    """
    with server.open_repository(repository) as service:
        shapes = ApiDocuments(server.world, server.url)
        payload = payloads.Payloads(service, shapes).of(kind, number, by, {})
        variables = payloads.event_variables(service, kind, number)
        branch = variables.get("GITHUB_HEAD_REF") or variables["GITHUB_REF"].removeprefix("refs/heads/")
        commit = variables["GITHUB_SHA"]
        before = runs.newest_run(service.repository, kind, branch, commit) if continues else None
        if before:
            run = before
        elif run_id:
            run = runs.find_run(service.repository, run_id)
            variables["GITHUB_SHA"] = run.commit
        else:
            run = runs.start_run(service, "rehearsal", kind, branch, commit, by)
        attempt = str(run.attempt)
    job = {"GITHUB_RUN_ID": str(run.id), "GITHUB_RUN_ATTEMPT": attempt, "GITHUB_ACTOR": by}
    return {"payload": payload, "variables": {"GITHUB_EVENT_NAME": kind, **variables, **job}}


def open_gate(server: GitHubService, repository: str, run: int, environment: str, by: str) -> None:
    """Run the job that waits in an environment, approve it as one of the environment's reviewers, end it."""
    with server.open_repository(repository) as service:
        job = runs.start_job(service, run, f"gate {environment}", environment=environment)
        if job.status == "waiting":
            runs.review_run(service, run, environment, by)
        runs.finish_job(service, run, job.id)


def pushed(server: GitHubService, repository: str, by: str) -> None:
    """Attribute what was pushed since the last request to a user."""
    with server.open_repository(repository, pusher=by):
        pass


def _find_pull(server: GitHubService, repository: str, branch: str) -> int | None:
    """The open pull request from a branch, if there is one."""
    with server.open_repository(repository, reads=True) as service:
        for pull in service.repository.pulls():
            if pull.state == "open" and pull.pull and pull.pull.head_ref == branch:
                return pull.number
    return None


def branches(server: GitHubService, repository: str) -> dict[str, str]:
    """The commit of each branch."""
    with server.open_repository(repository, reads=True) as service:
        return service.git.heads()


def introduce(server: GitHubService, repository: str, login: str) -> None:
    """Give a user without a role the role `write`."""
    with server.open_repository(repository) as service:
        new = login not in service.repository.roles
    if new:
        server.set_role(repository, login, "write")


def close(server: GitHubService, repository: str, number: int, by: str) -> None:
    """Close an issue or a pull request."""
    with server.open_repository(repository) as service:
        issues.close(service, service.issue(number), by)


def merge(server: GitHubService, repository: str, number: int, by: str, method: str = "merge") -> str:
    """Merge a pull request; the commit on trunk."""
    with server.open_repository(repository) as service:
        return pulls.merge(service, service.pull(number), by, method)


def review(
    server: GitHubService, repository: str, number: int, by: str, event: str, body: str = "", commit: str = ""
) -> int:
    """Review a pull request (APPROVE, REQUEST_CHANGES, COMMENT); the review's id."""
    with server.open_repository(repository) as service:
        return pulls.review(service, service.pull(number), by, event, body, commit).id


def comment(server: GitHubService, repository: str, number: int, by: str, body: str) -> int:
    """Comment on an issue or a pull request; the comment's id."""
    with server.open_repository(repository) as service:
        return issues.comment(service, service.issue(number), by, body).id


def label(server: GitHubService, repository: str, number: int, by: str, name: str) -> None:
    """Put a label on an issue or a pull request."""
    with server.open_repository(repository) as service:
        issues.add_labels(service, service.issue(number), by, [name])
