"""What changed behind Terraform's back, in frozen values, and what must be known to tell it. All masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from orchestrator.config.drift import IgnoreRule

Kind = Literal["changed", "deleted", "moved", "owed"]
Category = Literal["reverted", "conflict", "codified", "ignored", "baseline", "noise", "unmanaged", "owed"]
Path = tuple[str | int, ...]

# The most serious first: what a whole resource is called by.
CATEGORIES: tuple[Category, ...] = (
    "conflict",
    "reverted",
    "owed",
    "unmanaged",
    "codified",
    "ignored",
    "baseline",
    "noise",
)
# What nobody needs to look at: the code says so, it was so at the first check, or it changes by itself.
QUIET: frozenset[Category] = frozenset({"ignored", "baseline", "noise"})


@dataclass(frozen=True)
class Rule:
    """The ignore rule of infra.yaml that covers something. Its pattern may hold what a value is: left out."""

    address: str
    attribute: str
    reason: str
    until: str

    @classmethod
    def of(cls, rule: IgnoreRule) -> Rule:
        """A rule as it is told."""
        return cls(rule.address, rule.attribute, rule.reason, rule.until.isoformat())

    def document(self) -> dict[str, Any]:
        """The rule as it stands in `--json`."""
        return dict(vars(self))


@dataclass(frozen=True)
class DriftedAttribute:
    """One attribute that is not as it was applied.

    `before` is what the state has, `after` what the world has, `planned` what an apply of the same code would
    make of it; all masked. `sensitive` is true when something in them is hidden. `rule` is the ignore rule of
    infra.yaml that covers it. `is_merged` is true of a key in a map that contains the code's: `tags_all`.
    """

    path: str
    category: Category
    before: Any = None
    after: Any = None
    planned: Any = None
    sensitive: bool = False
    rule: Rule | None = None
    is_merged: bool = False

    @property
    def is_quiet(self) -> bool:
        """True when nobody needs to look at it."""
        return self.category in QUIET or self.rule is not None

    def document(self) -> dict[str, Any]:
        """The attribute as it stands in `--json`."""
        return {
            "path": self.path,
            "class": self.category,
            "before": self.before,
            "after": self.after,
            "planned": self.planned,
            "sensitive": self.sensitive,
            "ignored_by": None if self.rule is None else self.rule.document(),
        }


@dataclass(frozen=True)
class DriftedResource:
    """One resource that is not as it was applied.

    `kind` says what happened: changed, deleted or moved outside, or nothing outside and yet a change is owed.
    `category` is the most serious one of its attributes; of a deleted one it is `reverted` when the code
    makes it again and `codified` when the code has none. `actions` are what an apply would do. `who` and
    `when` are what the provider's own data tell, masked. `upstreams` are the stacks whose outputs moved, for
    what is owed because of them. `rule` covers a resource as a whole.
    """

    address: str
    type: str
    kind: Kind
    category: Category
    attributes: tuple[DriftedAttribute, ...] = ()
    actions: tuple[str, ...] = ()
    previous_address: str | None = None
    deposed: str | None = None
    who: str = ""
    when: str = ""
    upstreams: tuple[str, ...] = ()
    rule: Rule | None = None

    @property
    def is_quiet(self) -> bool:
        """True when nobody needs to look at it: noise, what the code ignores, what a rule covers."""
        if self.rule is not None:
            return True
        if self.attributes and self.kind != "moved":
            return all(one.is_quiet for one in self.attributes)
        return self.category in QUIET

    @property
    def is_waiting(self) -> bool:
        """True when it is owed because an upstream's outputs moved: an apply is due, nothing drifted."""
        return self.kind == "owed" and bool(self.upstreams)

    @property
    def is_destructive(self) -> bool:
        """True when an apply of the same code would delete or replace something here."""
        return "delete" in self.actions

    @property
    def loud(self) -> tuple[DriftedAttribute, ...]:
        """The attributes that somebody should look at."""
        return tuple(one for one in self.attributes if not one.is_quiet)

    def document(self) -> dict[str, Any]:
        """The resource as it stands in `--json`."""
        return {
            "address": self.address,
            "type": self.type,
            "kind": self.kind,
            "class": self.category,
            "actions": list(self.actions),
            "previous_address": self.previous_address,
            "deposed": self.deposed,
            "who": self.who or None,
            "when": self.when or None,
            "upstreams": list(self.upstreams),
            "ignored_by": None if self.rule is None else self.rule.document(),
            "attributes": [one.document() for one in self.attributes],
        }


@dataclass(frozen=True)
class Written:
    """What the code of one resource says.

    `paths` are the attributes and blocks that it sets, without indices; `ignores` those that
    `ignore_changes` names, and `ignores_all` is true for `all`.
    """

    paths: frozenset[tuple[str, ...]] = frozenset()
    ignores: tuple[Path, ...] = ()
    ignores_all: bool = False

    def sets(self, path: Path) -> bool:
        """Whether the code gives the attribute, or something that it is part of or that is part of it."""
        names = tuple(part for part in path if isinstance(part, str))
        return any(_overlap(one, names) for one in self.paths)

    def ignores_changes_of(self, path: Path) -> bool:
        """Whether `ignore_changes` covers the attribute."""
        return self.ignores_all or any(_overlap(one, path) for one in self.ignores)


def _overlap(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    size = min(len(one), len(other))
    return one[:size] == other[:size]


def _never(provider: str, kind: str, path: Path) -> bool:
    return False


@dataclass(frozen=True)
class Facts:
    """What a plan's JSON does not say and the classes depend on.

    `written` is by a resource's address without indices; of a resource that is not there, the plan's own
    `configuration` tells. `volatile` are globs over TYPE.ATTRIBUTE. `computed_only` tells of a provider, a
    type and a path whether the schema lets only the provider set it; it is asked last, since to answer may
    cost a process. `upstreams` maps names of remote states whose outputs moved to their stacks. Rules whose
    last day is before `today` do not count.
    """

    written: Mapping[str, Written] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()
    computed_only: Callable[[str, str, Path], bool] = _never
    upstreams: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[IgnoreRule, ...] = ()
    today: date = date.min

    def rule_for(self, address: str, path: str, value: Any) -> Rule | None:
        """The first rule that covers an attribute; `path` is empty for the resource as a whole."""
        from orchestrator.plan.drift_rules import covers

        found = next((one for one in self.rules if covers(one, address, path, value, self.today)), None)
        return Rule.of(found) if found else None
