"""`/_sandbox/`: what the command line, the demo and tests tell the server beside GitHub's own API."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import InfraError
from orchestrator.sandbox.github import issues, payloads, pulls, runs
from orchestrator.sandbox.github.call import Answer, Request
from orchestrator.sandbox.github.errors import GitHubError
from orchestrator.sandbox.github.faults import Fault
from orchestrator.sandbox.github.model import Environment
from orchestrator.sandbox.github.shapes import Shapes

if TYPE_CHECKING:
    from orchestrator.sandbox.github.server import GitHubServer

PREFIX = "/_sandbox/"


def answer(server: GitHubServer, request: Request) -> Answer:
    """`POST /_sandbox/OPERATION` with the operation's arguments as JSON; the answer is `{"result": …}`."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), server.control_token.encode()):
        return Answer(403, {"message": "The token is not this sandbox's."})
    operation = operations(server).get(request.path.removeprefix(PREFIX))
    if operation is None:
        return Answer(404, {"message": f"There is no operation {request.path}."})
    try:
        return Answer(200, {"result": operation(**json.loads(request.body or b"{}"))})
    except GitHubError as error:
        return Answer(error.status, error.document())
    except InfraError as error:
        return Answer(400, {"message": error.message})
    except (TypeError, ValueError) as error:
        return Answer(400, {"message": str(error)})


def operations(server: GitHubServer) -> Mapping[str, Callable[..., Any]]:
    """What may be asked for by name; each takes and returns JSON."""
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
        "fault": lambda **fault: server.faults.add(Fault.read(fault)),
        "clear_faults": server.faults.clear,
        "requests": lambda: server.requests,
        "dispatches": lambda repository: dispatches(server, repository),
        "open": lambda repository, **more: open_pull(server, repository, **more),
        "find": lambda repository, branch: find_pull(server, repository, branch),
        "branches": lambda repository: branches(server, repository),
        "close": lambda repository, number, by: close(server, repository, number, by),
        "merge": lambda repository, number, by, method="merge": merge(server, repository, number, by, method),
        "review": lambda repository, number, by, event, body="": review(
            server, repository, number, by, event, body
        ),
        "comment": lambda repository, number, by, body: comment(server, repository, number, by, body),
        "label": lambda repository, number, by, name: label(server, repository, number, by, name),
    }


def status(server: GitHubServer) -> dict[str, Any]:
    """The repositories with how much is open in each, their folders, and their people's roles."""
    found = {}
    for name in sorted(server.world.repositories):
        with server.place(name, reads=True) as place:
            pull_requests = [
                {
                    "number": one.number,
                    "title": one.title,
                    "state": "merged" if one.pull.merged_at else one.state,
                }
                for one in place.repository.pulls()
                if one.pull
            ]
            open_issues = [
                one for one in place.repository.issues.values() if one.state == "open" and not one.pull
            ]
            found[name] = {
                "git": place.repository.git,
                "pulls": pull_requests,
                "issues": len(open_issues),
                "people": dict(sorted(place.repository.roles.items())),
                "environments": sorted(place.repository.environments),
            }
    return {"url": server.url, "repositories": found}


def protect(server: GitHubServer, repository: str, branch: str, rules: Mapping[str, Any] | None) -> None:
    """Protect a branch by rules as the API tells them; take the protection away when they are None."""
    with server.place(repository) as place:
        if rules is None:
            place.repository.protection.pop(branch, None)
        else:
            place.repository.protection[branch] = dict(rules)


def environment(server: GitHubServer, repository: str, name: str, **more: Any) -> None:
    """Make a deployment environment, or change one: `reviewers`, `branches`, `wait_minutes`…"""
    with server.place(repository) as place:
        known = place.repository.environments.get(name)
        id_, at = (known.id, known.created_at) if known else (place.next_id() * 10, place.now())
        place.repository.environments[name] = Environment(id_, name, at, **more)


def dispatches(server: GitHubServer, repository: str) -> list[dict[str, Any]]:
    """The workflows that were asked for, oldest first."""
    with server.place(repository) as place:
        return [asdict(one) for one in place.repository.dispatches]


def open_pull(
    server: GitHubServer,
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
    with server.place(repository) as place:
        tip = place.git.heads().get(branch, "")
        title = title or (place.git.commit(tip).message.partition("\n")[0] if tip else branch)
        base = base or place.repository.default_branch
        return pulls.open_pull(place, by, title, branch, base, body, draft=draft).number


def event(
    server: GitHubServer,
    repository: str,
    kind: str,
    number: int,
    by: str,
    run_id: int = 0,
    *,
    continues: bool = False,
) -> dict[str, Any]:
    """A job that an event starts now: its `payload`, and its `variables` beside the event's file.

    With `run_id` it is another job of a run that an event started before, on that run's commit; with
    `continues` one of the newest run that the same event started on the same commit, where there is one.
    """
    with server.place(repository) as place:
        shapes = Shapes(server.world, server.url)
        payload = payloads.Payloads(place, shapes).of(kind, number, by, {})
        found = payloads.variables(place, kind, number)
        branch = found.get("GITHUB_HEAD_REF") or found["GITHUB_REF"].removeprefix("refs/heads/")
        commit = found["GITHUB_SHA"]
        before = runs.newest_run(place.repository, kind, branch, commit) if continues else None
        if before:
            run = before
        elif run_id:
            run = runs.find_run(place.repository, run_id)
            found["GITHUB_SHA"] = run.commit
        else:
            run = runs.start_run(place, "rehearsal", kind, branch, commit, by)
        attempt = str(run.attempt)
    job = {"GITHUB_RUN_ID": str(run.id), "GITHUB_RUN_ATTEMPT": attempt, "GITHUB_ACTOR": by}
    return {"payload": payload, "variables": {"GITHUB_EVENT_NAME": kind, **found, **job}}


def open_gate(server: GitHubServer, repository: str, run: int, environment: str, by: str) -> None:
    """Run the job that waits in an environment, approve it as one of the environment's reviewers, end it."""
    with server.place(repository) as place:
        job = runs.start_job(place, run, f"gate {environment}", environment=environment)
        if job.status == "waiting":
            runs.review_run(place, run, environment, by)
        runs.finish_job(place, run, job.id)


def pushed(server: GitHubServer, repository: str, by: str) -> None:
    """Let what was pushed since the last request be somebody's push."""
    with server.place(repository, pusher=by):
        pass


def find_pull(server: GitHubServer, repository: str, branch: str) -> int | None:
    """The open pull request from a branch, if there is one."""
    with server.place(repository, reads=True) as place:
        for one in place.repository.pulls():
            if one.state == "open" and one.pull and one.pull.head_ref == branch:
                return one.number
    return None


def branches(server: GitHubServer, repository: str) -> dict[str, str]:
    """The commit of each branch."""
    with server.place(repository, reads=True) as place:
        return place.git.heads()


def introduce(server: GitHubServer, repository: str, login: str) -> None:
    """Let somebody who has no role yet write."""
    with server.place(repository) as place:
        new = login not in place.repository.roles
    if new:
        server.set_role(repository, login, "write")


def close(server: GitHubServer, repository: str, number: int, by: str) -> None:
    """Close an issue or a pull request."""
    with server.place(repository) as place:
        issues.close(place, place.issue(number), by)


def merge(server: GitHubServer, repository: str, number: int, by: str, method: str = "merge") -> str:
    """Merge a pull request; the commit on trunk."""
    with server.place(repository) as place:
        return pulls.merge(place, place.pull(number), by, method)


def review(
    server: GitHubServer, repository: str, number: int, by: str, event: str, body: str = "", commit: str = ""
) -> int:
    """Review a pull request (APPROVE, REQUEST_CHANGES, COMMENT); the review's id."""
    with server.place(repository) as place:
        return pulls.review(place, place.pull(number), by, event, body, commit).id


def comment(server: GitHubServer, repository: str, number: int, by: str, body: str) -> int:
    """Comment on an issue or a pull request; the comment's id."""
    with server.place(repository) as place:
        return issues.comment(place, place.issue(number), by, body).id


def label(server: GitHubServer, repository: str, number: int, by: str, name: str) -> None:
    """Put a label on an issue or a pull request."""
    with server.place(repository) as place:
        issues.add_labels(place, place.issue(number), by, [name])
