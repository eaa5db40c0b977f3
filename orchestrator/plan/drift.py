"""What changed behind Terraform's back, told from one normal plan made at the commit last applied.

Never from a refresh-only plan: that also calls drift what nobody touched, and knows nothing of the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.masking import HIDDEN
from orchestrator.plan.attributes import without, written_path
from orchestrator.plan.drift_code import written_in
from orchestrator.plan.drift_echo import identity_of, is_sibling_echo, merged_base
from orchestrator.plan.drift_leaves import (
    Leaf,
    alike,
    hidden,
    is_unknown,
    leaves,
    part,
    same,
    shows_hidden,
)
from orchestrator.plan.drift_model import (
    CATEGORIES,
    QUIET,
    Category,
    DriftedAttribute,
    DriftedResource,
    Facts,
    Path,
    Written,
)
from orchestrator.plan.drift_rules import is_content, is_volatile
from orchestrator.plan.model import AttributeChange, Plan, ResourceChange
from orchestrator.plan.reader import as_documented

# Where providers say when a resource was last changed, and by whom; the first that is there counts.
WHEN = ("update_time", "updated", "last_modified_time", "last_modified", "last_update_time", "last_updated")
WHO = ("last_modifier", "last_modified_by", "updated_by", "modified_by")

_INDEX = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_REMOTE_STATE = re.compile(r"(?:^|\.)data\.terraform_remote_state\.([^.\[]+)")


def classify(plan: Plan, raw: Mapping[str, Any], facts: Facts) -> tuple[DriftedResource, ...]:
    """Every resource that is not as it was applied, in Terraform's order; those that owe a change come last.

    `raw` is what `terraform show -json` says of the same plan.
    """
    with as_documented():
        reader = _Classifier(plan, raw, facts)
        drifted = [one for one in map(reader.drifted, reader.drift.values()) if one is not None]
        return (*drifted, *reader.owed())


def drift_in_diff(plan: Plan) -> tuple[ResourceChange, ...]:
    """The part of a plan's diff that is drift: what changed outside and the plan is about to change.

    For the plan of a pull request, where drift and the change itself must be told apart. Each resource has
    the attributes alone that are in both; noise, and drift that the plan leaves alone, are not in it.
    """
    planned = {(one.address, one.deposed): one for one in plan.shown_changes}
    found = []
    for one in plan.drift:
        change = planned.get((one.address, one.deposed))
        if change is None or one.is_no_op or one.mode != "managed":
            continue
        paths = [part.path for part in change.attributes if not part.unknown]
        both = [part for part in one.attributes if any(_is_below(part.path, path) for path in paths)]
        if both or one.is_delete:
            found.append(replace(one, attributes=() if one.is_delete else tuple(both)))
    return tuple(found)


Key = tuple[str, str | None]


def _by_key(plan: Plan, entries: Any) -> dict[Key, Mapping[str, Any]]:
    """Entries of plan JSON by what is shown of their addresses, which stands in them from here on."""
    shown = plan.shown_address
    return {
        (address, one.get("deposed")): {
            **one,
            "address": address,
            "previous_address": shown(one["previous_address"]) if one.get("previous_address") else None,
        }
        for one in entries or ()
        for address in [shown(str(one.get("address", "")))]
        if one.get("mode", "managed") == "managed"
    }


class _Classifier:
    """One plan's drift, resource by resource."""

    def __init__(self, plan: Plan, raw: Mapping[str, Any], facts: Facts) -> None:
        self.plan = plan
        self.raw = raw
        self.facts = facts
        self.walker = plan.masker.walker()
        self.drift = _by_key(plan, raw.get("resource_drift"))
        self.changes = _by_key(plan, raw.get("resource_changes"))
        self.read: dict[Key, ResourceChange] = {
            (one.address, one.deposed): one for one in plan.changes if one.mode == "managed"
        }

    # What changed outside

    def drifted(self, entry: Mapping[str, Any]) -> DriftedResource | None:
        """One entry of `resource_drift`; None for one in which nothing is to be seen."""
        key = (str(entry.get("address", "")), entry.get("deposed"))
        planned = self.read.get(key)
        actions = () if planned is None or planned.is_no_op else planned.actions
        if "delete" in (entry.get("change") or {}).get("actions", ()):
            return self.deleted(entry, actions)
        attributes = tuple(self.attributes(entry, key))
        moved = entry.get("previous_address") not in (None, entry.get("address"))
        if self.acts(key) and QUIET.issuperset(one.category for one in attributes):
            attributes = ()  # the plan changes the resource, and no attribute of it
        elif not (attributes or moved):
            return None
        who, when = self.tells(entry)
        # Known under another name to the state, and changed in nothing that matters.
        only_moved = moved and all(one.is_quiet for one in attributes)
        category = worst(attributes) if attributes and not only_moved else "owed"
        if moved:
            category = min(category, "owed", key=CATEGORIES.index)
        return DriftedResource(
            address=key[0],
            type=str(entry.get("type", "")),
            kind="moved" if only_moved else "changed",
            category=category,
            attributes=attributes,
            actions=actions,
            previous_address=entry.get("previous_address"),
            deposed=key[1],
            who=who,
            when=when,
            rule=self.facts.rule_for(key[0], "", None),
        )

    def deleted(self, entry: Mapping[str, Any], actions: tuple[str, ...]) -> DriftedResource:
        address = str(entry.get("address", ""))
        return DriftedResource(
            address=address,
            type=str(entry.get("type", "")),
            kind="deleted",
            category="reverted" if "create" in actions else "codified",
            actions=actions,
            deposed=entry.get("deposed"),
            rule=self.facts.rule_for(address, "", None),
        )

    def attributes(self, entry: Mapping[str, Any], key: Key) -> Iterator[DriftedAttribute]:
        """What changed in a resource, and what its code wants beside that."""
        change = entry.get("change") or {}
        shown = [self.masked(change, side, key[0]) for side in ("before", "after")]
        found = list(leaves(change.get("before"), change.get("after"), *shown))
        planned = (self.changes.get(key) or {}).get("change")
        wanted = None if planned is None else self.masked(planned, "after", key[0])
        classes = self.classes(entry, found, planned)
        seen = {written_path(list(leaf.path)) for leaf in found}
        pending = [one for one in self.planned(key) if not _is_among(one.path, seen)]
        if self.acts(key) and not pending and QUIET.issuperset(classes.values()):
            # Never clean where an apply would change something: what it changes is told, whatever its class.
            undone = [leaf for leaf in found if _is_undone(leaf, planned or {})]
            classes = self.classes(entry, found, planned, undone)
            if not undone:
                changes = self.read[key].attributes
                pending = [one for one in changes if not _is_among(one.path, seen)] or list(changes)
        for leaf in found:
            if not _is_among(written_path(list(leaf.path)), [one.path for one in pending]):
                yield self.attribute(entry, leaf, planned, wanted, classes[leaf.path])
        for one in pending:
            yield self.owed_attribute(key[0], one)

    def acts(self, key: Key) -> bool:
        """Whether the plan changes a resource."""
        read = self.read.get(key)
        return read is not None and read.is_shown and not read.is_no_op

    def planned(self, key: Key) -> tuple[AttributeChange, ...]:
        """What the plan changes in a resource, without zero values and what only follows from that.

        A replacement lists all that the new object does not have yet: only what forces it, and what the code
        sets, says something.
        """
        read = self.read.get(key)
        if read is None or read.is_no_op:
            return ()
        change = (self.changes.get(key) or {}).get("change") or {}
        written = self.written(key[0])
        before, after = change.get("before"), change.get("after")
        differing = {
            written_path(list(leaf.path))
            for leaf in leaves(before, after, before, after)
            if not alike(leaf.raw_before, leaf.raw_after, leaf.path, written.sets)
            and (not read.is_replace or written.sets(leaf.path))
        }
        causes = {written_path(path) for path in change.get("replace_paths") or ()}
        return tuple(
            one
            for one in read.attributes
            if _is_among(one.path, causes) or (not one.unknown and _is_among(one.path, differing))
        )

    def attribute(
        self,
        entry: Mapping[str, Any],
        leaf: Leaf,
        planned: Mapping[str, Any] | None,
        wanted: Any,
        category: Category,
    ) -> DriftedAttribute:
        address, path = str(entry.get("address", "")), written_path(list(leaf.path))
        want = part(wanted, leaf.path)
        if planned is None:
            want = leaf.after
        elif is_unknown(planned.get("after_unknown"), leaf.path):
            want = None
        before, after = leaf.before, leaf.after
        if HIDDEN in (one for one in (before, after, want) if isinstance(one, str)):
            before, after, want = hidden(before), hidden(after), hidden(want)
        return DriftedAttribute(
            path=path,
            category=category,
            before=before,
            after=after,
            planned=want,
            sensitive=any(map(shows_hidden, (before, after, want))),
            rule=self.facts.rule_for(address, path, leaf.raw_after),
            is_merged=merged_base(leaf.path, (entry.get("change") or {}).get("after") or {}) is not None,
        )

    def classes(
        self,
        entry: Mapping[str, Any],
        found: Sequence[Leaf],
        planned: Mapping[str, Any] | None,
        undone: Sequence[Leaf] = (),
    ) -> dict[Path, Category]:
        """The class of every leaf; those of `undone` are put back by the plan.

        A key of a merged map has the class of the same key in the map of the code; a key that the code does
        not have was added by somebody.
        """
        values = (entry.get("change") or {}).get("after") or {}
        classes: dict[Path, Category] = dict.fromkeys((leaf.path for leaf in undone), "reverted")
        merged = {leaf.path: base for leaf in found if (base := merged_base(leaf.path, values))}
        for leaf in found:
            if leaf.path not in classes and leaf.path not in merged:
                classes[leaf.path] = self.category(entry, leaf, planned)
        for leaf in found:
            if base := merged.get(leaf.path):
                twins = [classes.get((name, *leaf.path[1:])) for name in (base, f"terraform_{base}")]
                twin: Category = next((one for one in twins if one), "unmanaged")
                classes.setdefault(leaf.path, self.category(entry, leaf, planned, twin))
        return classes

    def category(
        self,
        entry: Mapping[str, Any],
        leaf: Leaf,
        planned: Mapping[str, Any] | None,
        merged: Category | None = None,
    ) -> Category:
        """The class of one leaf: first by what the plan does about it, then by what the code says of it.

        `merged` is the class of a key of a merged map that the plan leaves alone.
        """
        written = self.written(str(entry.get("address", "")))
        is_set = written.sets(leaf.path)

        def is_alike(one: Any, other: Any) -> bool:
            return alike(one, other, leaf.path, written.sets)

        if planned is not None and planned.get("actions") != ["no-op"]:
            unknown = is_unknown(planned.get("after_unknown"), leaf.path)
            want = part(planned.get("after"), leaf.path)
            if unknown and self.by_itself(entry, leaf.path):
                return "noise"
            if unknown and is_set:
                return "conflict"
            if not unknown and not is_alike(want, leaf.raw_after):
                # What the code leaves unset has no third value: the provider's own words stand there.
                return "reverted" if is_alike(want, leaf.raw_before) or not is_set else "conflict"
        if written.ignores_changes_of(leaf.path):
            return "ignored"
        if is_alike(leaf.raw_before, leaf.raw_after):
            return "noise"
        if is_set:
            return "codified"
        if merged is not None:
            return merged
        if self.by_itself(entry, leaf.path) or self.is_echo(entry, leaf):
            return "noise"
        return "unmanaged"

    def is_echo(self, entry: Mapping[str, Any], leaf: Leaf) -> bool:
        """Whether another resource of the stack sets the attribute."""
        change = entry.get("change") or {}
        own = change.get("after") or {}
        # A block of a list is compared as a whole.
        at = next((at + 1 for at, step in enumerate(leaf.path) if isinstance(step, int)), len(leaf.path))
        if at < len(leaf.path):
            path = leaf.path[:at]
            leaf = replace(
                leaf, path=path, raw_before=part(change.get("before"), path), raw_after=part(own, path)
            )
        siblings = (
            (str(other.get("type", "")), values)
            for source in (self.drift, self.changes)
            for other in source.values()
            if other.get("address") != entry.get("address")
            for side in ("before", "after")
            if isinstance(values := (other.get("change") or {}).get(side), dict)
        )
        return is_sibling_echo(str(entry.get("type", "")), leaf, identity_of(own), siblings)

    def by_itself(self, entry: Mapping[str, Any], path: Path) -> bool:
        """Whether an attribute changes without anybody: it is on the list, or only the provider sets it."""
        kind = str(entry.get("type", ""))
        name = written_path(list(path))
        if self.written(str(entry.get("address", ""))).sets(path) or is_content(kind, name):
            return False
        if is_volatile(self.facts.volatile, kind, name):
            return True
        return self.facts.computed_only(str(entry.get("provider_name", "")), kind, path)

    def tells(self, entry: Mapping[str, Any]) -> tuple[str, str]:
        """Who changed a resource and when, as far as the provider's own data say.

        A time that the state has too is that of the last apply: then nobody knows.
        """
        change = entry.get("change") or {}
        before = change.get("before") or {}
        shown = self.masked(change, "after", str(entry.get("address", "")))
        values = shown if isinstance(shown, dict) else {}

        def told(names: tuple[str, ...], *, new: bool) -> str:
            found = (
                value
                for name in names
                if isinstance(value := values.get(name), str) and value
                if not new or value != before.get(name)
            )
            return next(found, "")

        when = told(WHEN, new=True)
        return told(WHO, new=not when), when

    # What is owed although nothing changed outside

    def owed(self) -> Iterator[DriftedResource]:
        """Changes of resources that did not drift: a refresh took it in, or something they read moved."""
        for key, change in self.read.items():
            if key in self.drift or not change.is_shown:
                continue
            planned = self.planned(key) or change.attributes
            attributes = tuple(self.owed_attribute(change.address, one) for one in planned)
            yield DriftedResource(
                address=change.address,
                type=change.type,
                kind="moved" if change.is_no_op and change.is_move else "owed",
                category="owed",
                attributes=attributes if change.is_update or change.is_replace else (),
                actions=() if change.is_no_op else change.actions,
                previous_address=change.previous_address,
                deposed=change.deposed,
                upstreams=self.moved_upstreams(),
                rule=self.facts.rule_for(change.address, "", None),
            )

    def owed_attribute(self, address: str, one: AttributeChange) -> DriftedAttribute:
        return DriftedAttribute(
            path=one.path,
            category="owed",
            before=one.before,
            after=one.before,
            planned=one.after,
            sensitive=one.sensitive,
            rule=self.facts.rule_for(address, one.path, one.before),
        )

    def moved_upstreams(self) -> tuple[str, ...]:
        """The stacks whose outputs moved since, among those that this plan depends on."""
        names = {
            match[1]
            for one in self.raw.get("relevant_attributes") or ()
            if (match := _REMOTE_STATE.search(str(one.get("resource", ""))))
        }
        return tuple(sorted({stack for name, stack in self.facts.upstreams.items() if name in names}))

    # What is known of the code

    def written(self, address: str) -> Written:
        name = _INDEX.sub("", address)
        found = self.facts.written.get(name)
        return found if found is not None else written_in(self.raw, name)

    def masked(self, change: Mapping[str, Any], side: str, address: str) -> Any:
        value = self.walker.walk(change.get(side), change.get(f"{side}_sensitive"), (address,))
        return without(value, self.plan.secrets)


def worst(attributes: tuple[DriftedAttribute, ...]) -> Category:
    """The most serious class among attributes, the ones that nobody need look at last."""
    found = [one for one in attributes if not one.is_quiet] or list(attributes)
    return min((one.category for one in found), key=CATEGORIES.index)


def _is_undone(leaf: Leaf, planned: Mapping[str, Any]) -> bool:
    """Whether the plan changes a leaf to a value that is known, be it from a zero value to null."""
    if is_unknown(planned.get("after_unknown"), leaf.path):
        return False
    return not same(part(planned.get("after"), leaf.path), leaf.raw_after)


def _is_among(path: str, others: Iterable[str]) -> bool:
    return any(_is_below(path, other) for other in others)


def _is_below(path: str, other: str) -> bool:
    """Whether two paths are the same, or one leads to the other."""
    short, long = sorted((path, other), key=len)
    return long == short or (long.startswith(short) and long[len(short)] in ".[")
