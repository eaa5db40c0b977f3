"""What was approved against what would be applied now: what differs, and whether that may be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.plan.digest import AttributeDigest, Digest, OutputDigest, ResourceDigest

# Given an address and a path: the stacks whose remote states the attribute's expression reaches. An output
# of the stack is the address `output.NAME` with an empty path.
Reaches = Callable[[str, str], frozenset[str]]
# Whether the value of an attribute, by address and path, may be another one than was approved.
Ignores = Callable[[str, str], bool]
Approval = Literal["strict", "upstream", "actions"]

HIDDEN = "(sensitive value)"
UNKNOWN = "(known after apply)"
NO_CHANGE = "no change"
NOT_SHOWN = "(not shown)"
MOST = 200

_WORDS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("forget",): "forget",
    ("no-op",): "no change",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "make anew and forget the old one",
    ("invoke",): "invoke",
}


@dataclass(frozen=True)
class Difference:
    """One thing that is not as approved.

    `address` is a resource's, `output.NAME`, or empty for the stack as a whole; `path` an attribute's, empty
    for the resource as a whole. `approved` and `now` are short texts, masked; `why` says what is wrong.
    """

    address: str
    path: str
    approved: str
    now: str
    why: str


def compare(
    approved: Digest | Sequence[Digest],
    now: Digest,
    *,
    reaches: Reaches | None = None,
    approval: Approval = "upstream",
    reviewed: bool = True,
    ignores: Ignores = lambda address, path: False,
) -> tuple[Difference, ...]:
    """What of a plan is not covered by what was approved, by address; nothing when all is.

    Several approvals are given oldest first: each change must equal the newest one that names its address,
    and each approved change must appear or have become empty. `approval` is the environment's: `upstream`
    lets differences pass that come from an upstream in the same change, `actions` asks only for the same
    addresses and actions, moves and imports included. `reviewed` is false when code was changed that nobody
    approved: then no difference passes, and neither does a value that is not known yet, since what becomes of
    it lies in the code. `ignores` tells attributes whose values do not matter. The two sides of a difference
    are never the same text.
    """
    approvals = [approved] if isinstance(approved, Digest) else list(approved)
    comparing = _Comparing(approvals, now, reaches, approval, reviewed, ignores)
    found = [*comparing.whole(), *comparing.resources(), *comparing.outputs()]
    return tuple(sorted(found, key=lambda one: (one.address, one.path)))


def volatile(first: Digest, second: Digest) -> tuple[tuple[str, str], ...]:
    """The attributes, by address and path, that differ between two plans of one commit."""
    again = {one.key: one for one in second.resources}
    found: set[tuple[str, str]] = set()
    for one in first.resources:
        other = again.get(one.key)
        if other is None or other.actions != one.actions:
            continue
        values = {attribute.path: attribute for attribute in other.attributes}
        found |= {
            (one.address, attribute.path)
            for attribute in one.attributes
            if attribute.path in values and _after(values[attribute.path]) != _after(attribute)
        }
    outputs = {one.name: one for one in second.outputs}
    found |= {
        (one.address, "")
        for one in first.outputs
        if one.name in outputs and _after(outputs[one.name]) != _after(one)
    }
    return tuple(sorted(found))


def _after(value: AttributeDigest | OutputDigest) -> tuple[str, bool]:
    return value.after, value.unknown


class _Comparing:
    """One comparison. Each method yields what differs."""

    def __init__(
        self,
        approvals: Sequence[Digest],
        now: Digest,
        reaches: Reaches | None,
        approval: Approval,
        reviewed: bool,
        ignores: Ignores,
    ) -> None:
        self.approvals = approvals
        self.now = now
        self.reaches = reaches
        self.approval = approval
        self.reviewed = reviewed
        self.ignores = ignores
        self.moving = frozenset(name for one in approvals for name in one.provisional)

    # The stack as a whole

    def whole(self) -> Iterator[Difference]:
        stacks = {one.stack for one in self.approvals}
        if stacks - {self.now.stack}:
            yield _whole("stack", ", ".join(sorted(stacks)), self.now.stack, "another stack was approved")
        # Where there was no state yet, any that came since is made of what was approved, or will differ.
        lineages = {one.lineage for one in self.approvals if one.lineage}
        if lineages - {self.now.lineage}:
            was = ", ".join(sorted(lineages))
            yield _whole("lineage", was, self.now.lineage or "no state", "the state is another one")
        locks = {one.lock_file for one in self.approvals}
        if self.approvals and self.now.lock_file not in locks:
            was = ", ".join(sorted(one[:12] or "none" for one in locks))
            why = "other providers may run than those that made the approved plan"
            yield _whole(".terraform.lock.hcl", was, self.now.lock_file[:12] or "none", why)
        agreed = {repair for one in self.approvals for repair in one.repairs}
        for repair in self.now.repairs:
            if repair not in agreed:
                why = "finishing the interrupted apply takes what nobody approved"
                yield _whole("", "nothing of it", _shortened(repair), why)

    # Resources

    def resources(self) -> Iterator[Difference]:
        newest = {one.key: one for digest in self.approvals for one in digest.resources}
        planned = {one.key: one for one in self.now.resources}
        for key, one in planned.items():
            if key in newest:
                yield from self.same(newest[key], one)
            elif not self.follows_an_upstream(one):
                yield from self.new(one)
        for key, was in newest.items():
            if key not in planned and not self.has_become_empty(was):
                why = "this was approved, is not planned any more, and is not done either"
                yield Difference(was.address, "", words(was), NO_CHANGE, why)

    def same(self, was: ResourceDigest, one: ResourceDigest) -> Iterator[Difference]:
        """One address that was approved and is planned."""
        if was.actions != one.actions:
            yield Difference(one.address, "", words(was), words(one), "another action was approved")
            return
        if (was.previous_address or "") != (one.previous_address or ""):
            yield Difference(
                one.address,
                "",
                _moved(was.previous_address),
                _moved(one.previous_address),
                "another move was approved",
            )
        if was.imported != one.imported:
            yield Difference(
                one.address, "", _imported(was), _imported(one), "another object was to be imported"
            )
        for path, before, after in self.differing(was, one) if self.approval != "actions" else ():
            if one.is_removal or not (self.tolerates(one.address, path) or self.is_any(one, path)):
                yield _attribute(one, path, before, after)

    def is_any(self, one: ResourceDigest, path: str) -> bool:
        """Whether any value of an attribute is approved: new in every plan, or ignored by trunk's rules."""
        newest = next(
            digest
            for digest in reversed(self.approvals)
            if any(each.key == one.key for each in digest.resources)
        )
        return (one.address, path) in newest.volatile or self.ignores(one.address, path)

    def differing(
        self, was: ResourceDigest, one: ResourceDigest
    ) -> Iterator[tuple[str, AttributeDigest | None, AttributeDigest | None]]:
        """The attributes that are not the same, by path."""
        old = {attribute.path: attribute for attribute in was.attributes}
        new = {attribute.path: attribute for attribute in one.attributes}
        paths = sorted(old.keys() | new.keys())
        if one.is_removal:
            # What goes is the object, whatever counters and times of change it has by then.
            paths = [path for path in paths if path == "id"]
        for path in paths:
            if not self.equal(old.get(path), new.get(path), removal=one.is_removal):
                yield path, old.get(path), new.get(path)

    def equal(self, was: AttributeDigest | None, one: AttributeDigest | None, *, removal: bool) -> bool:
        if was is None or one is None:
            return False
        if removal:
            return was.before == one.before
        if not self.same_value(was, one):
            return False
        # The old value of something that is computed anew may have changed by itself.
        return was.before == one.before or was.unknown

    def same_value(self, was: AttributeDigest | OutputDigest, one: AttributeDigest | OutputDigest) -> bool:
        """Whether two new values are the same, as far as they are known."""
        if was.unknown and not self.reviewed:
            return False
        if was.unknown and not one.unknown and self.approval != "strict":
            # What it waited for is there now: the first half of an apply that was cut off.
            return True
        return (was.after, was.unknown) == (one.after, one.unknown)

    def new(self, one: ResourceDigest) -> Iterator[Difference]:
        """An address that no approval names."""
        why = "nobody approved a change here"
        if not one.is_update:
            yield Difference(one.address, "", NO_CHANGE, words(one), why)
            return
        found = [one_ for one_ in one.attributes if not self.tolerates(one.address, one_.path)]
        for attribute in found:
            yield Difference(one.address, attribute.path, NO_CHANGE, shown(attribute), why)
        if not found:
            yield Difference(one.address, "", NO_CHANGE, words(one), why)

    def has_become_empty(self, was: ResourceDigest) -> bool:
        """Whether an approved change may be missing: it is done, somebody later undid it, or it follows."""
        if len(self.approvals) > 1 or self.approval == "actions":
            return True
        if self.now.standing is not None and self.now.standing.has(was):
            return True
        return self.follows_an_upstream(was)

    def follows_an_upstream(self, one: ResourceDigest) -> bool:
        """Whether a resource is changed in place, and only where an upstream that moved is read."""
        if not one.is_update or not one.attributes:
            return False
        return all(self.tolerates(one.address, attribute.path) for attribute in one.attributes)

    def tolerates(self, address: str, path: str) -> bool:
        """Whether an attribute's value may differ, since an upstream of the same change moved it."""
        if self.approval != "upstream" or not self.reviewed or not self.moving or self.reaches is None:
            return False
        return bool(self.reaches(address, path) & self.moving)

    # Outputs: what other stacks read. They change nothing by themselves, so actions alone do not cover them

    def outputs(self) -> Iterator[Difference]:
        if self.approval == "actions":
            return
        newest = {one.name: one for digest in self.approvals for one in digest.outputs}
        planned = {one.name: one for one in self.now.outputs}
        for name, one in planned.items():
            was = newest.get(name)
            if was is not None and self.same_value(was, one):
                continue
            if was is not None and self.is_any_output(was):
                continue
            if not self.tolerates(one.address, ""):
                why = "this is not the value that was approved" if was else "nobody approved a change here"
                yield _difference(one.address, "", shown(was) if was else NO_CHANGE, shown(one), why)
        for name, was in newest.items():
            if name not in planned and not self.output_has_become_empty(was):
                why = "this was approved and is not planned any more"
                yield Difference(was.address, "", shown(was), NO_CHANGE, why)

    def is_any_output(self, was: OutputDigest) -> bool:
        """The same for an output."""
        newest = next(digest for digest in reversed(self.approvals) if was in digest.outputs)
        return (was.address, "") in newest.volatile or self.ignores(was.address, "")

    def output_has_become_empty(self, was: OutputDigest) -> bool:
        """Whether an output's approved change may be missing."""
        if len(self.approvals) > 1 or self.tolerates(was.address, ""):
            return True
        return self.now.standing is not None and self.now.standing.has_output(was)


def words(resource: ResourceDigest) -> str:
    """What is done to a resource, in words."""
    found = [_WORDS.get(resource.actions, ", ".join(resource.actions))]
    if resource.previous_address:
        found.append(_moved(resource.previous_address))
    if resource.imported:
        found.append(_imported(resource))
    if resource.deposed:
        found.append(f"deposed object {resource.deposed}")
    return ", ".join(one for one in found if one != NO_CHANGE or len(found) == 1)


def shown(value: AttributeDigest | OutputDigest | None) -> str:
    """A new value as people may see it, on one line."""
    if value is None:
        return NO_CHANGE
    if value.sensitive:
        return HIDDEN
    if value.unknown:
        return UNKNOWN
    return _cut(value.shown_after)


def shown_before(value: AttributeDigest) -> str:
    """An old value as people may see it."""
    return HIDDEN if value.sensitive else _cut(value.shown_before)


def _cut(value: Any) -> str:
    return _shortened(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _attribute(
    resource: ResourceDigest, path: str, was: AttributeDigest | None, now: AttributeDigest | None
) -> Difference:
    """One attribute that is not as approved; where only the old value is another one, both are told."""
    if was and now and (resource.is_removal or (was.after, was.unknown) == (now.after, now.unknown)):
        then, today = (f"{shown_before(one)} → {shown(one)}" for one in (was, now))
        why = "it was another value that was to be changed"
        return _difference(resource.address, path, then, today, why)
    return _difference(
        resource.address, path, shown(was), shown(now), "this is not the value that was approved"
    )


def _difference(address: str, path: str, approved: str, now: str, why: str) -> Difference:
    """A difference of values; where both look the same, the second one says that it is another."""
    if approved != now:
        return Difference(address, path, approved, now, why)
    if now == UNKNOWN:
        now, why = (
            f"{UNKNOWN}, by code that nobody approved",
            "what it becomes lies in code that nobody approved",
        )
    else:
        now = f"another {now}" if HIDDEN in now else f"{now} (and differs further on)"
    return Difference(address, path, approved, now, why)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST else f"{text[:MOST]}…"


def _whole(path: str, approved: str, now: str, why: str) -> Difference:
    return Difference("", path, approved, now, why)


def _moved(previous: str | None) -> str:
    return f"moved from {previous}" if previous else "not moved"


def _imported(resource: ResourceDigest) -> str:
    return f"import {resource.import_id or NOT_SHOWN}" if resource.imported else "no import"
