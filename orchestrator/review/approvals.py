"""Whether a plan may be applied: what trunk owes a stack, against what people approved on GitHub."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.config import Environment
from orchestrator.config.rules import Policy
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.plan.comparing import Approval as Strictness
from orchestrator.plan.comparing import Difference, Reaches, compare
from orchestrator.plan.digest import Digest
from orchestrator.project.model import Stack
from orchestrator.project.reach import reach
from orchestrator.review.attesting import locations
from orchestrator.review.decisions import Approval, Decisions, Refusal, destroyed
from orchestrator.review.pending import Owed, Trunk, approves
from orchestrator.run.session import Session
from orchestrator.state.approved import PlanObjects
from orchestrator.state.records import Entry

Kind = Literal["approved", "provisional", "gate", "refuse", "apply", "mismatch"]


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a plan.

    `approved` equals what was approved; `provisional` differs only where an upstream of the same change moved
    it. `mismatch` differs otherwise, by `differences`. `gate`, `refuse` and `apply` are what the environment
    does with what nobody approved. `pull_requests` are those that the stack is owed to, oldest first;
    `reason` is a clause without a full stop.
    """

    kind: Kind
    differences: tuple[Difference, ...] = ()
    pull_requests: tuple[int, ...] = ()
    reason: str = ""

    @property
    def may_apply(self) -> bool:
        """Whether the plan may be applied as it is."""
        return self.kind in ("approved", "provisional", "apply")


@dataclass(frozen=True)
class _Rules:
    """What holds in an environment; `label` is what deletions need, empty when they need none."""

    environment: Environment
    label: str


@dataclass
class Approvals:
    """The approvals of one trunk; safe from many threads. What several stacks ask is found out once.

    `trunk` and `decisions` are what it knows by now; others may ask them while they hold `lock`.
    """

    session: Session
    host: Host
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _found: dict[tuple[int, str, str], Approval | Refusal] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.trunk = Trunk(self.session.project, self.host)
        self.decisions = Decisions(self.host)

    def judge(
        self, stack: Stack, now: Digest, before: Entry | None, *, gated: Digest | None = None
    ) -> Verdict:
        """Compare a plan with what was approved.

        `before` is what the ledger knew of the stack before this run, `gated` what a gate of this very run
        approved. The environment's rules are those of trunk before the first change that is owed: nobody
        loosens the rules by which their own change is judged. Raises HostError and StateError.
        """
        with self.lock:
            owed = self.trunk.owed(stack, before)
            rules = self._rules(stack, owed)
            verdict = self._gated(stack, now, gated, owed, rules)
            if verdict is not None and verdict.may_apply:
                return verdict
            by = rules.environment.approved_by
            found = [self._approval(one, stack, by) for one in owed.pull_requests]
            by_people = self._verdict(stack, now, owed, rules, found)
            return by_people if by_people.may_apply or verdict is None else verdict

    def judge_queued(
        self, stack: Stack, now: Digest, before: Entry | None, pull_request: PullRequest, base: str
    ) -> Verdict:
        """Compare a plan in a merge queue, before the merge, with what its pull request was approved for.

        `base` is the commit that it is merged onto there. A stack with changes ahead of it that were not
        applied yet cannot be compared: it passes, and the apply compares it.
        """
        with self.lock:
            ahead = self.trunk.at(base)
            known = before.fingerprint if before and before.is_known else None
            there = ahead.fingerprint(stack.id) if ahead and stack.id in ahead.stacks else None
            if ahead is None or known != there:
                why = "changes ahead of it were not applied yet, so it is compared when it is applied"
                return Verdict("provisional", (), (pull_request.number,), why)
            owed = Owed((pull_request,), base=base)
            rules = self._rules(stack, owed)
            found = self._approval(pull_request, stack, rules.environment.approved_by)
            return self._verdict(stack, now, owed, rules, [found])

    def _rules(self, stack: Stack, owed: Owed) -> _Rules:
        """The environment's rules before the first change; those of today where nothing is owed."""
        before = self.trunk.at(owed.base) if owed.base else self.session.project
        if before is None:
            return _Rules(Environment(), Policy().label)
        config, name = before.config, stack.environment
        level = config.policy.destroy_level(name, protected=config.is_protected(name, before.order))
        return _Rules(config.environment(name), config.policy.label if level == "label" else "")

    def _approval(
        self, pull_request: PullRequest, stack: Stack, approved_by: Literal["review", "merge"]
    ) -> Approval | Refusal:
        key = (pull_request.number, stack.environment, approved_by)
        if key not in self._found:
            self._found[key] = self.decisions.approval_of(
                pull_request, stack.environment, approved_by, self.locations(stack)
            )
        return self._found[key]

    def locations(self, stack: Stack) -> Sequence[PlanObjects]:
        """Where the plan objects of a stack's environment are: as a rule in one bucket."""
        # The stack itself may be one that trunk no longer has.
        return locations(self.session.project, self.session.ledgers, stack.environment, [stack])

    def _gated(
        self, stack: Stack, now: Digest, gated: Digest | None, owed: Owed, rules: _Rules
    ) -> Verdict | None:
        """What the gate's own approval says; it was given to all that is owed, whoever brought it."""
        if gated is None:
            return None
        approval = rules.environment.approval
        return _compared(stack, now, [gated], owed, approval, self._reaches(stack), reviewed=True)

    def _verdict(
        self,
        stack: Stack,
        now: Digest,
        owed: Owed,
        rules: _Rules,
        found: Sequence[Approval | Refusal],
    ) -> Verdict:
        given = sorted(
            (one for one in found if isinstance(one, Approval) and stack.id in one.digests),
            key=lambda one: one.posted,
        )
        numbers = tuple(one.number for one in owed.pull_requests)
        lacking = _lacking(stack, owed, found, self._covered(stack, owed, found))
        unapproved = rules.environment.unapproved
        if not given:
            return Verdict(unapproved, (), numbers, "; ".join(lacking) or _nothing(stack, found))
        digests = [one.digests[stack.id] for one in given]
        approval = rules.environment.approval
        verdict = _compared(stack, now, digests, owed, approval, self._reaches(stack), reviewed=not lacking)
        if verdict.kind == "mismatch":
            return replace(verdict, reason="; ".join(lacking)) if lacking else verdict
        doomed = self._not_labelled(stack, now, given, rules.label)
        if doomed:
            # What nobody may leave unsaid is not left to `unapproved: apply` either.
            return Verdict("gate" if unapproved == "gate" else "refuse", (), numbers, doomed)
        return verdict

    def _not_labelled(self, stack: Stack, now: Digest, given: Sequence[Approval], label: str) -> str:
        """What the plan deletes or replaces without the label that allows it; empty when there is nothing."""
        if not label:
            return ""
        by_key = {key: one for one in given for key in destroyed(one.digests[stack.id])}
        places = self.locations(stack)
        # Each pull request is asked about once, by the first thing that it takes away.
        first = {by_key[key].pull_request.number: key for key in sorted(destroyed(now), reverse=True)}
        for key in first.values():
            one = by_key[key]
            if not self.decisions.allows_destroy_of(one, stack.id, stack.environment, label, places):
                return (
                    f"#{one.pull_request.number} deletes or replaces {key[0]}, and nobody who may approve it "
                    f"set the label {label} after its plan"
                )
        return ""

    def _covered(self, stack: Stack, owed: Owed, found: Sequence[Approval | Refusal]) -> frozenset[str]:
        """The commits that a later pull request, made to approve what is owed, had in its plan."""
        repository = self.session.project.repository
        later = [
            str(one.digests[stack.id].facts.get("base", ""))
            for one in found
            if isinstance(one, Approval)
            and approves(one.pull_request, stack.environment)
            and stack.id in one.digests
        ]
        return frozenset(
            commit
            for commit in owed.of
            if any(base and repository.is_ancestor(commit, base) for base in later)
        )

    def _reaches(self, stack: Stack) -> Reaches:
        return reach(self.session.project, stack.id)


def _compared(
    stack: Stack,
    now: Digest,
    approved: Sequence[Digest],
    owed: Owed,
    approval: Strictness,
    reaches: Reaches,
    *,
    reviewed: bool,
) -> Verdict:
    numbers = tuple(one.number for one in owed.pull_requests)
    found = compare(approved, now, reaches=reaches, approval=approval, reviewed=reviewed)
    if found:
        return Verdict("mismatch", found, numbers, f"{stack.id} would be changed otherwise than approved")
    if approval == "upstream" and compare(approved, now, approval="strict", reviewed=reviewed):
        upstreams = sorted({name for one in approved for name in one.provisional})
        why = f"it differs only by what {', '.join(upstreams) or 'an earlier apply'} made of it"
        return Verdict("provisional", (), numbers, why)
    return Verdict("approved", (), numbers)


def _lacking(
    stack: Stack, owed: Owed, found: Sequence[Approval | Refusal], covered: frozenset[str]
) -> list[str]:
    """Which changes of the stack's code nobody approved, in words."""
    refused = {one.pull_request.number: one.reason for one in found if isinstance(one, Refusal)}
    words: dict[str, None] = {}
    for commit, numbers in owed.of.items():
        if commit in covered:
            continue
        if not numbers:
            words[f"{commit[:10]} changed {stack.id} without a pull request"] = None
        elif all(number in refused for number in numbers):
            words |= {f"#{number}: {refused[number]}": None for number in numbers}
    return list(words)


def _nothing(stack: Stack, found: Sequence[Approval | Refusal]) -> str:
    """Why there is no approval although no change lacks one."""
    if not found:
        return f"no merged pull request changed {stack.id} since it was last applied"
    numbers = ", ".join(f"#{one.pull_request.number}" for one in found)
    return f"no plan of {stack.id} was there to be approved in {numbers}"
