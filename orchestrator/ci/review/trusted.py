"""What a pull request's own infra.yaml may not decide about the job that plans it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from orchestrator.config import Config
from orchestrator.project.model import Project


def trusted(
    project: Project, rules: Config, protected: Callable[[str], bool]
) -> tuple[Project, tuple[str, ...]]:
    """The project with what decides over others as trunk's infra.yaml (`rules`) has it.

    That are the programs run as Terraform, from where they take providers, the variables of the job that
    they get, what is protected and approved how, the policy, the guard, and what is masked (more may be
    masked than trunk says, never less).
    Layout, variable files, versions and dependencies are the project's own. Gives notes on what was left out.
    """
    config = project.config
    environments = {}
    notes = []
    for name in dict.fromkeys((*config.environments, *project.environments)):
        own, ruled = config.environment(name), rules.environment(name)
        left = sorted(one for one in own.env if one not in ruled.env and not one.startswith("TF_VAR_"))
        if left:
            notes.append(f"{', '.join(left)}: passed to Terraform in {name} only after the merge.")
        environments[name] = replace(
            ruled,
            protected=protected(name),
            var_files=own.var_files,
            env=tuple(one for one in own.env if one not in left),
            timeouts=own.timeouts,
            parallelism=own.parallelism,
        )
    for key in ("binary", "binaries", "provider_installation", "cli_config", "credentials"):
        if getattr(config.terraform, key) != getattr(rules.terraform, key):
            notes.append(f"terraform.{key} of infra.yaml changes: used only after the merge.")
    masking, before = config.masking, rules.masking
    safe = replace(
        config,
        accounts=rules.accounts,
        environments=environments,
        policy=rules.policy,
        guard=rules.guard,
        drift=rules.drift,
        given=rules.given,
        terraform=replace(rules.terraform, version=config.terraform.version),
        masking=replace(
            masking,
            names=_both(before.names, masking.names),
            attributes=_both(before.attributes, masking.attributes),
            patterns=_both(before.patterns, masking.patterns),
        ),
    )
    return replace(project, config=safe), tuple(notes)


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
