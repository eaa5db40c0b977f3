"""What a change touches and by whose rules: the project at hand, trunk's in it, and one job's part of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.ci import shards
from orchestrator.ci.event import Event
from orchestrator.ci.review.subject import Subject, subject_of
from orchestrator.ci.review.trusted import trusted
from orchestrator.config import Config, Order
from orchestrator.errors import GitError, UsageError
from orchestrator.project.affected import Affected, at_base, compared
from orchestrator.project.model import Project, Stack
from orchestrator.report.review import EnvironmentRules
from orchestrator.review.pending import trunk_branch


@dataclass(frozen=True)
class Part:
    """What one job plans: affected stacks, followers that may move (with what they read), deleted stacks.

    `always` are followers whose upstream another job plans: these are planned in any case.
    """

    environments: tuple[str, ...]
    stacks: tuple[str, ...] = ()
    followers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    always: tuple[str, ...] = ()
    deleted: tuple[Stack, ...] = ()

    @property
    def expected(self) -> tuple[str, ...]:
        """The stacks that must be reported whatever happens."""
        return (*self.stacks, *self.always, *(one.id for one in self.deleted))

    @property
    def names(self) -> tuple[str, ...]:
        """All stacks that may be planned."""
        return (*self.expected, *self.followers)


@dataclass(frozen=True)
class Scope:
    """A change. `before` is the project at `subject.base`, None where there is none that can be read.

    `deleted` are the stacks that are gone, as `before` has them; a stack that only has another id is not.
    """

    project: Project
    before: Project | None
    subject: Subject
    found: Affected
    deleted: tuple[Stack, ...]
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> Config:
        """The settings that decide over others: trunk's, so that no change can loosen its own rules."""
        return self.before.config if self.before else Config()

    @property
    def environments(self) -> tuple[str, ...]:
        """Every environment in promotion order, then those that are gone."""
        here = self.project.environments
        before = self.before.environments if self.before else ()
        return (*here, *(name for name in before if name not in here))

    @property
    def trunk(self) -> str:
        """The name of trunk's branch, for people; the word for it where the clone has no such branch."""
        try:
            return self.rules.trunk or trunk_branch(self.project)
        except GitError:
            return "trunk"

    def described(self) -> tuple[EnvironmentRules, ...]:
        """The environments with what a reader must know of each."""
        return tuple(self._described(name) for name in self.environments)

    def chosen(self, names: Sequence[str]) -> tuple[str, ...]:
        """The environments asked for, all when none were, in order; UsageError for one that there is not."""
        return shards.chosen(self.environments, names)

    def part(self, environments: Collection[str], only: Collection[str] | None = None) -> Part:
        """The part of some environments, and of it only some stacks."""

        def mine(id_: str, environment: str) -> bool:
            return environment in environments and (only is None or id_ in only)

        stacks = tuple(one.id for one in self.found.stacks if mine(one.id, one.environment))
        readers = {
            id_: sources
            for id_, sources in self.found.followers.items()
            if mine(id_, self.project.stacks[id_].environment)
        }
        here = {*stacks, *readers}
        always = tuple(id_ for id_, sources in readers.items() if not here.issuperset(sources))
        return Part(
            tuple(name for name in self.environments if name in environments),
            stacks,
            {id_: sources for id_, sources in readers.items() if id_ not in always},
            always,
            tuple(one for one in self.deleted if mine(one.id, one.environment)),
        )

    def units(self, environment: str) -> list[tuple[str, ...]]:
        """The part of one environment in pieces that may be planned apart from each other."""
        part = self.part([environment])
        return shards.units_of(part.expected, part.followers)

    def shard(self, environments: Sequence[str], text: str, listed: str) -> tuple[str, ...]:
        """The stacks of `--shard I/N`: those listed, else those that the same commit always gives."""
        index, count, timed = shards.parse(text)
        if listed:
            return tuple(listed.split("\n"))
        if timed:
            raise UsageError(
                f"Which stacks are in {text} was decided by how long they took.",
                advice="Pass `matrix.stacks` on as INFRA_STACKS.",
            )
        if len(environments) != 1:
            raise UsageError("--shard is a part of one environment.", advice="Name it: --env ENV.")
        return shards.pack(self.units(environments[0]), count)[index - 1]

    def _described(self, name: str) -> EnvironmentRules:
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
    """Whether an environment is protected by trunk's rules; a new one has its place in the new order."""
    rules = before.config if before else Config()
    return rules.is_protected(name, _order(name, project, before))


def _order(name: str, project: Project, before: Project | None) -> Order:
    return before.order if before and name in before.environments else project.order


def scope_of(project: Project, event: Event | None, base: str | None = None) -> Scope:
    """Compare the checkout with the commit of trunk that is in it, or with `base`.

    Raises GitError when the clone lacks what tells.
    """
    subject = subject_of(project, event, base)
    before, fallback = at_base(project, subject.base)
    found = compared(project, before, subject.base, fallback)
    rules = before.config if before else Config()
    safe, notes = trusted(project, rules, lambda name: is_protected(name, project, before))
    notes = (*subject.notes, *notes, *(f"{reason}: every stack is planned." for reason in fallback))
    return Scope(safe, before, subject, found, found.deleted, notes)
