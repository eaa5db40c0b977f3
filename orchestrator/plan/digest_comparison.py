"""Compares the digest of a plan with the approved one, and decides which differences are allowed."""

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
MAX_LENGTH = 200

_WORDS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("forget",): "forget",
    ("no-op",): "no change",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "create again and forget the old one",
    ("invoke",): "invoke",
}


@dataclass(frozen=True)
class DigestDifference:
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
) -> tuple[DigestDifference, ...]:
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
    comparing = _Comparison(approvals, now, reaches, approval, reviewed, ignores)
    differences = [*comparing.whole(), *comparing.resources(), *comparing.outputs()]
    return tuple(sorted(differences, key=lambda difference: (difference.address, difference.path)))


def volatile_values(first: Digest, second: Digest) -> tuple[tuple[str, str], ...]:
    """The attributes, by address and path, that differ between two plans of one commit."""
    again = {resource.key: resource for resource in second.resources}
    differing: set[tuple[str, str]] = set()
    for resource in first.resources:
        other = again.get(resource.key)
        if other is None or other.actions != resource.actions:
            continue
        values = {attribute.path: attribute for attribute in other.attributes}
        differing |= {
            (resource.address, attribute.path)
            for attribute in resource.attributes
            if attribute.path in values and _after(values[attribute.path]) != _after(attribute)
        }
    outputs = {output.name: output for output in second.outputs}
    differing |= {
        (output.address, "")
        for output in first.outputs
        if output.name in outputs and _after(outputs[output.name]) != _after(output)
    }
    return tuple(sorted(differing))


def _after(value: AttributeDigest | OutputDigest) -> tuple[str, bool]:
    return value.after, value.unknown


class _Comparison:
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
        self.moving = frozenset(name for approval in approvals for name in approval.provisional)

    # The stack as a whole

    def whole(self) -> Iterator[DigestDifference]:
        stacks = {approval.stack for approval in self.approvals}
        if stacks - {self.now.stack}:
            yield _whole("stack", ", ".join(sorted(stacks)), self.now.stack, "another stack was approved")
        # Where there was no state yet, any that came since is made of what was approved, or will differ.
        lineages = {approval.lineage for approval in self.approvals if approval.lineage}
        if lineages - {self.now.lineage}:
            was = ", ".join(sorted(lineages))
            yield _whole("lineage", was, self.now.lineage or "no state", "the state is another one")
        locks = {approval.lock_file for approval in self.approvals}
        if self.approvals and self.now.lock_file not in locks:
            was = ", ".join(sorted(lock[:12] or "none" for lock in locks))
            why = "other providers may run than those that made the approved plan"
            yield _whole(".terraform.lock.hcl", was, self.now.lock_file[:12] or "none", why)
        approved = {repair for approval in self.approvals for repair in approval.repairs}
        for repair in self.now.repairs:
            if repair not in approved:
                why = "finishing the interrupted apply takes what nobody approved"
                yield _whole("", "nothing of it", _shortened(repair), why)

    # Resources

    def resources(self) -> Iterator[DigestDifference]:
        newest = {resource.key: resource for digest in self.approvals for resource in digest.resources}
        planned = {resource.key: resource for resource in self.now.resources}
        for key, resource in planned.items():
            if key in newest:
                yield from self.same(newest[key], resource)
            elif not self.follows_an_upstream(resource):
                yield from self.new(resource)
        for key, was in newest.items():
            if key not in planned and not self.has_become_empty(was):
                why = "this was approved, is not planned any more, and is not done either"
                yield DigestDifference(was.address, "", _describe_actions(was), NO_CHANGE, why)

    def same(self, was: ResourceDigest, resource: ResourceDigest) -> Iterator[DigestDifference]:
        """One address that was approved and is planned."""
        if was.actions != resource.actions:
            yield DigestDifference(
                resource.address,
                "",
                _describe_actions(was),
                _describe_actions(resource),
                "another action was approved",
            )
            return
        if (was.previous_address or "") != (resource.previous_address or ""):
            yield DigestDifference(
                resource.address,
                "",
                _moved(was.previous_address),
                _moved(resource.previous_address),
                "another move was approved",
            )
        if was.imported != resource.imported:
            yield DigestDifference(
                resource.address, "", _imported(was), _imported(resource), "another object was to be imported"
            )
        for path, before, after in self.differing(was, resource) if self.approval != "actions" else ():
            if resource.is_removal or not (
                self.tolerates(resource.address, path) or self.is_any(resource, path)
            ):
                yield _attribute(resource, path, before, after)

    def is_any(self, resource: ResourceDigest, path: str) -> bool:
        """Whether any value of an attribute is approved: new in every plan, or ignored by trunk's rules."""
        newest = next(
            digest
            for digest in reversed(self.approvals)
            if any(each.key == resource.key for each in digest.resources)
        )
        return (resource.address, path) in newest.volatile or self.ignores(resource.address, path)

    def differing(
        self, was: ResourceDigest, resource: ResourceDigest
    ) -> Iterator[tuple[str, AttributeDigest | None, AttributeDigest | None]]:
        """The attributes that are not the same, by path."""
        old = {attribute.path: attribute for attribute in was.attributes}
        new = {attribute.path: attribute for attribute in resource.attributes}
        paths = sorted(old.keys() | new.keys())
        if resource.is_removal:
            # What goes is the object, whatever counters and times of change it has by then.
            paths = [path for path in paths if path == "id"]
        for path in paths:
            if not self.equal(old.get(path), new.get(path), removal=resource.is_removal):
                yield path, old.get(path), new.get(path)

    def equal(self, was: AttributeDigest | None, attribute: AttributeDigest | None, *, removal: bool) -> bool:
        if was is None or attribute is None:
            return False
        if removal:
            return was.before == attribute.before
        if not self.same_value(was, attribute):
            return False
        # The old value of something that is computed again may have changed by itself.
        return was.before == attribute.before or was.unknown

    def same_value(self, was: AttributeDigest | OutputDigest, now: AttributeDigest | OutputDigest) -> bool:
        """Whether two new values are the same, as far as they are known."""
        if was.unknown and not self.reviewed:
            return False
        if was.unknown and not now.unknown and self.approval != "strict":
            # What it waited for is there now: the first half of an apply that was interrupted.
            return True
        return (was.after, was.unknown) == (now.after, now.unknown)

    def new(self, resource: ResourceDigest) -> Iterator[DigestDifference]:
        """An address that no approval names."""
        why = "nobody approved a change here"
        if not resource.is_update:
            yield DigestDifference(resource.address, "", NO_CHANGE, _describe_actions(resource), why)
            return
        attributes = [
            attribute
            for attribute in resource.attributes
            if not self.tolerates(resource.address, attribute.path)
        ]
        for attribute in attributes:
            yield DigestDifference(resource.address, attribute.path, NO_CHANGE, render_value(attribute), why)
        if not attributes:
            yield DigestDifference(resource.address, "", NO_CHANGE, _describe_actions(resource), why)

    def has_become_empty(self, was: ResourceDigest) -> bool:
        """Whether an approved change may be missing: it is done, somebody later undid it, or it follows."""
        if len(self.approvals) > 1 or self.approval == "actions":
            return True
        if self.now.unchanged is not None and self.now.unchanged.has(was):
            return True
        return self.follows_an_upstream(was)

    def follows_an_upstream(self, resource: ResourceDigest) -> bool:
        """Whether a resource is changed in place, and only where an upstream that moved is read."""
        if not resource.is_update or not resource.attributes:
            return False
        return all(self.tolerates(resource.address, attribute.path) for attribute in resource.attributes)

    def tolerates(self, address: str, path: str) -> bool:
        """Whether an attribute's value may differ, since an upstream of the same change moved it."""
        if self.approval != "upstream" or not self.reviewed or not self.moving or self.reaches is None:
            return False
        return bool(self.reaches(address, path) & self.moving)

    # Outputs: what other stacks read. They change nothing by themselves, so actions alone do not cover them

    def outputs(self) -> Iterator[DigestDifference]:
        if self.approval == "actions":
            return
        newest = {output.name: output for digest in self.approvals for output in digest.outputs}
        planned = {output.name: output for output in self.now.outputs}
        for name, output in planned.items():
            was = newest.get(name)
            if was is not None and self.same_value(was, output):
                continue
            if was is not None and self.is_any_output(was):
                continue
            if not self.tolerates(output.address, ""):
                why = "this is not the value that was approved" if was else "nobody approved a change here"
                yield _difference(
                    output.address, "", render_value(was) if was else NO_CHANGE, render_value(output), why
                )
        for name, was in newest.items():
            if name not in planned and not self.output_has_become_empty(was):
                why = "this was approved and is not planned any more"
                yield DigestDifference(was.address, "", render_value(was), NO_CHANGE, why)

    def is_any_output(self, was: OutputDigest) -> bool:
        """The same for an output."""
        newest = next(digest for digest in reversed(self.approvals) if was in digest.outputs)
        return (was.address, "") in newest.volatile or self.ignores(was.address, "")

    def output_has_become_empty(self, was: OutputDigest) -> bool:
        """Whether an output's approved change may be missing."""
        if len(self.approvals) > 1 or self.tolerates(was.address, ""):
            return True
        return self.now.unchanged is not None and self.now.unchanged.has_output(was)


def _describe_actions(resource: ResourceDigest) -> str:
    """What is done to a resource, in words."""
    parts = [_WORDS.get(resource.actions, ", ".join(resource.actions))]
    if resource.previous_address:
        parts.append(_moved(resource.previous_address))
    if resource.imported:
        parts.append(_imported(resource))
    if resource.deposed:
        parts.append(f"deposed object {resource.deposed}")
    return ", ".join(part for part in parts if part != NO_CHANGE or len(parts) == 1)


def render_value(value: AttributeDigest | OutputDigest | None) -> str:
    """A new value as people may see it, on one line."""
    if value is None:
        return NO_CHANGE
    if value.sensitive:
        return HIDDEN
    if value.unknown:
        return UNKNOWN
    return _cut(value.shown_after)


def _render_old_value(value: AttributeDigest) -> str:
    """An old value as people may see it."""
    return HIDDEN if value.sensitive else _cut(value.shown_before)


def _cut(value: Any) -> str:
    return _shortened(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _attribute(
    resource: ResourceDigest, path: str, was: AttributeDigest | None, now: AttributeDigest | None
) -> DigestDifference:
    """One attribute that is not as approved; where only the old value is another one, both are shown."""
    if was and now and (resource.is_removal or (was.after, was.unknown) == (now.after, now.unknown)):
        then, today = (
            f"{_render_old_value(attribute)} → {render_value(attribute)}" for attribute in (was, now)
        )
        why = "the old value is not that of the approved plan"
        return _difference(resource.address, path, then, today, why)
    return _difference(
        resource.address,
        path,
        render_value(was),
        render_value(now),
        "this is not the value that was approved",
    )


def _difference(address: str, path: str, approved: str, now: str, why: str) -> DigestDifference:
    """A difference of values; where both look the same, the second one says that it is another."""
    if approved != now:
        return DigestDifference(address, path, approved, now, why)
    if now == UNKNOWN:
        now, why = (
            f"{UNKNOWN}, by code that nobody approved",
            "what it becomes lies in code that nobody approved",
        )
    else:
        now = f"another {now}" if HIDDEN in now else f"{now} (and differs further on)"
    return DigestDifference(address, path, approved, now, why)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"


def _whole(path: str, approved: str, now: str, why: str) -> DigestDifference:
    return DigestDifference("", path, approved, now, why)


def _moved(previous: str | None) -> str:
    return f"moved from {previous}" if previous else "not moved"


def _imported(resource: ResourceDigest) -> str:
    return f"import {resource.import_id or NOT_SHOWN}" if resource.imported else "no import"
