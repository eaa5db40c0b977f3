"""`infra doctor --github`: how the repository is set up on GitHub, in its workflows and its code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestrator.ci.doctor import code as doctor_code
from orchestrator.ci.doctor import settings as doctor_settings
from orchestrator.ci.doctor import workflow_files
from orchestrator.ci.doctor import workflows as doctor_workflows
from orchestrator.ci.doctor.check import GitHubCheck
from orchestrator.errors import InfraError
from orchestrator.hosts.github import open_host
from orchestrator.hosts.patience import Patience
from orchestrator.project.model import Project
from orchestrator.review.pending import trunk_branch

# A doctor does not keep people waiting for a limit to pass.
PATIENCE = 20.0

_REMOTE = re.compile(r"[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")


def examine_github(project: Project, environ: Mapping[str, str]) -> Iterator[GitHubCheck]:
    """Every check. What the token at hand may not see is told as such, never as fine."""
    repository = repository_of(project, environ)
    yield from settings(project, {**environ, "GITHUB_REPOSITORY": repository})
    files = workflow_files.read_all(project.tree)
    yield from doctor_workflows.workflows(files, repository, project.environments)
    yield from doctor_code.owners(project)
    yield from doctor_code.identity(project)


def settings(project: Project, environ: Mapping[str, str]) -> Iterator[GitHubCheck]:
    """What GitHub says about the repository."""
    try:
        trunk = trunk_branch(project)
        with open_host(environ, Patience(total=PATIENCE)) as host:
            found = host.settings(trunk)
    except InfraError as error:
        what = f"the repository's settings could not be seen, because: {error.message}"
        yield GitHubCheck("settings", "unseen", what, error.advice)
        return
    yield from doctor_settings.settings(project, found, trunk)


def repository_of(project: Project, environ: Mapping[str, str]) -> str:
    """`OWNER/NAME` as a job has it, else as origin's address tells; empty when neither does."""
    given = environ.get("GITHUB_REPOSITORY", "")
    found = _REMOTE.search(project.repository.remote_url() or "")
    return given or (found[1] if found else "")
