"""Runs `infra doctor --github`: checks the repository's settings, workflows and code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestrator.errors import InfraError
from orchestrator.forge.check import ForgeCheck
from orchestrator.forge.github import open_github
from orchestrator.forge.github.doctor import repository_files as doctor_code
from orchestrator.forge.github.doctor import settings as doctor_settings
from orchestrator.forge.github.doctor import workflow_files
from orchestrator.forge.github.doctor import workflow_rules as doctor_workflows
from orchestrator.forge.retry_policy import RetryPolicy
from orchestrator.repository.model import Project
from orchestrator.repository.repository_facts import read_facts

# A doctor does not keep people waiting for a limit to pass.
_MAX_WAIT = 20.0

_REMOTE = re.compile(r"[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")


def examine_github(project: Project, environ: Mapping[str, str]) -> Iterator[ForgeCheck]:
    """Runs every check. What the token may not read is reported as unseen, never as ok."""
    repository = find_repository(project, environ)
    yield from _check_github_settings(project, {**environ, "GITHUB_REPOSITORY": repository})
    files = workflow_files.read_workflows(project.tree)
    yield from doctor_workflows.check_workflows(files, repository, project.environments)
    facts = read_facts(project.coverage.source, None)
    yield from doctor_workflows.check_terraform(files, project.config.terraform.install, facts.version)
    yield from doctor_code.check_owners(project)
    yield from doctor_code.check_identity(project)


def _check_github_settings(project: Project, environ: Mapping[str, str]) -> Iterator[ForgeCheck]:
    """Checks the repository's settings on GitHub."""
    try:
        trunk = project.trunk_branch
        with open_github(environ, RetryPolicy(total=_MAX_WAIT)) as host:
            forge_settings = host.settings(trunk)
    except InfraError as error:
        what = f"the repository's settings could not be seen, because: {error.message}"
        yield ForgeCheck("settings", "unseen", what, error.advice)
        return
    yield from doctor_settings.check_settings(project, forge_settings, trunk)


def find_repository(project: Project, environ: Mapping[str, str]) -> str:
    """`OWNER/NAME` from the job, else from origin's address; empty if unknown."""
    repository = environ.get("GITHUB_REPOSITORY", "")
    match = _REMOTE.search(project.repository.remote_url() or "")
    return repository or (match[1] if match else "")
