"""Makes the digest of a plan: hashes of raw values, and masked values for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.plan.addresses import mark_address
from orchestrator.plan.attributes import ChangedLeaf, changed_leaves, mask_secrets, newly_marked
from orchestrator.plan.digest import (
    AttributeDigest,
    Digest,
    Hasher,
    OutputDigest,
    ResourceDigest,
    UnchangedValues,
    canonical,
)
from orchestrator.plan.model import Plan, ResourceChange
from orchestrator.plan.reader import documented_errors

# Characters of a value's JSON that are kept for people to see; what is longer is cut.
SHOWN = 1_000
# The name of what Terraform does when it invokes an `action` block.
INVOKE = "invoke"
# Digits of the hash that stands for a key which is hidden.
MARK = 12


def make_digest(
    parts: Mapping[str, Any],
    plan: Plan,
    *,
    stack: str,
    lineage: str,
    lock_file: str,
    key: bytes,
    provisional: Iterable[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Digest:
    """The digest of a plan.

    `parts` are plan JSON, `plan` what was read from it; `lineage` is the state's, empty without
    one; `lock_file` the SHA-256 of `.terraform.lock.hcl`, empty without one; `key` the project's; `facts` are
    JSON values. Data sources are no changes. Write-only attributes stand in no plan and so in no digest.
    """
    with documented_errors():
        return _digest(
            parts,
            plan,
            stack=stack,
            lineage=lineage,
            lock_file=lock_file,
            key=key,
            provisional=provisional,
            facts=facts or {},
        )


def _digest(
    document: Mapping[str, Any],
    plan: Plan,
    *,
    stack: str,
    lineage: str,
    lock_file: str,
    key: bytes,
    provisional: Iterable[str],
    facts: Mapping[str, Any],
) -> Digest:
    maker = _DigestMaker(plan, Hasher(key))
    pairs = list(zip(document.get("resource_changes") or (), plan.changes, strict=True))
    resources = [maker.resource(raw, change) for raw, change in pairs if change.is_shown]
    resources += map(maker.invocation, document.get("action_invocations") or ())
    outputs = (document.get("output_changes") or {}).items()
    return Digest(
        stack=stack,
        lineage=lineage,
        lock_file=lock_file,
        resources=tuple(sorted(resources, key=lambda raw: (raw.key, raw.actions))),
        outputs=tuple(maker.output(name, raw) for name, raw in sorted(outputs) if _is_changed(raw)),
        provisional=tuple(sorted(set(provisional))),
        facts=dict(facts),
        unchanged=UnchangedValues(
            {maker.address(raw): body for raw, body in _unchanged(pairs)},
            {name: raw.get("after") for name, raw in outputs if not _is_changed(raw)},
            maker.hasher,
        ),
    )


def _unchanged(pairs: Iterable[tuple[Mapping[str, Any], ResourceChange]]) -> Iterator[tuple[str, Any]]:
    for raw, change in pairs:
        if change.is_no_op and change.mode == "managed" and not change.deposed:
            yield str(raw.get("address", "")), (raw.get("change") or {}).get("after")


def _is_changed(output: Mapping[str, Any]) -> bool:
    return list(output.get("actions") or ()) not in ([], ["no-op"])


class _DigestMaker:
    """Hashes the parts of plan JSON, and masks again what is shown of them."""

    def __init__(self, plan: Plan, hasher: Hasher) -> None:
        self.plan = plan
        self.hasher = hasher
        self.walker = plan.masker.walker()

    def resource(self, raw: Mapping[str, Any], change: ResourceChange) -> ResourceDigest:
        body = raw.get("change") or {}
        importing = body.get("importing")
        address = self.address(str(raw.get("address", "")))
        return ResourceDigest(
            address=address,
            type=change.type,
            actions=change.actions,
            previous_address=self.address(str(raw.get("previous_address"))) if change.is_move else None,
            deposed=change.deposed,
            import_id=change.import_id,
            attributes=() if change.is_no_op else tuple(self.attributes(address, body)),
            imported=self.hasher.of(address, "", importing) if importing else "",
        )

    def address(self, real: str) -> str:
        """An address; what is hidden in it is distinguished by its hash."""
        masked = self.plan.masker.mask_address(real)
        return masked if masked == real else mark_address(masked, self.hasher.of(real, "", "address")[:MARK])

    def attributes(self, address: str, body: Mapping[str, Any]) -> Iterator[AttributeDigest]:
        leaves = list(
            changed_leaves(
                body.get("before"),
                body.get("after"),
                body.get("after_unknown"),
                self.masked(body, "before", address),
                self.masked(body, "after", address),
                null_items=True,
            )
        )
        yield from (self.attribute(address, leaf) for leaf in leaves)
        if not leaves:
            for mark in newly_marked(body.get("before_sensitive"), body.get("after_sensitive")):
                yield AttributeDigest(
                    mark.path, "", self.hasher.of(address, mark.path, "marked"), sensitive=True
                )

    def attribute(self, address: str, leaf: ChangedLeaf) -> AttributeDigest:
        change = leaf.change
        return AttributeDigest(
            path=change.path,
            before="" if leaf.before is None else self.hasher.of(address, change.path, leaf.before),
            after=self.after(address, change.path, leaf.after, leaf.unknown),
            unknown=bool(leaf.unknown),
            sensitive=change.sensitive,
            shown_before=None if change.sensitive else _cut(change.before),
            shown_after=None if change.sensitive else _cut(change.after),
        )

    def after(self, address: str, path: str, value: Any, unknown: Any) -> str:
        """The hash of a new value; of one that is known in part, with which part is not."""
        if unknown is True:
            return ""
        return self.hasher.of(address, path, [value, unknown] if unknown else value)

    def output(self, name: str, raw: Mapping[str, Any]) -> OutputDigest:
        change = self.plan.outputs[name]
        unknown = raw.get("after_unknown")
        unknown = unknown if unknown not in (None, False, {}, []) else False
        return OutputDigest(
            name=name,
            actions=change.actions,
            after=self.after(f"output.{name}", "", raw.get("after"), unknown),
            unknown=bool(unknown),
            sensitive=change.sensitive,
            shown_after=None if change.sensitive else _cut(change.after),
        )

    def invocation(self, raw: Mapping[str, Any]) -> ResourceDigest:
        """An action that the apply invokes: all that the plan says of it is hashed as one value."""
        address = str(raw.get("address", ""))
        trigger = raw.get("lifecycle_action_trigger") or raw.get("invoke_action_trigger") or {}
        whole = AttributeDigest("", "", self.hasher.of(address, "", raw), sensitive=True)
        where = canonical(trigger) if trigger else ""
        return ResourceDigest(
            self.address(f"{address} {where}".rstrip()),
            str(raw.get("type", "")),
            (INVOKE,),
            attributes=(whole,),
        )

    def masked(self, body: Mapping[str, Any], side: str, address: str) -> Any:
        value = self.walker.walk(body.get(side), body.get(f"{side}_sensitive"), (address,))
        return mask_secrets(value, self.plan.secrets)


def _cut(value: Any) -> Any:
    """A value that people may see, as text where it is too long."""
    text = value if isinstance(value, str) else canonical(value)
    return value if len(text) <= SHOWN else f"{text[:SHOWN]}…"
