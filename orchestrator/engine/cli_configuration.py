"""Chooses Terraform's CLI configuration for a run, and writes it below the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from orchestrator.atomic_files import write_private
from orchestrator.config import TerraformSettings
from orchestrator.engine.folders import Folders, private
from orchestrator.engine.origin import is_ci
from orchestrator.errors import ConfigError, GitError, ProjectError
from orchestrator.repository.model import Project
from orchestrator.repository.trunk import config_at, trunk_commit
from orchestrator.terraform.cli_configuration import VARIABLE, CliConfiguration, choose_cli_configuration


def cli_configuration_of(
    project: Project, environ: Mapping[str, str], *, ci_command: bool = False
) -> CliConfiguration:
    """The CLI configuration for a project.

    `infra ci …` brings trunk's settings in the project; any other command in a CI job reads them from trunk.
    """
    if ci_command:
        return choose_cli_configuration(environ, project.config.terraform, project.root, in_ci=True)
    if is_ci(environ):
        return choose_cli_configuration(environ, settings_of_trunk(project), project.root, in_ci=True)
    return choose_cli_configuration(environ, project.config.terraform, project.root, in_ci=False)


def settings_of_trunk(project: Project) -> TerraformSettings:
    """`terraform` of infra.yaml in the commit from which the work at hand parted from trunk.

    The defaults where there is no such commit: what cannot be told to be trunk's does not count.
    """
    try:
        commit = trunk_commit(project)
        return config_at(project, commit).terraform if commit else TerraformSettings()
    except (GitError, ConfigError, ProjectError):
        return TerraformSettings()


def with_cli_configuration(environ: Mapping[str, str], folders: Folders, text: str) -> dict[str, str]:
    """The environment with a CLI configuration of this text, written where the cache is."""
    data = text.encode()
    path = private(folders.cache / "cli") / f"{hashlib.sha256(data).hexdigest()[:16]}.tfrc"
    if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
        write_private(path, data)
    return {**environ, VARIABLE: str(path)}
