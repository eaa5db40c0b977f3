"""Finds pending stacks: those whose code, upstreams or ledger entry say that an apply is due."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.engine.memory import Memory
from orchestrator.engine.states import States
from orchestrator.repository.model import Edge, Project, Stack
from orchestrator.state.records import LedgerEntry, short_commit

ABSENT = "absent"
# How the reason of a stack begins that a local run applied with `--break-glass`.
PAST_RULES = "it was applied past the rules"


def pending_stacks(memory: Memory, among: Iterable[str] | None = None) -> dict[str, str]:
    """The pending stacks in the project's order, each with the reason.

    `entries_among` are the ids to look at, by default all; no ledger of other environments is read.
    """
    stacks = memory.project.stacks
    selected = stacks.keys() if among is None else stacks.keys() & set(among)
    entries = entries_of(memory, selected)
    reasons = {}
    for stack in stacks.values():
        if stack.id not in selected:
            continue
        entry = entries.get(stack.id)
        reads = entry.upstreams.keys() if entry else ()
        now = upstream_hashes(memory.project, memory.states, stack) if reads else {}
        reason = pending_reason(entry, memory.project.fingerprint(stack.id), now)
        if reason:
            reasons[stack.id] = reason
    return reasons


def pending_reason(entry: LedgerEntry | None, fingerprint: str, upstreams: Mapping[str, str]) -> str:
    """The reason why a stack is pending; empty when it is up to date.

    `upstreams` are the hashes of what its code reads of others now.
    """
    if entry is not None and entry.problem:
        return entry.problem.rstrip(".")
    if entry is None or not entry.is_known:
        return "it was never applied by infra"
    if entry.operation is not None and entry.is_unfinished:
        return f"{entry.operation.kind} {entry.operation.run} is unfinished"
    if entry.result in ("failed", "interrupted"):
        return f"its last run {entry.result}" if entry.result == "failed" else "its last run was interrupted"
    if entry.result == "destroyed":
        return "it was destroyed"
    if entry.result == "restored":
        return "its state was put back to an older version"
    if entry.result == "modified":
        return "`infra run` has changed its state"
    if entry.break_glass:
        return f"{PAST_RULES}: {entry.break_glass}"
    if entry.fingerprint != fingerprint:
        return f"its code has changed since {short_commit(entry.commit)}"
    moved = sorted(id_ for id_, was in entry.upstreams.items() if id_ in upstreams and upstreams[id_] != was)
    return f"outputs of {', '.join(moved)} have changed since" if moved else ""


def entries_of(memory: Memory, stacks: Iterable[str]) -> dict[str, LedgerEntry]:
    """The ledger entries of some stacks, renamed ones included; one listing per ledger."""
    entries: dict[str, LedgerEntry] = {}
    for ledger, ids in memory.ledgers.among(stacks).items():
        entries |= entries_among(memory, ledger.entries(), ids)
    return entries


def entries_among(
    memory: Memory, entries: Mapping[str, LedgerEntry], stacks: Iterable[str]
) -> dict[str, LedgerEntry]:
    """Those of a ledger's entries that are of some stacks, also of renamed ones."""
    selected = {}
    for id_ in stacks:
        old = memory.ledgers.earlier_id(memory.project.stacks[id_])
        entry = entries.get(id_) or (entries.get(old) if old else None)
        if entry:
            selected[id_] = entry
    return selected


def upstream_hashes(project: Project, states: States, stack: Stack) -> dict[str, str]:
    """For each stack that this one reads, the hash of the outputs that its code reads, as they are now."""
    by_source: dict[str, list[Edge]] = {}
    for edge in project.upstreams(stack.id):
        by_source.setdefault(edge.source, []).append(edge)
    hashes = {}
    for source, edges in by_source.items():
        head = states.head(project.stacks[source])
        hashes[source] = outputs_hash(head.outputs if head else {}, edges)
    return dict(sorted(hashes.items()))


def outputs_hash(outputs: Mapping[str, Mapping[str, Any]], edges: Iterable[Edge]) -> str:
    """A hash of the values of the outputs that some edges read; an edge that names none reads all."""
    names: set[str] = set()
    for edge in edges:
        names |= set(outputs) if edge.outputs is None else set(edge.outputs)
    values = {name: outputs[name].get("value") if name in outputs else ABSENT for name in sorted(names)}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
