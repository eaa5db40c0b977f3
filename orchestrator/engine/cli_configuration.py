"""Terraform's CLI configuration for a run: by whose rules it is chosen, and where it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from orchestrator.config import TerraformSettings, load_text
from orchestrator.engine.folders import Folders, private, write_private
from orchestrator.engine.origin import is_ci
from orchestrator.errors import ConfigError, GitError, ProjectError
from orchestrator.project.affected import base_commit
from orchestrator.project.model import Project
from orchestrator.terraform.cli_configuration import VARIABLE, CliConfiguration, choose

CONFIG = "infra.yaml"


def cli_configuration_of(
    project: Project, environ: Mapping[str, str], *, ci_command: bool = False
) -> CliConfiguration:
    """The CLI configuration for a project.

    `infra ci …` brings trunk's settings in the project; any other command in a CI job reads them from trunk.
    """
    if ci_command:
        return choose(environ, project.config.terraform, project.root, in_ci=True)
    if is_ci(environ):
        return choose(environ, settings_of_trunk(project), project.root, in_ci=True)
    return choose(environ, project.config.terraform, project.root, in_ci=False)


def settings_of_trunk(project: Project) -> TerraformSettings:
    """`terraform` of infra.yaml in the commit from which the work at hand parted from trunk.

    The defaults where there is no such commit: what cannot be told to be trunk's does not count.
    """
    try:
        commit = base_commit(project)
        tree = project.repository.commit_tree(commit) if commit else None
        if tree is None or CONFIG not in tree.ids:
            return TerraformSettings()
        return load_text(tree.read(CONFIG)).terraform
    except (GitError, ConfigError, ProjectError):
        return TerraformSettings()


def with_cli_configuration(environ: Mapping[str, str], folders: Folders, text: str) -> dict[str, str]:
    """The environment with a CLI configuration of this text, written where the cache is."""
    data = text.encode()
    path = private(folders.cache / "cli") / f"{hashlib.sha256(data).hexdigest()[:16]}.tfrc"
    if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
        write_private(path, data)
    return {**environ, VARIABLE: str(path)}
