"""`/repos/…/actions`: workflows that are asked for, and their runs."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

from orchestrator.sandbox.github import runs
from orchestrator.sandbox.github.call import Answer, Call
from orchestrator.sandbox.github.commit_shapes import workflow_id
from orchestrator.sandbox.github.errors import not_found, unprocessable
from orchestrator.sandbox.github.model import Dispatch

_FOLDER = ".github/workflows"


def dispatch(call: Call) -> Answer:
    """Start a workflow: it is written down, and the place's hook is told."""
    name = _workflow(call, _workflows(call))
    ref = call.text("ref")
    branch = ref.removeprefix("refs/heads/")
    sha = call.place.git.heads().get(branch)
    if sha is None:
        raise unprocessable(f"No ref found for: {ref}")
    inputs = {str(key): str(value) for key, value in (call.content.get("inputs") or {}).items()}
    place, login = call.place, call.token.login
    now = place.now()
    run = runs.start_run(place, name, "workflow_dispatch", branch, sha, login)
    run.status = "queued"
    made = Dispatch(name, ref, inputs, login, now, run.id)
    place.repository.dispatches.append(made)
    if place.hook:
        # As on GitHub, the workflow begins when this request has been answered; it may ask us things.
        Thread(target=place.hook, args=(made,), name="workflow", daemon=True).start()
    if not call.content.get("return_run_details"):
        return Answer(204)
    links = {"run_url": call.commits.run(run)["url"], "html_url": call.commits.run(run)["html_url"]}
    return Answer(200, {"workflow_run_id": run.id, **links})


def get_workflow(call: Call) -> Answer:
    """One workflow: a file of trunk, or one that only a run of another branch knows."""
    ran = [run.workflow for run in call.place.repository.runs]
    return Answer(200, call.commits.workflow(_workflow(call, [*_workflows(call), *ran])))


def list_workflows(call: Call) -> Answer:
    """The workflow files of trunk."""
    return call.page([call.commits.workflow(name) for name in _workflows(call)], "workflows")


def list_runs(call: Call) -> Answer:
    """Runs that the query asks for, newest first."""
    query = call.request.query
    found = [
        one
        for one in reversed(call.place.repository.runs)
        if query.get("branch", one.branch) == one.branch
        and query.get("event", one.event) == one.event
        and query.get("head_sha", one.commit) == one.commit
        and query.get("status", one.status) in (one.status, one.conclusion)
    ]
    return call.page([call.commits.run(one) for one in found], "workflow_runs")


def get_run(call: Call) -> Answer:
    """One run."""
    return Answer(200, call.commits.run(runs.find_run(call.place.repository, call.arguments["run_id"])))


def list_approvals(call: Call) -> Answer:
    """What reviewers answered for a run's environments, in all its attempts."""
    run = runs.find_run(call.place.repository, call.arguments["run_id"])
    return Answer(200, [call.commits.run_approval(one) for one in run.approvals])


def _workflow(call: Call, names: Sequence[str]) -> str:
    """The one of `names` that the request means by name or id; 404 when it is none of them."""
    wanted = call.arguments["workflow_id"]
    for name in names:
        if wanted in (name, str(workflow_id(name))):
            return name
    raise not_found()


def _workflows(call: Call) -> list[str]:
    trunk = call.place.git.heads().get(call.place.repository.default_branch)
    if trunk is None:
        return []
    found = call.place.git.names(trunk, _FOLDER)
    return sorted(path.rpartition("/")[2] for kind, _, path in found if kind == "blob")
