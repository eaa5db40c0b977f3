"""The scope of a change: the project, trunk's rules for it, the affected stacks, and one job's part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.config import Config, Order
from orchestrator.config.hooks import changed_hooks
from orchestrator.engine import shards
from orchestrator.errors import GitError, UsageError
from orchestrator.forge.event import Event
from orchestrator.report.review import EnvironmentRules
from orchestrator.repository.affected import Affected, compare_projects, load_base
from orchestrator.repository.model import Project, Stack
from orchestrator.review.pull_request.planned_commit import PlannedCommit, find_planned_commit


@dataclass(frozen=True)
class PlanPart:
    """The stacks that one job plans: affected ones, dependents that may change, deleted ones.

    `dependents` maps dependents to what they read. `always` are dependents whose upstream another job plans:
    these are planned in any case.
    """

    environments: tuple[str, ...]
    stacks: tuple[str, ...] = ()
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    deleted: tuple[Stack, ...] = ()

    @property
    def expected(self) -> tuple[str, ...]:
        """The stacks that must be reported in any case."""
        return (*self.stacks, *self.always, *(stack.id for stack in self.deleted))

    @property
    def names(self) -> tuple[str, ...]:
        """All stacks that may be planned."""
        return (*self.expected, *self.dependents)


@dataclass(frozen=True)
class ChangeScope:
    """A change. `before` is the project at `planned.base`, None if it cannot be read.

    `deleted` are the deleted stacks, as `before` has them; a renamed stack is not deleted.
    """

    project: Project
    before: Project | None
    planned: PlannedCommit
    affected: Affected
    deleted: tuple[Stack, ...]
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> Config:
        """Trunk's configuration, so that no change can loosen its own rules."""
        return self.before.config if self.before else Config()

    @property
    def environments(self) -> tuple[str, ...]:
        """Every environment in promotion order, then deleted ones."""
        names = self.project.environments
        before = self.before.environments if self.before else ()
        return (*names, *(name for name in before if name not in names))

    @property
    def trunk(self) -> str:
        """The name of trunk's branch for display; `trunk` if the clone has no such branch."""
        try:
            return self.rules.trunk or self.project.trunk_branch
        except GitError:
            return "trunk"

    def describe_environments(self) -> tuple[EnvironmentRules, ...]:
        """The environments with their rules, for display."""
        return tuple(self._describe_environment(name) for name in self.environments)

    def chosen(self, names: Sequence[str]) -> tuple[str, ...]:
        """The requested environments in order, all if none; UsageError for an unknown one."""
        return shards.select_environments(self.environments, names)

    def part(self, environments: Collection[str], only: Collection[str] | None = None) -> PlanPart:
        """The part of some environments, optionally limited to some stacks."""

        def is_selected(id_: str, environment: str) -> bool:
            return environment in environments and (only is None or id_ in only)

        stacks = tuple(stack.id for stack in self.affected.stacks if is_selected(stack.id, stack.environment))
        readers = {
            id_: sources
            for id_, sources in self.affected.dependents.items()
            if is_selected(id_, self.project.stacks[id_].environment)
        }
        own = {*stacks, *readers}
        always = tuple(id_ for id_, sources in readers.items() if not own.issuperset(sources))
        return PlanPart(
            tuple(name for name in self.environments if name in environments),
            stacks,
            {id_: sources for id_, sources in readers.items() if id_ not in always},
            always,
            tuple(stack for stack in self.deleted if is_selected(stack.id, stack.environment)),
        )

    def units(self, environment: str) -> list[tuple[str, ...]]:
        """The part of one environment in groups that can be planned separately."""
        part = self.part([environment])
        return shards.group_stacks(part.expected, part.dependents)

    def shard(self, environments: Sequence[str], text: str, listed: str) -> tuple[str, ...]:
        """The stacks of `--shard I/N`: those listed, else a split that is stable for a commit."""
        index, count, timed = shards.parse_shard(text)
        if listed:
            return tuple(listed.split("\n"))
        if timed:
            raise UsageError(
                f"Which stacks are in {text} was decided by how long they took.",
                advice="Pass `matrix.stacks` on as INFRA_STACKS.",
            )
        if len(environments) != 1:
            raise UsageError("--shard is a part of one environment.", advice="Name it: --env ENV.")
        return shards.pack_units(self.units(environments[0]), count)[index - 1]

    def _describe_environment(self, name: str) -> EnvironmentRules:
        settings = self.rules.environment(name)
        return EnvironmentRules(
            name,
            protected=self.rules.needs_approval(name, _order(name, self.project, self.before)),
            approved_by=settings.approved_by,
            unapproved=settings.unapproved,
            checks=len(settings.checks),
            soak=settings.soak,
        )


def is_protected(name: str, project: Project, before: Project | None) -> bool:
    """Whether an environment is protected by trunk's rules; a new one by its position in the new order."""
    rules = before.config if before else Config()
    return rules.is_protected(name, _order(name, project, before))


def _order(name: str, project: Project, before: Project | None) -> Order:
    return before.order if before and name in before.environments else project.order


def read_scope(project: Project, event: Event | None, base: str | None = None) -> ChangeScope:
    """Compares the checkout with the commit of trunk that it contains, or with `base`.

    Raises GitError if the clone lacks the commits for that.
    """
    planned = find_planned_commit(project, event, base)
    before, fallback = load_base(project, planned.base)
    affected = compare_projects(project, before, planned.base, fallback)
    rules = before.config if before else Config()
    safe, notes = _apply_trusted_config(project, rules, lambda name: is_protected(name, project, before))
    notes = (*planned.notes, *notes, *(f"{reason}: every stack is planned." for reason in fallback))
    return ChangeScope(safe, before, planned, affected, affected.deleted, notes)


def _apply_trusted_config(
    project: Project, rules: Config, protected: Callable[[str], bool]
) -> tuple[Project, tuple[str, ...]]:
    """The project with security-relevant settings from trunk's infra.yaml (`rules`).

    These are the programs run as Terraform, the provider sources, the job's variables that they receive, the
    memory, protection and approval, the policy, the guard, and masking (more may be masked than trunk says,
    never less). Layout, variable files, versions and dependencies are the project's own. Returns notes on the
    changes that were ignored.
    """
    config = project.config
    environments = {}
    notes = []
    for name in dict.fromkeys((*config.environments, *project.environments)):
        proposed, trusted = config.environment(name), rules.environment(name)
        env = sorted(
            variable
            for variable in proposed.env
            if variable not in trusted.env and not variable.startswith("TF_VAR_")
        )
        if env:
            notes.append(f"{', '.join(env)}: passed to Terraform in {name} only after the merge.")
        environments[name] = replace(
            trusted,
            protected=protected(name),
            var_files=proposed.var_files,
            env=tuple(variable for variable in proposed.env if variable not in env),
            timeouts=proposed.timeouts,
            parallelism=proposed.parallelism,
        )
    for key in ("binary", "binaries", "provider_installation", "cli_config", "credentials"):
        if getattr(config.terraform, key) != getattr(rules.terraform, key):
            notes.append(f"terraform.{key} of infra.yaml changes: used only after the merge.")
    hooks = changed_hooks(config, rules)
    if hooks:
        notes.append(f"{', '.join(hooks)} of infra.yaml: not run, since only trunk's hooks are.")
    if any(config.memory_of(name) != rules.memory_of(name) for name in environments):
        notes.append("memory of infra.yaml changes: used only after the merge.")
    masking, before = config.masking, rules.masking
    if masking != before:
        notes.append("masking of infra.yaml changes: what it hides more is hidden in this plan already.")
    safe = replace(
        config,
        accounts=rules.accounts,
        memory=rules.memory,
        environments=environments,
        policy=rules.policy,
        guard=rules.guard,
        drift=rules.drift,
        given_keys=rules.given_keys,
        terraform=replace(rules.terraform, version=config.terraform.version),
        masking=replace(
            masking,
            names=_union(before.names, masking.names),
            attributes=_union(before.attributes, masking.attributes),
            patterns=_union(before.patterns, masking.patterns),
        ),
    )
    return replace(project, config=safe), tuple(notes)


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
