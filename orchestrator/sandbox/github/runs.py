"""Runs of workflows and their jobs: what waits for reviewers of an environment, and what for its turn.

Nothing is executed here. Whoever plays a job starts it, reads its status and says how it ended.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from orchestrator.sandbox.github.errors import GitHubError, not_found, unprocessable
from orchestrator.sandbox.github.model import (
    DeploymentEnvironment,
    HostedRepository,
    JobRecord,
    RunApproval,
    WorkflowRun,
)
from orchestrator.sandbox.github.repository import RepositoryService

# How many jobs wait in a group that queues; GitHub cancels further ones.
QUEUE_LIMIT = 100


def start_run(
    service: RepositoryService, workflow: str, event: str, branch: str, commit: str, actor: str
) -> WorkflowRun:
    """A new run of a workflow on a commit of a branch."""
    now = service.now()
    run = WorkflowRun(service.next_id(), workflow, event, branch, commit, "in_progress", "", actor, now)
    service.repository.runs.append(run)
    return run


def find_run(repository: HostedRepository, run_id: int | str) -> WorkflowRun:
    """A run by its id; 404 when there is none."""
    for run in repository.runs:
        if str(run.id) == str(run_id):
            return run
    raise not_found()


def newest_run(repository: HostedRepository, event: str, branch: str, commit: str) -> WorkflowRun | None:
    """The newest run that an event started on a commit of a branch."""
    for run in reversed(repository.runs):
        if (run.event, run.branch, run.commit) == (event, branch, commit):
            return run
    return None


def rerun(service: RepositoryService, run_id: int, *, failed_only: bool = False) -> WorkflowRun:
    """Start another attempt: of all jobs, or of those that did not succeed."""
    run = find_run(service.repository, run_id)
    run.attempt += 1
    run.status, run.conclusion = "in_progress", ""
    if failed_only:
        run.jobs = [job for job in run.jobs if job.conclusion == "success"]
    else:
        run.jobs = []
    return run


def start_job(
    service: RepositoryService,
    run_id: int,
    name: str,
    *,
    environment: str = "",
    group: str = "",
    queue: str = "single",
) -> JobRecord:
    """Start a job of a run: it waits for its concurrency group, then for reviewers, then it is in progress.

    `queue` is `max` where all that wait keep their turn; with `single` a newer job cancels one that waits.
    A job that waits for reviewers holds its group.
    """
    run = find_run(service.repository, run_id)
    job = JobRecord(
        service.next_id(), name, "queued", "", run.attempt, service.now(), environment, group, queue
    )
    run.jobs.append(job)
    settings = service.repository.environments.get(environment)
    if settings is not None and not _may_deploy(service, settings, run.branch):
        _complete(job, "failure")
        return job
    ahead = [
        member
        for member in _members(service.repository, group)
        if member.status == "queued" and member is not job
    ]
    if queue == "max" and len(ahead) >= QUEUE_LIMIT:
        _complete(job, "cancelled")
        return job
    for job_record in ahead if queue != "max" else ():
        _complete(job_record, "cancelled")
    _advance(service.repository, job)
    return job


def finish_job(service: RepositoryService, run_id: int, job_id: int, conclusion: str = "success") -> None:
    """End a job that is in progress; the next one in its group begins."""
    job = _job(find_run(service.repository, run_id), job_id)
    if job.status != "in_progress":
        raise unprocessable(f"The job {job.name} is {job.status}.")
    _complete(job, conclusion)
    _advance(service.repository, job)


def review_run(
    service: RepositoryService,
    run_id: int,
    environment: str,
    by: str,
    *,
    state: str = "approved",
    comment: str = "",
) -> None:
    """Approve or reject what waits in an environment, as one of its required reviewers."""
    run, settings, waiting = _waiting(service, run_id, environment)
    if by not in settings.reviewers or (settings.prevent_self_review and by == run.actor):
        raise GitHubError(403, f"{by} is no required reviewer of {environment}.")
    run.approvals.append(RunApproval([environment], state, by, comment))
    _release(service, waiting, approved=state == "approved")


def bypass(service: RepositoryService, run_id: int, environment: str, by: str) -> None:
    """Start what waits in an environment as an administrator; nobody is noted as having approved it."""
    _, _, waiting = _waiting(service, run_id, environment)
    if service.repository.roles.get(by) != "admin":
        raise GitHubError(403, f"{by} is no administrator.")
    _release(service, waiting, approved=True)


def _waiting(
    service: RepositoryService, run_id: int, environment: str
) -> tuple[WorkflowRun, DeploymentEnvironment, list[JobRecord]]:
    """A run, an environment, and the run's jobs that wait there; 422 when there are none."""
    run, settings = find_run(service.repository, run_id), service.repository.environments.get(environment)
    waiting = [job for job in run.jobs if job.status == "waiting" and job.environment == environment]
    if settings is None or not waiting:
        raise unprocessable("No pending deployment requests to approve or reject")
    return run, settings, waiting


def _release(service: RepositoryService, jobs: list[JobRecord], *, approved: bool) -> None:
    for job in jobs:
        if approved:
            job.status = "in_progress"
        else:
            _complete(job, "failure")
            _advance(service.repository, job)


def _advance(repository: HostedRepository, job: JobRecord) -> None:
    """Begin what is next in a job's concurrency group, or the job itself where it has none."""
    members = _members(repository, job.group) if job.group else [job]
    if any(member.status in ("in_progress", "waiting") for member in members):
        return
    following = next((member for member in members if member.status == "queued"), None)
    if following is not None:
        settings = repository.environments.get(following.environment)
        following.status = "waiting" if settings is not None and settings.reviewers else "in_progress"


def _members(repository: HostedRepository, group: str) -> list[JobRecord]:
    """The jobs of all runs in a concurrency group, oldest first; case makes no difference in its name."""
    jobs = [job for run in repository.runs for job in run.jobs]
    return sorted(
        (job for job in jobs if job.group and job.group.lower() == group.lower()), key=lambda job: job.id
    )


def _may_deploy(service: RepositoryService, settings: DeploymentEnvironment, branch: str) -> bool:
    """Whether an environment takes jobs of a branch."""
    if settings.protected_branches:
        return branch in service.repository.protection
    return settings.branches is None or any(fnmatchcase(branch, pattern) for pattern in settings.branches)


def _complete(job: JobRecord, conclusion: str) -> None:
    job.status, job.conclusion = "completed", conclusion


def _job(run: WorkflowRun, job_id: int) -> JobRecord:
    for job in run.jobs:
        if job.id == job_id:
            return job
    raise not_found()
