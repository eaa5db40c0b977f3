"""Classifies drift from one normal plan at the commit last applied.

A refresh-only plan would not do: it also reports values that nobody changed, and does not compare with the
code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.drift.echoes import collect_identity, find_merged_base, is_sibling_echo
from orchestrator.drift.leaves import (
    DriftedLeaf,
    find_drifted_leaves,
    hide,
    is_equivalent,
    is_unknown,
    value_at,
)
from orchestrator.drift.model import (
    CATEGORIES,
    QUIET,
    Category,
    CodedResource,
    DriftedAttribute,
    DriftedResource,
    DriftFacts,
    Path,
)
from orchestrator.drift.rules import is_content, is_volatile
from orchestrator.masking import HIDDEN
from orchestrator.plan.addresses import without_keys
from orchestrator.plan.attributes import contains_hidden, is_equal, join_parts, mask_secrets
from orchestrator.plan.model import AttributeChange, Plan, ResourceChange
from orchestrator.plan.reader import documented_errors

# Where providers say when a resource was last changed, and by whom; the first that is there counts.
WHEN = ("update_time", "updated", "last_modified_time", "last_modified", "last_update_time", "last_updated")
WHO = ("last_modifier", "last_modified_by", "updated_by", "modified_by")

_REMOTE_STATE = re.compile(r"(?:^|\.)data\.terraform_remote_state\.([^.\[]+)")


def classify(plan: Plan, raw: Mapping[str, Any], facts: DriftFacts) -> tuple[DriftedResource, ...]:
    """Every resource that differs from what was applied, in Terraform's order, unapplied changes last.

    `raw` is the output of `terraform show -json` for the same plan.
    """
    with documented_errors():
        reader = _Classifier(plan, raw, facts)
        drifted = [
            resource for resource in map(reader.classify_entry, reader.drift.values()) if resource is not None
        ]
        return (*drifted, *reader.list_unapplied())


def find_drift_in_diff(plan: Plan) -> tuple[ResourceChange, ...]:
    """The part of a plan's diff that is drift: what changed outside of Terraform and the plan would change.

    Used for the plan of a pull request, to separate drift from the change itself. Each resource contains
    only the attributes that are in both; noise and drift that the plan does not change are left out.
    """
    planned = {(change.address, change.deposed): change for change in plan.shown_changes}
    drift = []
    for resource in plan.drift:
        change = planned.get((resource.address, resource.deposed))
        if change is None or resource.is_no_op or resource.mode != "managed":
            continue
        paths = [part.path for part in change.attributes if not part.unknown]
        both = [part for part in resource.attributes if any(_is_below(part.path, path) for path in paths)]
        if both or resource.is_delete:
            drift.append(replace(resource, attributes=() if resource.is_delete else tuple(both)))
    return tuple(drift)


Key = tuple[str, str | None]


def _by_key(plan: Plan, entries: Any) -> dict[Key, Mapping[str, Any]]:
    """Entries of plan JSON by their masked addresses, which replace the original ones."""
    shown_address = plan.shown_address
    return {
        (address, entry.get("deposed")): {
            **entry,
            "address": address,
            "previous_address": shown_address(entry["previous_address"])
            if entry.get("previous_address")
            else None,
        }
        for entry in entries or ()
        for address in [shown_address(str(entry.get("address", "")))]
        if entry.get("mode", "managed") == "managed"
    }


class _Classifier:
    """Classifies one plan, resource by resource."""

    def __init__(self, plan: Plan, raw: Mapping[str, Any], facts: DriftFacts) -> None:
        self.plan = plan
        self.raw = raw
        self.facts = facts
        self.walker = plan.masker.walker()
        self.drift = _by_key(plan, raw.get("resource_drift"))
        self.changes = _by_key(plan, raw.get("resource_changes"))
        self.read: dict[Key, ResourceChange] = {
            (change.address, change.deposed): change for change in plan.changes if change.mode == "managed"
        }

    # What changed outside

    def classify_entry(self, entry: Mapping[str, Any]) -> DriftedResource | None:
        """Classify one entry of `resource_drift`; None when it contains no visible difference."""
        key = (str(entry.get("address", "")), entry.get("deposed"))
        planned = self.read.get(key)
        actions = () if planned is None or planned.is_no_op else planned.actions
        if "delete" in (entry.get("change") or {}).get("actions", ()):
            return self.classify_deletion(entry, actions)
        attributes = tuple(self.classify_attributes(entry, key))
        moved = entry.get("previous_address") not in (None, entry.get("address"))
        if self.is_changed_by_plan(key) and QUIET.issuperset(attribute.category for attribute in attributes):
            attributes = ()  # the plan changes the resource, and no attribute of it
        elif not (attributes or moved):
            return None
        who, when = self.find_author(entry)
        # Only moved: the state has another address, and nothing relevant changed.
        only_moved = moved and all(attribute.is_quiet for attribute in attributes)
        category = worst_category(attributes) if attributes and not only_moved else "unapplied"
        if moved:
            category = min(category, "unapplied", key=CATEGORIES.index)
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

    def classify_deletion(self, entry: Mapping[str, Any], actions: tuple[str, ...]) -> DriftedResource:
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

    def classify_attributes(self, entry: Mapping[str, Any], key: Key) -> Iterator[DriftedAttribute]:
        """The attributes of a resource that drifted, then those with unapplied changes."""
        change = entry.get("change") or {}
        masked_sides = [self.mask_side(change, side, key[0]) for side in ("before", "after")]
        drifted_leaves = list(find_drifted_leaves(change.get("before"), change.get("after"), *masked_sides))
        planned = (self.changes.get(key) or {}).get("change")
        masked_after = None if planned is None else self.mask_side(planned, "after", key[0])
        classes = self.categorize_leaves(entry, drifted_leaves, planned)
        drifted_paths = {join_parts(list(leaf.path)) for leaf in drifted_leaves}
        pending = [
            change for change in self.list_planned_changes(key) if not _is_among(change.path, drifted_paths)
        ]
        if self.is_changed_by_plan(key) and not pending and QUIET.issuperset(classes.values()):
            # A resource that an apply would change is never clean: what it changes is reported in any class.
            undone = [leaf for leaf in drifted_leaves if _is_undone(leaf, planned or {})]
            classes = self.categorize_leaves(entry, drifted_leaves, planned, undone)
            if not undone:
                changes = self.read[key].attributes
                pending = [change for change in changes if not _is_among(change.path, drifted_paths)] or list(
                    changes
                )
        for leaf in drifted_leaves:
            if not _is_among(join_parts(list(leaf.path)), [change.path for change in pending]):
                yield self.build_attribute(entry, leaf, planned, masked_after, classes[leaf.path])
        for attribute_change in pending:
            yield self.build_unapplied_attribute(key[0], attribute_change)

    def is_changed_by_plan(self, key: Key) -> bool:
        """Whether the plan changes a resource."""
        read = self.read.get(key)
        return read is not None and read.is_shown and not read.is_no_op

    def list_planned_changes(self, key: Key) -> tuple[AttributeChange, ...]:
        """The planned changes of a resource, without zero values and computed consequences.

        A replacement lists everything that the new object does not have yet. Only what forces it and what
        the code sets is relevant.
        """
        read = self.read.get(key)
        if read is None or read.is_no_op:
            return ()
        change = (self.changes.get(key) or {}).get("change") or {}
        written = self.read_code(key[0])
        before, after = change.get("before"), change.get("after")
        differing = {
            join_parts(list(leaf.path))
            for leaf in find_drifted_leaves(before, after, before, after)
            if not is_equivalent(leaf.raw_before, leaf.raw_after, leaf.path, written.sets)
            and (not read.is_replace or written.sets(leaf.path))
        }
        causes = {join_parts(path) for path in change.get("replace_paths") or ()}
        return tuple(
            attribute
            for attribute in read.attributes
            if _is_among(attribute.path, causes)
            or (not attribute.unknown and _is_among(attribute.path, differing))
        )

    def build_attribute(
        self,
        entry: Mapping[str, Any],
        leaf: DriftedLeaf,
        planned: Mapping[str, Any] | None,
        masked_after: Any,
        category: Category,
    ) -> DriftedAttribute:
        address, path = str(entry.get("address", "")), join_parts(list(leaf.path))
        want = value_at(masked_after, leaf.path)
        if planned is None:
            want = leaf.after
        elif is_unknown(planned.get("after_unknown"), leaf.path):
            want = None
        before, after = leaf.before, leaf.after
        if HIDDEN in (value for value in (before, after, want) if isinstance(value, str)):
            before, after, want = hide(before), hide(after), hide(want)
        return DriftedAttribute(
            path=path,
            category=category,
            before=before,
            after=after,
            planned=want,
            sensitive=any(map(contains_hidden, (before, after, want))),
            rule=self.facts.rule_for(address, path, leaf.raw_after),
            is_merged=find_merged_base(leaf.path, (entry.get("change") or {}).get("after") or {}) is not None,
        )

    def categorize_leaves(
        self,
        entry: Mapping[str, Any],
        drifted_leaves: Sequence[DriftedLeaf],
        planned: Mapping[str, Any] | None,
        undone: Sequence[DriftedLeaf] = (),
    ) -> dict[Path, Category]:
        """The class of every leaf; those in `undone` are reverted by the plan.

        A key of a merged map has the class of the same key in the map of the code. A key that the code does
        not have was added outside of Terraform.
        """
        values = (entry.get("change") or {}).get("after") or {}
        classes: dict[Path, Category] = dict.fromkeys((leaf.path for leaf in undone), "reverted")
        merged = {leaf.path: base for leaf in drifted_leaves if (base := find_merged_base(leaf.path, values))}
        for leaf in drifted_leaves:
            if leaf.path not in classes and leaf.path not in merged:
                classes[leaf.path] = self.categorize_leaf(entry, leaf, planned)
        for leaf in drifted_leaves:
            if base := merged.get(leaf.path):
                twins = [classes.get((name, *leaf.path[1:])) for name in (base, f"terraform_{base}")]
                twin: Category = next((twin for twin in twins if twin), "unmanaged")
                classes.setdefault(leaf.path, self.categorize_leaf(entry, leaf, planned, twin))
        return classes

    def categorize_leaf(
        self,
        entry: Mapping[str, Any],
        leaf: DriftedLeaf,
        planned: Mapping[str, Any] | None,
        merged: Category | None = None,
    ) -> Category:
        """The class of one leaf: first by what the plan does to it, then by what the code sets.

        `merged` is the class of a key of a merged map that the plan leaves alone.
        """
        written = self.read_code(str(entry.get("address", "")))
        is_set = written.sets(leaf.path)

        def is_alike(value: Any, other: Any) -> bool:
            return is_equivalent(value, other, leaf.path, written.sets)

        if planned is not None and planned.get("actions") != ["no-op"]:
            unknown = is_unknown(planned.get("after_unknown"), leaf.path)
            want = value_at(planned.get("after"), leaf.path)
            if unknown and self.changes_by_itself(entry, leaf.path):
                return "noise"
            if unknown and is_set:
                return "conflict"
            if not unknown and not is_alike(want, leaf.raw_after):
                # An attribute that the code does not set has no third value: the provider computes it.
                return "reverted" if is_alike(want, leaf.raw_before) or not is_set else "conflict"
        if written.ignores_changes_of(leaf.path):
            return "ignored"
        if is_alike(leaf.raw_before, leaf.raw_after):
            return "noise"
        if is_set:
            return "codified"
        if merged is not None:
            return merged
        if self.changes_by_itself(entry, leaf.path) or self.is_echo(entry, leaf):
            return "noise"
        return "unmanaged"

    def is_echo(self, entry: Mapping[str, Any], leaf: DriftedLeaf) -> bool:
        """Whether another resource of the stack sets the attribute."""
        change = entry.get("change") or {}
        own = change.get("after") or {}
        # A block of a list is compared as a whole.
        at = next((at + 1 for at, step in enumerate(leaf.path) if isinstance(step, int)), len(leaf.path))
        if at < len(leaf.path):
            path = leaf.path[:at]
            leaf = replace(
                leaf,
                path=path,
                raw_before=value_at(change.get("before"), path),
                raw_after=value_at(own, path),
            )
        siblings = (
            (str(other.get("type", "")), values)
            for source in (self.drift, self.changes)
            for other in source.values()
            if other.get("address") != entry.get("address")
            for side in ("before", "after")
            if isinstance(values := (other.get("change") or {}).get(side), dict)
        )
        return is_sibling_echo(str(entry.get("type", "")), leaf, collect_identity(own), siblings)

    def changes_by_itself(self, entry: Mapping[str, Any], path: Path) -> bool:
        """Whether an attribute changes by itself: it is listed as volatile, or only the provider sets it."""
        kind = str(entry.get("type", ""))
        name = join_parts(list(path))
        if self.read_code(str(entry.get("address", ""))).sets(path) or is_content(kind, name):
            return False
        if is_volatile(self.facts.volatile, kind, name):
            return True
        return self.facts.computed_only(str(entry.get("provider_name", "")), kind, path)

    def find_author(self, entry: Mapping[str, Any]) -> tuple[str, str]:
        """Who changed a resource and when, if the provider's data contain it.

        A time that is in the state as well is that of the last apply, so it is not used.
        """
        change = entry.get("change") or {}
        before = change.get("before") or {}
        masked = self.mask_side(change, "after", str(entry.get("address", "")))
        values = masked if isinstance(masked, dict) else {}

        def first_of(names: tuple[str, ...], *, new: bool) -> str:
            candidates = (
                value
                for name in names
                if isinstance(value := values.get(name), str) and value
                if not new or value != before.get(name)
            )
            return next(candidates, "")

        when = first_of(WHEN, new=True)
        return first_of(WHO, new=not when), when

    # Unapplied changes of resources that did not drift

    def list_unapplied(self) -> Iterator[DriftedResource]:
        """Planned changes of resources that did not drift: refreshed earlier, or caused by changed inputs."""
        for key, change in self.read.items():
            if key in self.drift or not change.is_shown:
                continue
            planned = self.list_planned_changes(key) or change.attributes
            attributes = tuple(
                self.build_unapplied_attribute(change.address, attribute) for attribute in planned
            )
            yield DriftedResource(
                address=change.address,
                type=change.type,
                kind="moved" if change.is_no_op and change.is_move else "unapplied",
                category="unapplied",
                attributes=attributes if change.is_update or change.is_replace else (),
                actions=() if change.is_no_op else change.actions,
                previous_address=change.previous_address,
                deposed=change.deposed,
                upstreams=self.list_changed_upstreams(),
                rule=self.facts.rule_for(change.address, "", None),
            )

    def build_unapplied_attribute(self, address: str, change: AttributeChange) -> DriftedAttribute:
        return DriftedAttribute(
            path=change.path,
            category="unapplied",
            before=change.before,
            after=change.before,
            planned=change.after,
            sensitive=change.sensitive,
            rule=self.facts.rule_for(address, change.path, change.before),
        )

    def list_changed_upstreams(self) -> tuple[str, ...]:
        """The upstream stacks that this plan depends on and whose outputs have changed."""
        names = {
            match[1]
            for relevant_attribute in self.raw.get("relevant_attributes") or ()
            if (match := _REMOTE_STATE.search(str(relevant_attribute.get("resource", ""))))
        }
        return tuple(sorted({stack for name, stack in self.facts.upstreams.items() if name in names}))

    # The code

    def read_code(self, address: str) -> CodedResource:
        name = without_keys(address)
        coded_resource = self.facts.written.get(name)
        return coded_resource if coded_resource is not None else _read_configuration(self.raw, name)

    def mask_side(self, change: Mapping[str, Any], side: str, address: str) -> Any:
        value = self.walker.walk(change.get(side), change.get(f"{side}_sensitive"), (address,))
        return mask_secrets(value, self.plan.secrets)


def worst_category(attributes: tuple[DriftedAttribute, ...]) -> Category:
    """The most serious class among attributes. Quiet attributes count only when there are no others."""
    candidates = [attribute for attribute in attributes if not attribute.is_quiet] or list(attributes)
    return min((attribute.category for attribute in candidates), key=CATEGORIES.index)


def _is_undone(leaf: DriftedLeaf, planned: Mapping[str, Any]) -> bool:
    """Whether the plan changes a leaf to a known value, including from a zero value to null."""
    if is_unknown(planned.get("after_unknown"), leaf.path):
        return False
    return not is_equal(value_at(planned.get("after"), leaf.path), leaf.raw_after)


def _is_among(path: str, paths: Iterable[str]) -> bool:
    return any(_is_below(path, other) for other in paths)


def _is_below(path: str, other: str) -> bool:
    """Whether two paths are equal, or one is a parent of the other."""
    short, long = sorted((path, other), key=len)
    return long == short or (long.startswith(short) and long[len(short)] in ".[")


def _read_configuration(raw: Mapping[str, Any], address: str) -> CodedResource:
    """What a plan's own `configuration` sets of a resource; `address` has no indices.

    It contains neither `dynamic` blocks nor `ignore_changes`: used only where the code is not at hand.
    """
    module = (raw.get("configuration") or {}).get("root_module") or {}
    rest = address
    while rest.startswith("module."):
        _, name, rest = rest.split(".", 2)
        module = ((module.get("module_calls") or {}).get(name) or {}).get("module") or {}
    for resource in module.get("resources") or ():
        if resource.get("address") == rest:
            return CodedResource(frozenset(_set_paths(resource.get("expressions") or {}, ())))
    return CodedResource()


def _set_paths(expressions: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, value in expressions.items():
        blocks = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        if _is_expression(value):
            yield (*above, name)
            continue
        for block in blocks:
            if isinstance(block, dict):
                yield from _set_paths(block, (*above, name))


def _is_expression(value: Any) -> bool:
    """An attribute's value; a block has the names of its attributes instead. A null has nothing at all."""
    return isinstance(value, dict) and ("constant_value" in value or "references" in value)
