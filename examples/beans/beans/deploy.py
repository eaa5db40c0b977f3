"""Deploys the compiled pipeline to an environment, and runs it there.

A deployment uploads the file that the repository holds; the registry answers with its digest. Every
environment gets the same file, so dev, staging and production run the same digest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp.registry import RegistryClient

from beans.pipeline import NAME
from beans.settings import PipelineSettings
from beans.vertex import Vertex, VertexError, upload_template

COMPILED = Path(__file__).parent.parent / "compiled" / "beans.yaml"


def deploy(
    settings: PipelineSettings, registry: RegistryClient, vertex: Vertex, log: Callable[[str], None]
) -> str:
    """Uploads the template, lets the schedule run it, and returns its address. Repeating it changes nothing.

    Raises VertexError; the schedule then still runs what it ran before.
    """
    template = template_address(settings, upload_template(registry, COMPILED))
    log(f"{settings.environment}: the registry holds {template}")
    job = job_request(settings, template)
    schedule = vertex.find_schedule(schedule_name(settings))
    body = {
        "cron": settings.cron,
        "createPipelineJobRequest": {"parent": _parent(settings), "pipelineJob": job},
    }
    if schedule is None:
        vertex.create_schedule({"displayName": schedule_name(settings), "maxConcurrentRunCount": "1", **body})
        log(f"{settings.environment}: created the schedule ({settings.cron})")
        return template
    if _runs(schedule) == (template, settings.cron, job["runtimeConfig"]["parameterValues"]):
        log(f"{settings.environment}: the schedule runs it already")
        return template
    vertex.update_schedule(str(schedule["name"]), body)
    log(f"{settings.environment}: the schedule runs it from now on ({settings.cron})")
    return template


def check(
    settings: PipelineSettings, vertex: Vertex, limit: float, pause: float, log: Callable[[str], None]
) -> None:
    """Runs what the environment's schedule runs, and waits for its end, `limit` seconds at most.

    The pipeline measures its model itself and fails if it is not good enough. Raises VertexError.
    """
    schedule = vertex.find_schedule(schedule_name(settings))
    if schedule is None:
        raise VertexError(f"{settings.environment} has no schedule {schedule_name(settings)}: deploy first")
    template, _, _ = _runs(schedule)
    name = vertex.create_run(job_request(settings, template))
    log(f"{settings.environment}: {name} runs {template}")
    job = vertex.wait_for_run(name, limit, pause, lambda state: log(f"{settings.environment}: {state}"))
    if job["state"] != "PIPELINE_STATE_SUCCEEDED":
        reason = (job.get("error") or {}).get("message") or "no reason was given"
        raise VertexError(f"{name} ended as {job['state']}: {reason}")


def template_address(settings: PipelineSettings, version: str) -> str:
    """The address of a version of the pipeline in the environment's registry."""
    return f"{settings.registry}/{NAME}/{version}"


def schedule_name(settings: PipelineSettings) -> str:
    """The display name of the environment's schedule."""
    return f"{NAME}-{settings.environment}"


def job_request(settings: PipelineSettings, template: str) -> dict[str, Any]:
    """A pipeline job as `projects.locations.pipelineJobs.create` takes it."""
    return {
        "displayName": f"{NAME}-{settings.environment}",
        "templateUri": template,
        "serviceAccount": settings.runner,
        "labels": {"pipeline": NAME, "environment": settings.environment},
        "runtimeConfig": {
            "gcsOutputDirectory": f"{settings.artifacts.rstrip('/')}/runs/{NAME}",
            "failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_FAST",
            "parameterValues": settings.pipeline_parameters,
        },
    }


def _parent(settings: PipelineSettings) -> str:
    return f"projects/{settings.project}/locations/{settings.location}"


def _runs(schedule: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Template, cron and parameters of a schedule."""
    job = (schedule.get("createPipelineJobRequest") or {}).get("pipelineJob") or {}
    parameters = (job.get("runtimeConfig") or {}).get("parameterValues") or {}
    return str(job.get("templateUri", "")), str(schedule.get("cron", "")), parameters
