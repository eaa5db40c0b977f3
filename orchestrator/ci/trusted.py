"""What a pull request's own infra.yaml may not decide about the job that plans it."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.config import Config
from orchestrator.project.model import Project


def trusted(project: Project, rules: Config) -> tuple[Project, tuple[str, ...]]:
    """The project with what decides over credentials and secrets as trunk's infra.yaml (`rules`) has it.

    That is the program that is run as Terraform, the variables of the job that it gets, and what is masked
    (more may be masked than trunk says, never less). Gives notes on what was left out.
    """
    config = project.config
    environments = {}
    notes = []
    for name, settings in config.environments.items():
        known = rules.environment(name).env
        left = sorted(one for one in settings.env if one not in known and not one.startswith("TF_VAR_"))
        if left:
            notes.append(f"{', '.join(left)}: passed to Terraform in {name} only after the merge.")
        environments[name] = replace(settings, env=tuple(one for one in settings.env if one not in left))
    if config.terraform.binary != rules.terraform.binary:
        notes.append("terraform.binary of infra.yaml changes: used only after the merge.")
    masking, before = config.masking, rules.masking
    safe = replace(
        config,
        environments=environments,
        terraform=replace(config.terraform, binary=rules.terraform.binary),
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
