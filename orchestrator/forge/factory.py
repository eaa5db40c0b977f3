"""Opens the forge and the CI job that an environment names, and what else is particular to a forge.

GitHub is the only forge today. Another one is a folder beside `github/`, chosen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.engine.rollout_requests import RolloutRequests
    from orchestrator.forge.check import ForgeCheck
    from orchestrator.forge.event import Event
    from orchestrator.forge.install_source import GitSource, ReleaseSource, Source
    from orchestrator.forge.interface import OpenForge
    from orchestrator.forge.retry_policy import RetryPolicy
    from orchestrator.forge.setup import SetupForge
    from orchestrator.forge.words import ForgeWords
    from orchestrator.forge.workflow_target import PortalHost, WorkflowTarget
    from orchestrator.report.modules import ModulesReport
    from orchestrator.repository.model import Finding, Project


def open_forge(environ: Mapping[str, str], retry_policy: RetryPolicy | None = None) -> OpenForge:
    """Opens the repository that the environment names. Sends no request; close it after use.

    Raises UsageError if the environment names no repository, or holds no token for it.
    """
    from orchestrator.forge.github import open_github

    return open_github(environ, retry_policy)


def read_event(environ: Mapping[str, str]) -> Event | None:
    """Reads the event that the CI job runs for; None outside CI. Raises UsageError."""
    from orchestrator.forge.github import event

    return event.read_event(environ)


def read_skip_reason(environ: Mapping[str, str], environment: str) -> str:
    """Reads the reason for skipping an environment's checks from a manual run. Raises UsageError."""
    from orchestrator.forge.github import event

    return event.read_skip_reason(environ, environment)


def read_rollout_requests(environ: Mapping[str, str], environment: str) -> RolloutRequests:
    """Reads the requests for an environment's rollout from a manual run. Raises UsageError."""
    from orchestrator.forge.github import event

    return event.read_rollout_requests(environ, environment)


def add_summary(environ: Mapping[str, str], text: str) -> None:
    """Adds Markdown to the summary page of the CI job; does nothing outside CI."""
    from orchestrator.forge.github import job_outputs

    job_outputs.add_summary(environ, text)


def set_outputs(environ: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Sets outputs of the CI step; does nothing outside CI."""
    from orchestrator.forge.github import job_outputs

    job_outputs.set_outputs(environ, outputs)


def forge_words() -> ForgeWords:
    """The names that the forge has for things, for texts where none is open."""
    from orchestrator.forge.github.words import GITHUB_WORDS

    return GITHUB_WORDS


def annotate_findings(findings: Iterable[Finding]) -> Iterator[str]:
    """Renders an annotation of the CI job for each finding."""
    from orchestrator.forge.github import workflow_commands

    return workflow_commands.render_findings(findings)


def annotate_modules(report: ModulesReport) -> Iterator[str]:
    """Renders an annotation of the CI job for each problem of a module's tests."""
    from orchestrator.forge.github import workflow_commands

    return workflow_commands.render_modules(report)


def examine_forge(project: Project, environ: Mapping[str, str]) -> Iterator[ForgeCheck]:
    """Checks how the repository is set up on the forge."""
    from orchestrator.forge.github.doctor.examine import examine_github

    return examine_github(project, environ)


def check_workflow_installs(project: Project) -> Iterator[ForgeCheck]:
    """Checks that the workflows of the checkout install infra with pins."""
    from orchestrator.forge.github.doctor.workflow_files import read_workflows
    from orchestrator.forge.github.doctor.workflow_rules import check_installs

    for workflow in read_workflows(project.tree):
        yield from check_installs(workflow)


def render_setup(
    outputs: Mapping[str, Any], trunk: str, order: Sequence[str] = (), gates: Sequence[str] = ()
) -> Iterator[str]:
    """Renders how to set the forge up after a bootstrap with these outputs."""
    from orchestrator.forge.github import setup_text

    return setup_text.render_setup(outputs, trunk, order, gates)


def render_accounts(outputs: Mapping[str, Any], order: Sequence[str] = ()) -> Iterator[str]:
    """Renders the part of infra.yaml that names a bootstrap's accounts."""
    from orchestrator.forge.github import setup_text

    return setup_text.render_accounts(outputs, order)


def render_repositories(outputs: Mapping[str, Any], trunk: str) -> Iterator[str]:
    """Renders what other repositories in a bootstrap's bucket need."""
    from orchestrator.forge.github import setup_text

    return setup_text.render_repositories(outputs, trunk)


def find_repository(project: Project, environ: Mapping[str, str]) -> str:
    """`OWNER/NAME` from the job, else from origin's address; empty if unknown."""
    from orchestrator.forge.github.doctor import examine

    return examine.find_repository(project, environ)


def open_setup(project: Project, environ: Mapping[str, str]) -> SetupForge:
    """Opens a project's repository to set it up; close it after use. Raises UsageError as `open_forge`."""
    from orchestrator.forge.github import open_github

    return open_github({**environ, "GITHUB_REPOSITORY": find_repository(project, environ)})


def portal_host(text: str) -> PortalHost | None:
    """Where the portal of a workflow that was written goes; None for any other text."""
    from orchestrator.forge.github import workflows

    return workflows.portal_host(text)


def workflow_folder() -> str:
    """The folder of the workflows, from the repository's root."""
    from orchestrator.forge.github.workflows import FOLDER

    return FOLDER


def render_workflows(target: WorkflowTarget, source: Source) -> Mapping[str, str]:
    """Renders the workflow files: path from the repository's root → content."""
    from orchestrator.forge.github.workflows import render

    return render(target, source)


def render_install(source: GitSource | ReleaseSource) -> str:
    """Renders the shell lines by which a job installs infra and Terraform with pins."""
    from orchestrator.forge.github import install_step

    return install_step.render_install(source, "embedded")
