"""`/repos/…/actions`: workflows that are requested, and their runs."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

from orchestrator.sandbox.github import runs
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall
from orchestrator.sandbox.github.commit_shapes import workflow_id
from orchestrator.sandbox.github.errors import not_found, unprocessable
from orchestrator.sandbox.github.model import Dispatch

_FOLDER = ".github/workflows"


def dispatch(call: RepositoryCall) -> ApiResponse:
    """Dispatch a workflow: it is recorded, and the hook is called."""
    name = _workflow(call, _workflows(call))
    ref = call.text("ref")
    branch = ref.removeprefix("refs/heads/")
    sha = call.service.git.heads().get(branch)
    if sha is None:
        raise unprocessable(f"No ref found for: {ref}")
    inputs = {str(key): str(value) for key, value in (call.content.get("inputs") or {}).items()}
    service, login = call.service, call.token.login
    now = service.now()
    run = runs.start_run(service, name, "workflow_dispatch", branch, sha, login)
    run.status = "queued"
    dispatch = Dispatch(name, ref, inputs, login, now, run.id)
    service.repository.dispatches.append(dispatch)
    if service.hook:
        # As on GitHub, the workflow begins when this request has been answered; it may ask us things.
        Thread(target=service.hook, args=(dispatch,), name="workflow", daemon=True).start()
    if not call.content.get("return_run_details"):
        return ApiResponse(204)
    links = {"run_url": call.commits.run(run)["url"], "html_url": call.commits.run(run)["html_url"]}
    return ApiResponse(200, {"workflow_run_id": run.id, **links})


def get_workflow(call: RepositoryCall) -> ApiResponse:
    """One workflow: a file of trunk, or one that only a run of another branch knows."""
    ran = [run.workflow for run in call.service.repository.runs]
    return ApiResponse(200, call.commits.workflow(_workflow(call, [*_workflows(call), *ran])))


def list_workflows(call: RepositoryCall) -> ApiResponse:
    """The workflow files of trunk."""
    return call.page([call.commits.workflow(name) for name in _workflows(call)], "workflows")


def list_runs(call: RepositoryCall) -> ApiResponse:
    """Runs that the query asks for, newest first."""
    query = call.request.query
    runs = [
        run
        for run in reversed(call.service.repository.runs)
        if query.get("branch", run.branch) == run.branch
        and query.get("event", run.event) == run.event
        and query.get("head_sha", run.commit) == run.commit
        and query.get("status", run.visible_status) in (run.visible_status, run.conclusion)
    ]
    return call.page([call.commits.run(run) for run in runs], "workflow_runs")


def get_run(call: RepositoryCall) -> ApiResponse:
    """One run."""
    return ApiResponse(
        200, call.commits.run(runs.find_run(call.service.repository, call.arguments["run_id"]))
    )


def list_approvals(call: RepositoryCall) -> ApiResponse:
    """What reviewers answered for a run's environments, in all its attempts."""
    run = runs.find_run(call.service.repository, call.arguments["run_id"])
    return ApiResponse(200, [call.commits.run_approval(approval) for approval in run.approvals])


def _workflow(call: RepositoryCall, names: Sequence[str]) -> str:
    """The one of `names` that the request means by name or id; 404 when it is none of them."""
    workflow = call.arguments["workflow_id"]
    for name in names:
        if workflow in (name, str(workflow_id(name))):
            return name
    raise not_found()


def _workflows(call: RepositoryCall) -> list[str]:
    trunk = call.service.git.heads().get(call.service.repository.default_branch)
    if trunk is None:
        return []
    names = call.service.git.names(trunk, _FOLDER)
    return sorted(path.rpartition("/")[2] for kind, _, path in names if kind == "blob")
