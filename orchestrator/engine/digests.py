"""Makes the digests of a run's plans, with their keys and facts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.engine.inspection import Inspect, PlanInspection
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.session import Session
from orchestrator.engine.states import States
from orchestrator.plan.digest import Digest, empty_plan_digest
from orchestrator.plan.digest_maker import make_digest
from orchestrator.plan.model import Plan
from orchestrator.plan.plan_json import PlanJson
from orchestrator.repository.model import Project, Stack
from orchestrator.state.plan_objects import PlanObjects, digest_key

# The fact of a plan object that holds a hash of what its job reported: `report.review.shown_hash`.
SHOWN_HASH = "shown"


class DigestKeys:
    """The keys that digests are made with, one for each ledger; read once. Safe to share between threads."""

    def __init__(self, ledgers: Ledgers) -> None:
        self._ledgers = ledgers
        self._known: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def of(self, stack: Stack) -> bytes:
        """The key for a stack; StateError when there is none and this account cannot make it."""
        ledger = self._ledgers.of(stack)
        with self._lock:
            if id(ledger) not in self._known:
                self._known[id(ledger)] = digest_key(ledger.storage, ledger.folder)
            return self._known[id(ledger)]


def digest_inspection(
    session: Session,
    keys: DigestKeys,
    *,
    provisional: Mapping[str, Sequence[str]] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Inspect:
    """An inspection that makes the digest of each plan.

    `provisional` maps stack ids to the stacks that they read and that have changes of their own; it is looked
    at when a plan is made, so it may still grow. `facts` are added to those that every digest has.
    """
    upstreams = {} if provisional is None else provisional

    def inspect(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
        digest = make_digest(
            plan_json.parts,
            plan,
            stack=stack.id,
            lineage=_lineage(session.memory.states, stack),
            lock_file=_lock_file_hash(session.context.project, stack),
            key=keys.of(stack),
            provisional=upstreams.get(stack.id, ()),
            facts={
                **_facts(session, stack),
                "terraform_version": plan.terraform_version,
                **(facts or {}),
            },
        )
        return PlanInspection(digest)

    return inspect


def empty_digest(
    session: Session,
    stack: Stack,
    *,
    provisional: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Digest:
    """The digest of a stack whose plan is empty, for which no JSON was ever read."""
    return empty_plan_digest(
        stack.id,
        lineage=_lineage(session.memory.states, stack),
        lock_file=_lock_file_hash(session.context.project, stack),
        provisional=provisional,
        facts={**_facts(session, stack), **(facts or {})},
    )


def locate_plan_objects(ledgers: Ledgers, stack: Stack) -> PlanObjects:
    """Where the plan objects of a stack's environment lie: beside its ledger."""
    ledger = ledgers.of(stack)
    return PlanObjects(ledger.storage, ledger.environment, ledger.folder)


def _lock_file_hash(project: Project, stack: Stack) -> str:
    """The SHA-256 of the stack's `.terraform.lock.hcl` as the project was read; empty without one."""
    path = project.tree.find(stack.lock_file) if stack.lock_file else None
    return hashlib.sha256(project.tree.read(path)).hexdigest() if path else ""


def _lineage(states: States, stack: Stack) -> str:
    head = states.head_before_move(stack)
    return head.lineage if head else ""


def _facts(session: Session, stack: Stack) -> dict[str, Any]:
    context = session.context
    memory = session.memory
    head = memory.states.head(stack)
    upstreams = {edge.source for edge in context.project.upstreams(stack.id)}
    return {
        "commit": context.project.commit or "",
        "run": context.info.id,
        **({"traceparent": context.info.traceparent} if context.info.traceparent else {}),
        "serial": head.serial if head else None,
        "generation": memory.states.generation(stack) or "",
        "upstreams": {
            name: memory.states.generation(context.project.stacks[name]) or "" for name in sorted(upstreams)
        },
    }
