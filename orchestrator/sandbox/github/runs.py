"""Runs of workflows and their jobs: what waits for reviewers of an environment, and what for its turn.

Nothing is executed here. Whoever plays a job starts it, reads its status and says how it ended.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from orchestrator.sandbox.github.errors import GitHubError, not_found, unprocessable
from orchestrator.sandbox.github.model import Environment, Job, Repository, Run, RunApproval
from orchestrator.sandbox.github.place import Place

# How many jobs wait in a group that queues; GitHub cancels further ones.
QUEUE_LIMIT = 100


def start_run(place: Place, workflow: str, event: str, branch: str, commit: str, actor: str) -> Run:
    """A new run of a workflow on a commit of a branch."""
    now = place.now()
    run = Run(place.next_id(), workflow, event, branch, commit, "in_progress", "", actor, now)
    place.repository.runs.append(run)
    return run


def find_run(repository: Repository, run_id: int | str) -> Run:
    """A run by its id; 404 when there is none."""
    for run in repository.runs:
        if str(run.id) == str(run_id):
            return run
    raise not_found()


def newest_run(repository: Repository, event: str, branch: str, commit: str) -> Run | None:
    """The newest run that an event started on a commit of a branch."""
    for run in reversed(repository.runs):
        if (run.event, run.branch, run.commit) == (event, branch, commit):
            return run
    return None


def rerun(place: Place, run_id: int, *, failed_only: bool = False) -> Run:
    """Start another attempt: of all jobs, or of those that did not succeed."""
    run = find_run(place.repository, run_id)
    run.attempt += 1
    run.status, run.conclusion = "in_progress", ""
    if failed_only:
        run.jobs = [job for job in run.jobs if job.conclusion == "success"]
    else:
        run.jobs = []
    return run


def start_job(
    place: Place, run_id: int, name: str, *, environment: str = "", group: str = "", queue: str = "single"
) -> Job:
    """Start a job of a run: it waits for its concurrency group, then for reviewers, then it is in progress.

    `queue` is `max` where all that wait keep their turn; with `single` a newer job cancels one that waits.
    A job that waits for reviewers holds its group.
    """
    run = find_run(place.repository, run_id)
    job = Job(place.next_id(), name, "queued", "", run.attempt, place.now(), environment, group, queue)
    run.jobs.append(job)
    settings = place.repository.environments.get(environment)
    if settings is not None and not _may_deploy(place, settings, run.branch):
        _complete(job, "failure")
        return job
    ahead = [one for one in _members(place.repository, group) if one.status == "queued" and one is not job]
    if queue == "max" and len(ahead) >= QUEUE_LIMIT:
        _complete(job, "cancelled")
        return job
    for one in ahead if queue != "max" else ():
        _complete(one, "cancelled")
    _advance(place.repository, job)
    return job


def finish_job(place: Place, run_id: int, job_id: int, conclusion: str = "success") -> None:
    """End a job that is in progress; the next one in its group begins."""
    job = _job(find_run(place.repository, run_id), job_id)
    if job.status != "in_progress":
        raise unprocessable(f"The job {job.name} is {job.status}.")
    _complete(job, conclusion)
    _advance(place.repository, job)


def review_run(
    place: Place, run_id: int, environment: str, by: str, *, state: str = "approved", comment: str = ""
) -> None:
    """Approve or reject what waits in an environment, as one of its required reviewers."""
    run, settings, waiting = _waiting(place, run_id, environment)
    if by not in settings.reviewers or (settings.prevent_self_review and by == run.actor):
        raise GitHubError(403, f"{by} is no required reviewer of {environment}.")
    run.approvals.append(RunApproval([environment], state, by, comment))
    _release(place, waiting, approved=state == "approved")


def bypass(place: Place, run_id: int, environment: str, by: str) -> None:
    """Start what waits in an environment as an administrator; nobody is noted as having approved it."""
    _, _, waiting = _waiting(place, run_id, environment)
    if place.repository.roles.get(by) != "admin":
        raise GitHubError(403, f"{by} is no administrator.")
    _release(place, waiting, approved=True)


def _waiting(place: Place, run_id: int, environment: str) -> tuple[Run, Environment, list[Job]]:
    """A run, an environment, and the run's jobs that wait there; 422 when there are none."""
    run, settings = find_run(place.repository, run_id), place.repository.environments.get(environment)
    waiting = [job for job in run.jobs if job.status == "waiting" and job.environment == environment]
    if settings is None or not waiting:
        raise unprocessable("No pending deployment requests to approve or reject")
    return run, settings, waiting


def _release(place: Place, jobs: list[Job], *, approved: bool) -> None:
    for job in jobs:
        if approved:
            job.status = "in_progress"
        else:
            _complete(job, "failure")
            _advance(place.repository, job)


def _advance(repository: Repository, job: Job) -> None:
    """Begin what is next in a job's concurrency group, or the job itself where it has none."""
    members = _members(repository, job.group) if job.group else [job]
    if any(one.status in ("in_progress", "waiting") for one in members):
        return
    following = next((one for one in members if one.status == "queued"), None)
    if following is not None:
        settings = repository.environments.get(following.environment)
        following.status = "waiting" if settings is not None and settings.reviewers else "in_progress"


def _members(repository: Repository, group: str) -> list[Job]:
    """The jobs of all runs in a concurrency group, oldest first; case makes no difference in its name."""
    jobs = [job for run in repository.runs for job in run.jobs]
    return sorted(
        (job for job in jobs if job.group and job.group.lower() == group.lower()), key=lambda job: job.id
    )


def _may_deploy(place: Place, settings: Environment, branch: str) -> bool:
    """Whether an environment takes jobs of a branch."""
    if settings.protected_branches:
        return branch in place.repository.protection
    return settings.branches is None or any(fnmatchcase(branch, pattern) for pattern in settings.branches)


def _complete(job: Job, conclusion: str) -> None:
    job.status, job.conclusion = "completed", conclusion


def _job(run: Run, job_id: int) -> Job:
    for job in run.jobs:
        if job.id == job_id:
            return job
    raise not_found()
