"""Whether a plan may be applied: what is pending for a stack, against what people approved on GitHub."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.config import Environment
from orchestrator.config.model import ApprovalIgnore, ApprovedBy
from orchestrator.config.rules import Policy
from orchestrator.engine.session import Session
from orchestrator.errors import AuthorsUnknownError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.plan.comparing import Approval as Strictness
from orchestrator.plan.comparing import Difference, Ignores, compare
from orchestrator.plan.digest import Digest
from orchestrator.project.model import Project, Stack
from orchestrator.project.reach import reach
from orchestrator.review.attesting import locations
from orchestrator.review.decisions import Approval, Decisions, Refusal, ReviewRule, destroyed
from orchestrator.review.owners import Owners, owners_of
from orchestrator.review.pending import PendingChange, Trunk, approves
from orchestrator.review.reviewers import Reviewers
from orchestrator.state.approved import PlanObjects
from orchestrator.state.records import Entry

Kind = Literal["approved", "provisional", "gate", "refuse", "apply", "mismatch"]
Unapproved = Literal["gate", "refuse", "apply"]

# The strictest first.
UNAPPROVED: tuple[Unapproved, ...] = ("refuse", "gate", "apply")
STRICTNESS: tuple[Strictness, ...] = ("strict", "upstream", "actions")
APPROVED_BY: tuple[ApprovedBy, ...] = ("codeowners", "review", "merge")


@dataclass(frozen=True)
class Verdict:
    """What is to be done with a plan.

    `approved` equals what was approved; `provisional` differs only where an upstream of the same change moved
    it. `mismatch` differs otherwise, by `differences`. `gate`, `refuse` and `apply` are what the environment
    does with what nobody approved. `pull_requests` are those that are pending for the stack, oldest first;
    `reason` is a clause without a full stop; `causes` are sentences that tell why a mismatch counts.
    `unapproved` is the strictest answer of the rules that hold to what nobody approved.
    """

    kind: Kind
    differences: tuple[Difference, ...] = ()
    pull_requests: tuple[int, ...] = ()
    reason: str = ""
    unapproved: Unapproved = "gate"
    causes: tuple[str, ...] = ()

    @property
    def may_apply(self) -> bool:
        """Whether the plan may be applied as it is."""
        return self.kind in ("approved", "provisional", "apply")


@dataclass(frozen=True)
class _Rules:
    """The rules of one commit of trunk for an environment.

    `label` is what deletions need, empty when they need none; `needed` tells whether a change needs an
    approval at all. `project` is None where the commit cannot be read: then the defaults hold.
    """

    project: Project | None
    environment: Environment
    label: str
    needed: bool


@dataclass(frozen=True)
class _Change:
    """A pending change with the rules of trunk just before it, and what its pull requests approve.

    `carried` are the authors of older changes that it was made to approve.
    """

    change: PendingChange
    rules: _Rules
    answers: tuple[Approval | Refusal, ...] = ()
    carried: frozenset[str] = frozenset()

    @property
    def is_lacking(self) -> bool:
        """Whether it changed the stack's code, needed an approval, and has none."""
        if self.change.kind != "code" or not self.rules.needed:
            return False
        return all(isinstance(one, Refusal) for one in self.answers)


@dataclass
class Approvals:
    """The approvals of one trunk; safe from many threads. What several stacks ask is looked up once.

    `trunk` and `decisions` are what it knows by now; others may ask them while they hold `lock`.
    """

    session: Session
    host: Host
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _answers: dict[tuple[int, str, ReviewRule], Approval | Refusal] = field(default_factory=dict, repr=False)
    _changes: dict[str, list[_Change]] = field(default_factory=dict, repr=False)
    _refused: dict[str, list[Refusal]] = field(default_factory=dict, repr=False)
    _owners: dict[str, Owners] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.trunk = Trunk(self.session.context.project, self.host)
        self.decisions = Decisions(self.host, Reviewers(self.host, self.session.context.project.repository))

    def judge(
        self, stack: Stack, now: Digest, before: Entry | None, *, gated: Digest | None = None
    ) -> Verdict:
        """Compare a plan with what was approved.

        `before` is what the ledger knew of the stack before this run, `gated` what a gate of this very run
        approved. Each pending change is judged by the rules of trunk just before it: a loosening never helps
        what was merged before or with it, and a tightening binds all that comes later. A pull request that
        was made to approve older changes stands for them, for the stacks that its plan names. Raises
        HostError, StateError, and ConfigError for rules that cannot work.
        """
        with self.lock:
            changes = self._pending(stack, before)
            rules = [one.rules for one in changes] or [self._rules(self.session.context.project, stack)]
            numbers = tuple(dict.fromkeys(one.number for one in _pull_requests(changes)))
            if not any(one.needed for one in rules):
                why = f"{stack.environment} needs no approval"
                return Verdict("apply", (), numbers, why, strictest_unapproved(rules))
            by_gate = self._by_gate(stack, now, gated, numbers, rules)
            if by_gate is not None and by_gate.may_apply:
                return by_gate
            by_people = self._verdict(stack, now, changes, rules, numbers)
            return by_people if by_people.may_apply or by_gate is None else by_gate

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
            rules = self._rules(ahead, stack)
            if not rules.needed:
                why = f"{stack.environment} needs no approval"
                return Verdict("apply", pull_requests=(pull_request.number,), reason=why)
            paths = self._changed(stack, pull_request, ahead)
            change = PendingChange(pull_request.head, "upstream", (pull_request,), base, paths)
            queued = _Change(change, rules, (self._answer(stack, pull_request, rules, paths),))
            return self._verdict(stack, now, [queued], [rules], (pull_request.number,))

    def projects(self, stack: Stack, before: Entry | None) -> tuple[Project, ...]:
        """The projects whose rules a plan of what is pending must keep, oldest first; trunk's where none is.

        Raises HostError and StateError.
        """
        with self.lock:
            changes = self._pending(stack, before)
            found = {id(one.rules.project): one.rules.project for one in changes}
            return tuple(one for one in found.values() if one is not None) or (self.session.context.project,)

    def pull_requests(self, stack: Stack, before: Entry | None) -> tuple[int, ...]:
        """The pull requests that are pending for a stack, approved or not. Raises HostError."""
        with self.lock:
            return tuple(one.number for one in self.trunk.pending(stack, before).pull_requests)

    def pushers(self, commit: str) -> frozenset[str]:
        """Who brought a commit to trunk without a pull request, in lower case.

        Raises HostError; AuthorsUnknownError where the host does not tell.
        """
        with self.lock:
            return self.decisions.reviewers.author_of_push(self.trunk.branch, commit)

    def _pending(self, stack: Stack, before: Entry | None) -> list[_Change]:
        """The pending changes that an approval made later does not stand for, oldest first."""
        key = f"{stack.id} {before.commit if before else ''}"
        if key not in self._changes:
            self._changes[key] = self._judged(stack, self.trunk.pending(stack, before).changes)
        return self._changes[key]

    def _judged(self, stack: Stack, pending: Sequence[PendingChange]) -> list[_Change]:
        kept: list[_Change] = []
        for change in pending:
            rules = self._rules(self.trunk.at(change.base) if change.base else None, stack)
            made_to_approve = [one for one in change.pull_requests if approves(one, stack.environment)]
            if not made_to_approve:
                answers = [self._answer(stack, one, rules, change.paths) for one in change.pull_requests]
                kept.append(_Change(change, rules, tuple(answers)))
                continue
            # Who may approve older changes is what their own rules say, where these are stricter.
            rules = _as_strict(rules, [one.rules for one in kept])
            paths = sorted({path for one in kept for path in one.change.paths} | {*change.paths})
            answers, carried = self._approving(stack, change, rules, paths, [one.change for one in kept])
            named = [one for one in answers if isinstance(one, Approval) and stack.id in one.digests]
            if named:
                bases = [str(one.digests[stack.id].facts.get("base", "")) for one in named]
                kept = [one for one in kept if not self._is_in(one.change.commit, bases)]
            self._refused.setdefault(stack.id, []).extend(one for one in answers if isinstance(one, Refusal))
            if named or change.kind == "code":
                kept.append(_Change(change, rules, tuple(answers), carried))
        return kept

    def _approving(
        self,
        stack: Stack,
        change: PendingChange,
        rules: _Rules,
        paths: Sequence[str],
        older: Sequence[PendingChange],
    ) -> tuple[list[Approval | Refusal], frozenset[str]]:
        """What pull requests that were made to approve older changes approve, and who wrote those."""
        try:
            carried = self._carried(older)
        except AuthorsUnknownError as error:
            # Whoever approves it may be who made what it carries.
            return [Refusal(one, error.message.rstrip(".")) for one in change.pull_requests], frozenset()
        return [self._answer(stack, one, rules, paths, carried) for one in change.pull_requests], carried

    def _is_in(self, commit: str, bases: Sequence[str]) -> bool:
        repository = self.session.context.project.repository
        return any(base and repository.is_ancestor(commit, base) for base in bases)

    def _rules(self, project: Project | None, stack: Stack) -> _Rules:
        """What a commit of trunk says of an environment."""
        if project is None:
            return _Rules(None, Environment(), Policy().label, needed=True)
        config, name = project.config, stack.environment
        order = project.order if name in project.environments else self.session.context.project.order
        level = config.policy.destroy_level(name, protected=config.is_protected(name, order))
        label = config.policy.label if level == "label" else ""
        return _Rules(project, config.environment(name), label, config.needs_approval(name, order))

    def _answer(
        self,
        stack: Stack,
        pull_request: PullRequest,
        rules: _Rules,
        paths: Sequence[str],
        carried: frozenset[str] = frozenset(),
    ) -> Approval | Refusal:
        """What a pull request approves; `carried` are the authors of older changes that it approves too."""
        by = rules.environment.approved_by if rules.needed else "merge"
        rule = ReviewRule(
            by,
            carried if by != "merge" else frozenset(),
            self._owned(stack, rules, paths) if by == "codeowners" else (),
        )
        key = (pull_request.number, stack.environment, rule)
        if key not in self._answers:
            self._answers[key] = self.decisions.approval_of(
                pull_request, stack.environment, rule, self.locations(stack)
            )
        return self._answers[key]

    def _carried(self, changes: Sequence[PendingChange]) -> frozenset[str]:
        """Who wrote changes that somebody else has to approve now.

        Raises AuthorsUnknownError for a direct push of which the host does not tell who made it.
        """
        reviewers = self.decisions.reviewers
        found: set[str] = set()
        for change in changes:
            if not change.pull_requests:
                found |= self.pushers(change.commit)
            for one in change.pull_requests:
                try:
                    found |= reviewers.authors(one)
                except AuthorsUnknownError:
                    found.add(one.author.lower())
        return frozenset(found)

    def _owned(
        self, stack: Stack, rules: _Rules, paths: Sequence[str]
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The stack's folder and the changed files that it reads, each with its owners then."""
        if rules.project is None:
            return ((stack.path, ()),)
        commit = rules.project.commit or ""
        if commit not in self._owners:
            self._owners[commit] = owners_of(rules.project, self.host.teams)
        owners = self._owners[commit]
        return ((stack.path, owners.of_folder(stack.path)), *((path, owners.of(path)) for path in paths))

    def _changed(self, stack: Stack, pull_request: PullRequest, ahead: Project) -> tuple[str, ...]:
        """The files of a stack that a pull request changes which is not merged yet."""
        mine = {
            path
            for project in (ahead, self.session.context.project)
            if stack.id in project.stacks
            for path in project.files(stack.id)
        }
        changed = (self.trunk.inside(path) for path in self.host.changed_paths(pull_request.number))
        return tuple(sorted({path for path in changed if path in mine}))

    def locations(self, stack: Stack) -> Sequence[PlanObjects]:
        """Where the plan objects of a stack's environment are: as a rule in one bucket."""
        # The stack itself may be one that trunk no longer has.
        return locations(
            self.session.context.project, self.session.memory.ledgers, stack.environment, [stack]
        )

    def _by_gate(
        self,
        stack: Stack,
        now: Digest,
        gated: Digest | None,
        numbers: tuple[int, ...],
        rules: Sequence[_Rules],
    ) -> Verdict | None:
        """What the gate's own approval says; it was given to all that is pending, whoever brought it."""
        if gated is None:
            return None
        return self._compared(stack, now, [gated], numbers, rules, reviewed=True)

    def _verdict(
        self,
        stack: Stack,
        now: Digest,
        changes: Sequence[_Change],
        rules: Sequence[_Rules],
        numbers: tuple[int, ...],
    ) -> Verdict:
        given = sorted(
            {
                answer.pull_request.number: (answer, change)
                for change in changes
                for answer in change.answers
                if isinstance(answer, Approval) and stack.id in answer.digests
            }.values(),
            key=lambda one: one[0].posted,
        )
        lacking = [one for one in changes if one.is_lacking]
        words = _lacking(stack, lacking)
        if words or not given:
            # Why what was made to approve older changes does not.
            refused = self._refused.get(stack.id, ())
            words += [f"#{one.pull_request.number}: {one.reason}" for one in refused]
            words = list(dict.fromkeys(words))
        unapproved = strictest_unapproved([one.rules for one in lacking] or rules)
        if not given:
            reason = "; ".join(words) or _nothing(stack, changes)
            return Verdict(unapproved, (), numbers, reason, unapproved)
        digests = [answer.digests[stack.id] for answer, _ in given]
        verdict = self._compared(stack, now, digests, numbers, rules, reviewed=not lacking)
        verdict = replace(verdict, unapproved=unapproved)
        if verdict.kind == "mismatch":
            causes = tuple(f"Not approved: {one}." for one in words)
            return replace(verdict, reason="; ".join(words), causes=causes) if words else verdict
        unlabelled = self._not_labelled(stack, now, given)
        if unlabelled:
            # What nobody may leave unsaid is not left to `unapproved: apply` either.
            kind: Kind = "gate" if unapproved == "gate" else "refuse"
            return Verdict(kind, (), numbers, unlabelled, unapproved)
        return verdict

    def _not_labelled(self, stack: Stack, now: Digest, given: Sequence[tuple[Approval, _Change]]) -> str:
        """What the plan deletes or replaces without the label that allows it; empty when there is nothing."""
        by_key = {key: one for one in given for key in destroyed(one[0].digests[stack.id])}
        places = self.locations(stack)
        # Each pull request is asked about once, by the first thing that it takes away.
        first = {
            by_key[key][0].pull_request.number: key
            for key in sorted(destroyed(now), reverse=True)
            if key in by_key
        }
        for key in first.values():
            answer, change = by_key[key]
            label, pull_request = change.rules.label, answer.pull_request
            if not label:
                continue
            allowed = self.decisions.allows_destroy_of(
                answer, stack.id, stack.environment, label, change.carried, places
            )
            if not allowed:
                return (
                    f"#{pull_request.number} deletes or replaces {key[0]}, and nobody who may approve it "
                    f"set the label {label} after its plan"
                )
        return ""

    def _compared(
        self,
        stack: Stack,
        now: Digest,
        approved: Sequence[Digest],
        numbers: tuple[int, ...],
        rules: Sequence[_Rules],
        *,
        reviewed: bool,
    ) -> Verdict:
        approval = strictest_approval(rules)
        found = compare(
            approved,
            now,
            reaches=reach(self.session.context.project, stack.id),
            approval=approval,
            reviewed=reviewed,
            ignores=_ignores(rules),
        )
        if found:
            why = f"{stack.id} would be changed otherwise than approved"
            return Verdict("mismatch", found, numbers, why)
        strict = compare(approved, now, approval="strict", reviewed=reviewed, ignores=_ignores(rules))
        if approval == "upstream" and strict:
            upstreams = sorted({name for one in approved for name in one.provisional})
            why = f"it differs only by what {', '.join(upstreams) or 'an earlier apply'} made of it"
            return Verdict("provisional", (), numbers, why)
        return Verdict("approved", (), numbers)


def strictest_unapproved(rules: Sequence[_Rules]) -> Unapproved:
    """What becomes of what nobody approved, where several commits of trunk say it."""
    return min((one.environment.unapproved for one in rules), key=UNAPPROVED.index)


def strictest_approval(rules: Sequence[_Rules]) -> Strictness:
    """How closely a plan must match, where several commits of trunk say it."""
    return min((one.environment.approval for one in rules), key=STRICTNESS.index)


def _ignores(rules: Sequence[_Rules]) -> Ignores:
    """The attributes whose values the rules of every commit that holds let differ."""

    def ignores(address: str, path: str) -> bool:
        return all(
            any(_is_meant(one, address, path) for one in each.environment.approval_ignores) for each in rules
        )

    return ignores


def _is_meant(ignore: ApprovalIgnore, address: str, path: str) -> bool:
    of_address = address == ignore.address or address.startswith(f"{ignore.address}[")
    below = path.startswith((f"{ignore.attribute}.", f"{ignore.attribute}["))
    # An output has a value and no attributes.
    return of_address and (path == ignore.attribute or below or not path)


def new_in_every_plan(verdict: Verdict, stack: Stack, attributes: Collection[tuple[str, str]]) -> Verdict:
    """A mismatch with what is known of attributes that differ between two plans of one commit."""
    volatile = [one for one in verdict.differences if (one.address, one.path) in attributes]
    if not volatile:
        return verdict
    differences = tuple(
        replace(one, why="it is new in every plan of this commit") if one in volatile else one
        for one in verdict.differences
    )
    named = ", ".join(f"{one.address} {one.path}".strip() for one in volatile)
    cause = (
        f"New in every plan: {named}. The pull request of `infra ci approve {stack.environment}` approves "
        f"any value of exactly that; `approval_ignores` in infra.yaml does from the next change on."
    )
    return replace(verdict, differences=differences, causes=(*verdict.causes, cause))


def _as_strict(rules: _Rules, older: Sequence[_Rules]) -> _Rules:
    """Rules under which an approval counts that older changes with rules of their own need."""
    needing = [one for one in (rules, *older) if one.needed]
    found = {one.environment.approved_by for one in needing}
    by = next((one for one in APPROVED_BY if one in found), APPROVED_BY[-1])
    return replace(rules, needed=bool(needing), environment=replace(rules.environment, approved_by=by))


def _pull_requests(changes: Sequence[_Change]) -> list[PullRequest]:
    return [one for change in changes for one in change.change.pull_requests]


def _lacking(stack: Stack, changes: Sequence[_Change]) -> list[str]:
    """Which changes of the stack's code nobody approved, in words."""
    words: dict[str, None] = {}
    for one in changes:
        if not one.answers:
            words[f"{one.change.commit[:10]} changed {stack.id} without a pull request"] = None
        for answer in one.answers:
            if isinstance(answer, Refusal):
                words[f"#{answer.pull_request.number}: {answer.reason}"] = None
    return list(words)


def _nothing(stack: Stack, changes: Sequence[_Change]) -> str:
    """Why there is no approval although no change lacks one."""
    refused = [
        f"#{one.pull_request.number}: {one.reason}"
        for change in changes
        for one in change.answers
        if isinstance(one, Refusal)
    ]
    if refused:
        return "; ".join(dict.fromkeys(refused))
    numbers = ", ".join(f"#{one.number}" for one in _pull_requests(changes))
    if not numbers:
        return f"no merged pull request changed {stack.id} since it was last applied"
    return f"no plan of {stack.id} was there to be approved in {numbers}"
