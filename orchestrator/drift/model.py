"""The model of drift: resources and attributes that differ, and their classes. Everything is masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from orchestrator.config.drift import IgnoreRule

Kind = Literal["changed", "deleted", "moved", "unapplied"]
Category = Literal[
    "reverted", "conflict", "codified", "ignored", "baseline", "noise", "unmanaged", "unapplied"
]
Path = tuple[str | int, ...]

# The most serious first: a resource has the first class that one of its attributes has.
CATEGORIES: tuple[Category, ...] = (
    "conflict",
    "reverted",
    "unapplied",
    "unmanaged",
    "codified",
    "ignored",
    "baseline",
    "noise",
)
# Classes that need no attention: ignored by the code, present at the first check, or changing by itself.
QUIET: frozenset[Category] = frozenset({"ignored", "baseline", "noise"})


@dataclass(frozen=True)
class MatchedIgnoreRule:
    """An ignore rule of infra.yaml that matched. Its value pattern is left out: it may contain the value."""

    address: str
    attribute: str
    reason: str
    until: str

    @classmethod
    def of(cls, rule: IgnoreRule) -> MatchedIgnoreRule:
        """The reported part of a rule."""
        return cls(rule.address, rule.attribute, rule.reason, rule.until.isoformat())

    def document(self) -> dict[str, Any]:
        """The rule as it stands in `--json`."""
        return dict(vars(self))


@dataclass(frozen=True)
class DriftedAttribute:
    """One attribute that is not as it was applied.

    `before` is the value in the state, `after` the real one, `planned` the one after an apply of the same
    code; all masked. `sensitive` is true when something in them is hidden. `rule` is the ignore rule of
    infra.yaml that covers it. `is_merged` is true of a key in a map that contains the code's: `tags_all`.
    """

    path: str
    category: Category
    before: Any = None
    after: Any = None
    planned: Any = None
    sensitive: bool = False
    rule: MatchedIgnoreRule | None = None
    is_merged: bool = False

    @property
    def is_quiet(self) -> bool:
        """True when nobody needs to look at it."""
        return self.category in QUIET or self.rule is not None

    def document(self) -> dict[str, Any]:
        """The attribute as it stands in `--json`."""
        return {
            "path": self.path,
            "drift_class": self.category,
            "before": self.before,
            "after": self.after,
            "planned": self.planned,
            "sensitive": self.sensitive,
            "ignored_by": None if self.rule is None else self.rule.document(),
        }


@dataclass(frozen=True)
class DriftedResource:
    """One resource that is not as it was applied.

    `kind` says what happened: changed, deleted or moved outside of Terraform, or `unapplied` for a resource
    that only the plan changes. `category` is the most serious one of its attributes; of a deleted one it is
    `reverted` when the code makes it again and `codified` when the code has none. `actions` are what an apply
    would do. `who` and `when` come from the provider's own data, masked. `upstreams` are the stacks whose
    outputs moved, for unapplied changes caused by them. `rule` covers a resource as a whole.
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
    rule: MatchedIgnoreRule | None = None

    @property
    def is_quiet(self) -> bool:
        """True when nobody needs to look at it: noise, what the code ignores, what a rule covers."""
        if self.rule is not None:
            return True
        if self.attributes and self.kind != "moved":
            return all(attribute.is_quiet for attribute in self.attributes)
        return self.category in QUIET

    @property
    def is_waiting(self) -> bool:
        """True for an unapplied change caused by an upstream's outputs: nothing drifted."""
        return self.kind == "unapplied" and bool(self.upstreams)

    @property
    def is_destructive(self) -> bool:
        """True when an apply of the same code would delete or replace something here."""
        return "delete" in self.actions

    @property
    def loud(self) -> tuple[DriftedAttribute, ...]:
        """The attributes that somebody should look at."""
        return tuple(attribute for attribute in self.attributes if not attribute.is_quiet)

    def document(self) -> dict[str, Any]:
        """The resource as it stands in `--json`."""
        return {
            "address": self.address,
            "type": self.type,
            "difference": self.kind,
            "drift_class": self.category,
            "actions": list(self.actions),
            "previous_address": self.previous_address,
            "deposed": self.deposed,
            "who": self.who or None,
            "when": self.when or None,
            "upstreams": list(self.upstreams),
            "ignored_by": None if self.rule is None else self.rule.document(),
            "attributes": [attribute.document() for attribute in self.attributes],
        }


@dataclass(frozen=True)
class CodedResource:
    """What the code of one resource sets and ignores.

    `paths` are the attributes and blocks that it sets, without indices; `ignores` those that
    `ignore_changes` names, and `ignores_all` is true for `all`.
    """

    paths: frozenset[tuple[str, ...]] = frozenset()
    ignores: tuple[Path, ...] = ()
    ignores_all: bool = False

    def sets(self, path: Path) -> bool:
        """Whether the code gives the attribute, or something that it is part of or that is part of it."""
        names = tuple(part for part in path if isinstance(part, str))
        return any(_overlap(path, names) for path in self.paths)

    def ignores_changes_of(self, path: Path) -> bool:
        """Whether `ignore_changes` covers the attribute."""
        return self.ignores_all or any(_overlap(ignore, path) for ignore in self.ignores)


def _overlap(path: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    size = min(len(path), len(other))
    return path[:size] == other[:size]


def _never(provider: str, kind: str, path: Path) -> bool:
    return False


@dataclass(frozen=True)
class DriftFacts:
    """The facts that classification needs and plan JSON does not contain.

    `written` is by a resource's address without indices; of a resource that is not there, the plan's own
    `configuration` tells. `volatile` are globs over TYPE.ATTRIBUTE. `computed_only` tells of a provider, a
    type and a path whether the schema lets only the provider set it; it is asked last, since to answer may
    cost a process. `upstreams` maps names of remote states whose outputs moved to their stacks. Rules whose
    last day is before `today` do not count.
    """

    written: Mapping[str, CodedResource] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()
    computed_only: Callable[[str, str, Path], bool] = _never
    upstreams: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[IgnoreRule, ...] = ()
    today: date = date.min

    def rule_for(self, address: str, path: str, value: Any) -> MatchedIgnoreRule | None:
        """The first rule that covers an attribute; `path` is empty for the resource as a whole."""
        from orchestrator.drift.rules import covers

        rule = next((rule for rule in self.rules if covers(rule, address, path, value, self.today)), None)
        return MatchedIgnoreRule.of(rule) if rule else None
