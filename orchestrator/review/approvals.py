"""Decides whether a plan may be applied: compares the pending changes of a stack with their approvals."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from orchestrator.config import Environment
from orchestrator.config.model import ApprovalIgnore, ApprovedBy
from orchestrator.config.rules import Policy
from orchestrator.engine.session import Session
from orchestrator.errors import AuthorsUnknownError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.forge.owners import Owners, read_owners
from orchestrator.plan.digest import Digest
from orchestrator.plan.digest_comparison import Approval as Strictness
from orchestrator.plan.digest_comparison import DigestDifference, Ignores, compare
from orchestrator.repository.model import Project, Stack
from orchestrator.repository.output_sources import upstream_finder
from orchestrator.review.attestation import find_plan_locations
from orchestrator.review.decisions import Approval, Decisions, RefusedApproval, ReviewRule, list_destroyed
from orchestrator.review.pending_changes import PendingChange, TrunkHistory, is_approval_for
from orchestrator.review.reviewers import Reviewers
from orchestrator.state.plan_objects import PlanObjects
from orchestrator.state.records import LedgerEntry

Kind = Literal["approved", "provisional", "gate", "refuse", "apply", "mismatch"]
Unapproved = Literal["gate", "refuse", "apply"]

# The strictest first.
UNAPPROVED: tuple[Unapproved, ...] = ("refuse", "gate", "apply")
_STRICTNESS: tuple[Strictness, ...] = ("strict", "upstream", "actions")
APPROVED_BY: tuple[ApprovedBy, ...] = ("manifest", "codeowners", "review", "merge")


@dataclass(frozen=True)
class Verdict:
    """The decision on a plan.

    `approved` equals what was approved. `provisional` differs only in values that an upstream of the same
    change affects. `mismatch` differs otherwise, by `differences`. `gate`, `refuse` and `apply` are the
    environment's setting for unapproved plans. `pull_requests` are those that are pending for the stack,
    oldest first. `reason` is a clause without a full stop; `causes` are sentences that explain a mismatch.
    `unapproved` is the strictest setting of all rules that apply.
    """

    kind: Kind
    differences: tuple[DigestDifference, ...] = ()
    pull_requests: tuple[int, ...] = ()
    reason: str = ""
    unapproved: Unapproved = "gate"
    causes: tuple[str, ...] = ()

    @property
    def may_apply(self) -> bool:
        """Whether the plan may be applied as it is."""
        return self.kind in ("approved", "provisional", "apply")


@dataclass(frozen=True)
class TrunkRules:
    """The rules for an environment at one commit of trunk.

    `label` is the label that deletions need, empty if they need none; `needed` says whether changes need an
    approval. `project` is None if the commit cannot be read: then the defaults apply.
    """

    project: Project | None
    environment: Environment
    label: str
    needed: bool


@dataclass(frozen=True)
class _PendingChange:
    """A pending change with the rules of trunk just before it, and the approvals of its pull requests.

    `carried` are the authors of older changes that it approves.
    """

    change: PendingChange
    rules: TrunkRules
    answers: tuple[Approval | RefusedApproval, ...] = ()
    carried: frozenset[str] = frozenset()

    @property
    def is_lacking(self) -> bool:
        """Whether it changed the stack's code, needed an approval, and has none."""
        if self.change.kind != "code" or not self.rules.needed:
            return False
        return all(isinstance(answer, RefusedApproval) for answer in self.answers)


@dataclass(frozen=True)
class MeasuredChange:
    """A pending change, named by its pull requests, and the last plans of these in one environment, by stack.

    `policy` is that of trunk just before it; `is_alone` says whether nothing else is pending for the stack.
    """

    name: str
    policy: Policy
    is_alone: bool = True
    plans: Mapping[str, Digest] = field(default_factory=dict)


@dataclass
class Approvals:
    """The approvals of one trunk; safe for concurrent use. Lookups are cached across stacks.

    Others may use `trunk` and `decisions` while they hold `lock`.
    """

    session: Session
    forge: Forge
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _answers: dict[tuple[int, str, ReviewRule], Approval | RefusedApproval] = field(
        default_factory=dict, repr=False
    )
    _changes: dict[str, list[_PendingChange]] = field(default_factory=dict, repr=False)
    _refused: dict[str, list[RefusedApproval]] = field(default_factory=dict, repr=False)
    _owners: dict[str, Owners] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.trunk = TrunkHistory(self.session.context.project, self.forge)
        self.decisions = Decisions(self.forge, Reviewers(self.forge, self.session.context.project.repository))

    def compare(
        self, stack: Stack, digest: Digest, entry: LedgerEntry | None, *, gated: Digest | None = None
    ) -> Verdict:
        """Compares a plan with its approvals.

        `entry` is the ledger's entry before this run, `gated` the digest that a gate of this run approved.
        Each pending change is checked by the rules of trunk just before it: loosened rules never apply to
        what was merged before or with them, stricter rules apply to all that is merged later. A pull request
        that approves older changes counts for the stacks in its plan. Raises ForgeError, StateError, and
        ConfigError for invalid rules.
        """
        with self.lock:
            changes = self._pending(stack, entry)
            rules = [change.rules for change in changes] or [self._rules(self.session.context.project, stack)]
            numbers = tuple(dict.fromkeys(pull_request.number for pull_request in _pull_requests(changes)))
            if not any(rule.needed for rule in rules):
                why = f"{stack.environment} needs no approval"
                return Verdict("apply", (), numbers, why, strictest_unapproved(rules))
            by_gate = self._compare_with_gate(stack, digest, gated, numbers, rules)
            if by_gate is not None and by_gate.may_apply:
                return by_gate
            by_people = self._verdict(stack, digest, changes, rules, numbers)
            return by_people if by_people.may_apply or by_gate is None else by_gate

    def compare_queued(
        self, stack: Stack, digest: Digest, entry: LedgerEntry | None, pull_request: PullRequest, base: str
    ) -> Verdict:
        """Compares a plan in a merge queue, before the merge, with the approval of its pull request.

        `base` is the commit that it is merged onto. A stack with unapplied changes ahead of it cannot be
        compared: it passes, and the apply compares it.
        """
        with self.lock:
            ahead = self.trunk.at(base)
            fingerprint = entry.fingerprint if entry and entry.is_known else None
            fingerprint_ahead = ahead.fingerprint(stack.id) if ahead and stack.id in ahead.stacks else None
            if ahead is None or fingerprint != fingerprint_ahead:
                why = "changes ahead of it were not applied yet, so it is compared when it is applied"
                return Verdict("provisional", (), (pull_request.number,), why)
            rules = self._rules(ahead, stack)
            if not rules.needed:
                why = f"{stack.environment} needs no approval"
                return Verdict("apply", pull_requests=(pull_request.number,), reason=why)
            paths = self._list_changed_files(stack, pull_request, ahead)
            change = PendingChange(pull_request.head, "upstream", (pull_request,), base, paths)
            queued = _PendingChange(change, rules, (self._read_approval(stack, pull_request, rules, paths),))
            return self._verdict(stack, digest, [queued], [rules], (pull_request.number,))

    def projects(self, stack: Stack, entry: LedgerEntry | None) -> tuple[Project, ...]:
        """The projects whose rules a plan must meet, oldest first; trunk's if nothing is pending.

        Raises ForgeError and StateError.
        """
        with self.lock:
            changes = self._pending(stack, entry)
            projects = {id(change.rules.project): change.rules.project for change in changes}
            return tuple(project for project in projects.values() if project is not None) or (
                self.session.context.project,
            )

    def last_project(self, stack: Stack, entry: LedgerEntry | None) -> Project | None:
        """Trunk with the last pending change; None if nothing is pending, or it cannot be read.

        Raises ForgeError and StateError.
        """
        with self.lock:
            changes = self._pending(stack, entry)
            return self.trunk.at(changes[-1].change.commit) if changes else None

    def measured_changes(self, stack: Stack, entry: LedgerEntry | None) -> tuple[MeasuredChange, ...]:
        """The pending changes that are limited, with their last plans in the environment, oldest first.

        Raises ForgeError and StateError.
        """
        with self.lock:
            changes = self._pending(stack, entry)
            return tuple(
                MeasuredChange(
                    ", ".join(f"#{pull_request.number}" for pull_request in change.change.pull_requests),
                    change.rules.project.config.policy,
                    len(changes) == 1,
                    self._last_plans(stack, change.change.pull_requests),
                )
                for change in changes
                if change.rules.project is not None and change.rules.project.config.policy.is_limited
            )

    def _last_plans(self, stack: Stack, pull_requests: Sequence[PullRequest]) -> dict[str, Digest]:
        """The last plans of pull requests in a stack's environment, whoever approved them."""
        plans: dict[str, Digest] = {}
        for pull_request in pull_requests:
            answer = self._answer(stack, pull_request, ReviewRule("merge"))
            plans |= answer.digests if isinstance(answer, Approval) else {}
        return plans

    def pull_requests(self, stack: Stack, entry: LedgerEntry | None) -> tuple[int, ...]:
        """The pull requests that are pending for a stack, approved or not. Raises ForgeError."""
        with self.lock:
            return tuple(
                pull_request.number for pull_request in self.trunk.pending(stack, entry).pull_requests
            )

    def pushers(self, commit: str) -> frozenset[str]:
        """Who pushed a commit to trunk without a pull request, in lower case.

        Raises ForgeError; AuthorsUnknownError if the forge does not report it.
        """
        with self.lock:
            return self.decisions.reviewers.author_of_push(self.trunk.branch, commit)

    def _pending(self, stack: Stack, entry: LedgerEntry | None) -> list[_PendingChange]:
        """The pending changes that no later approval covers, oldest first."""
        key = f"{stack.id} {entry.commit if entry else ''}"
        if key not in self._changes:
            self._changes[key] = self._resolve_changes(stack, self.trunk.pending(stack, entry).changes)
        return self._changes[key]

    def _resolve_changes(self, stack: Stack, pending: Sequence[PendingChange]) -> list[_PendingChange]:
        pending_changes: list[_PendingChange] = []
        for change in pending:
            rules = self._rules(self.trunk.at(change.base) if change.base else None, stack)
            made_to_approve = [
                pull_request
                for pull_request in change.pull_requests
                if is_approval_for(pull_request, stack.environment)
            ]
            if not made_to_approve:
                answers = [
                    self._read_approval(stack, pull_request, rules, change.paths)
                    for pull_request in change.pull_requests
                ]
                pending_changes.append(_PendingChange(change, rules, tuple(answers)))
                continue
            # Who may approve older changes is what their own rules say, where these are stricter.
            rules = _strictest_rules(rules, [pending_change.rules for pending_change in pending_changes])
            paths = sorted(
                {path for pending_change in pending_changes for path in pending_change.change.paths}
                | {*change.paths}
            )
            answers, carried = self._read_later_approvals(
                stack, change, rules, paths, [pending_change.change for pending_change in pending_changes]
            )
            named = [
                answer for answer in answers if isinstance(answer, Approval) and stack.id in answer.digests
            ]
            if named:
                bases = [str(approval.digests[stack.id].facts.get("base", "")) for approval in named]
                pending_changes = [
                    pending_change
                    for pending_change in pending_changes
                    if not self._is_included(pending_change.change.commit, bases)
                ]
            self._refused.setdefault(stack.id, []).extend(
                answer for answer in answers if isinstance(answer, RefusedApproval)
            )
            if named or change.kind == "code":
                pending_changes.append(_PendingChange(change, rules, tuple(answers), carried))
        return pending_changes

    def _read_later_approvals(
        self,
        stack: Stack,
        change: PendingChange,
        rules: TrunkRules,
        paths: Sequence[str],
        older: Sequence[PendingChange],
    ) -> tuple[list[Approval | RefusedApproval], frozenset[str]]:
        """The approvals of pull requests that approve older changes, and the authors of those changes."""
        try:
            carried = self._carried(older)
        except AuthorsUnknownError as error:
            # Whoever approves it may be who made what it carries.
            return [
                RefusedApproval(pull_request, error.message.rstrip("."))
                for pull_request in change.pull_requests
            ], frozenset()
        return [
            self._read_approval(stack, pull_request, rules, paths, carried)
            for pull_request in change.pull_requests
        ], carried

    def _is_included(self, commit: str, bases: Sequence[str]) -> bool:
        repository = self.session.context.project.repository
        return any(base and repository.is_ancestor(commit, base) for base in bases)

    def _rules(self, project: Project | None, stack: Stack) -> TrunkRules:
        return read_trunk_rules(project, stack, self.session.context.project)

    def _read_approval(
        self,
        stack: Stack,
        pull_request: PullRequest,
        rules: TrunkRules,
        paths: Sequence[str],
        carried: frozenset[str] = frozenset(),
    ) -> Approval | RefusedApproval:
        """Reads what a pull request approves; `carried` are authors of older changes that it approves."""
        by = rules.environment.approved_by if rules.needed else "merge"
        rule = ReviewRule(
            by,
            carried if by != "merge" else frozenset(),
            self._list_owned_paths(stack, rules, paths) if by == "codeowners" else (),
        )
        return self._answer(stack, pull_request, rule)

    def _answer(
        self, stack: Stack, pull_request: PullRequest, rule: ReviewRule
    ) -> Approval | RefusedApproval:
        key = (pull_request.number, stack.environment, rule)
        if key not in self._answers:
            self._answers[key] = self.decisions.approval_of(
                pull_request, stack.environment, rule, self.locations(stack)
            )
        return self._answers[key]

    def _carried(self, changes: Sequence[PendingChange]) -> frozenset[str]:
        """The authors of changes that a later pull request approves.

        Raises AuthorsUnknownError for a direct push by an unknown person.
        """
        reviewers = self.decisions.reviewers
        authors: set[str] = set()
        for change in changes:
            if not change.pull_requests:
                authors |= self.pushers(change.commit)
            for pull_request in change.pull_requests:
                try:
                    authors |= reviewers.authors(pull_request)
                except AuthorsUnknownError:
                    authors.add(pull_request.author.lower())
        return frozenset(authors)

    def _list_owned_paths(
        self, stack: Stack, rules: TrunkRules, paths: Sequence[str]
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The stack's folder and the changed files that it reads, each with its owners at that commit."""
        if rules.project is None:
            return ((stack.path, ()),)
        commit = rules.project.commit or ""
        if commit not in self._owners:
            self._owners[commit] = read_owners(rules.project, self.forge.teams)
        owners = self._owners[commit]
        return ((stack.path, owners.of_folder(stack.path)), *((path, owners.of(path)) for path in paths))

    def _list_changed_files(self, stack: Stack, pull_request: PullRequest, ahead: Project) -> tuple[str, ...]:
        """The files of a stack that an unmerged pull request changes."""
        read_paths = {
            path
            for project in (ahead, self.session.context.project)
            if stack.id in project.stacks
            for path in project.files(stack.id)
        }
        changed = (self.trunk.inside(path) for path in self.forge.changed_paths(pull_request.number))
        return tuple(sorted({path for path in changed if path in read_paths}))

    def locations(self, stack: Stack) -> Sequence[PlanObjects]:
        """The locations of an environment's plan objects, usually one bucket."""
        # The stack itself may be one that trunk no longer has.
        return find_plan_locations(
            self.session.context.project, self.session.memory.ledgers, stack.environment, [stack]
        )

    def _compare_with_gate(
        self,
        stack: Stack,
        digest: Digest,
        gated: Digest | None,
        numbers: tuple[int, ...],
        rules: Sequence[TrunkRules],
    ) -> Verdict | None:
        """Compares the plan with the gate's approval, which covers everything pending."""
        if gated is None:
            return None
        trunk = self.session.context.project
        return compare_with_approved(trunk, stack, digest, [gated], rules, numbers=numbers)

    def _verdict(
        self,
        stack: Stack,
        digest: Digest,
        changes: Sequence[_PendingChange],
        rules: Sequence[TrunkRules],
        numbers: tuple[int, ...],
    ) -> Verdict:
        approved = sorted(
            {
                answer.pull_request.number: (answer, change)
                for change in changes
                for answer in change.answers
                if isinstance(answer, Approval) and stack.id in answer.digests
            }.values(),
            key=lambda answer_and_change: answer_and_change[0].posted,
        )
        lacking = [change for change in changes if change.is_lacking]
        reasons = _describe_lacking(stack, lacking)
        # Why what was made to approve older changes does not.
        refused = [
            f"#{refused_approval.pull_request.number}: {refused_approval.reason}"
            for refused_approval in self._refused.get(stack.id, ())
        ]
        if reasons or not approved:
            reasons = list(dict.fromkeys([*reasons, *refused]))
        unapproved = strictest_unapproved([pending_change.rules for pending_change in lacking] or rules)
        if not approved:
            reason = "; ".join(reasons) or _describe_missing(stack, changes)
            return Verdict(unapproved, (), numbers, reason, unapproved)
        digests = [answer.digests[stack.id] for answer, _ in approved]
        for approved_digest in digests:
            self.session.context.link_trace(str(approved_digest.facts.get("traceparent", "")))
        trunk = self.session.context.project
        verdict = compare_with_approved(
            trunk, stack, digest, digests, rules, numbers=numbers, reviewed=not lacking
        )
        verdict = replace(verdict, unapproved=unapproved)
        if verdict.kind == "mismatch":
            reasons = reasons or refused
            causes = tuple(f"Not approved: {reason_}." for reason_ in reasons)
            return replace(verdict, reason="; ".join(reasons), causes=causes) if reasons else verdict
        unlabelled = self._not_labelled(stack, digest, approved)
        if unlabelled:
            # What nobody may leave unsaid is not left to `unapproved: apply` either.
            kind: Kind = "gate" if unapproved == "gate" else "refuse"
            return Verdict(kind, (), numbers, unlabelled, unapproved)
        if lacking and not digest.is_empty:
            # A plan does not show all that code does: write-only values, providers, ephemeral resources.
            return Verdict(unapproved, (), numbers, "; ".join(reasons), unapproved)
        return verdict

    def _not_labelled(
        self, stack: Stack, digest: Digest, approved: Sequence[tuple[Approval, _PendingChange]]
    ) -> str:
        """Why a deletion lacks the label that allows it; empty if none does."""
        by_key = {key: pair for pair in approved for key in list_destroyed(pair[0].digests[stack.id])}
        locations = self.locations(stack)
        # Each pull request is asked about once, by the first thing that it takes away.
        first = {
            by_key[key][0].pull_request.number: key
            for key in sorted(list_destroyed(digest), reverse=True)
            if key in by_key
        }
        for key in first.values():
            answer, change = by_key[key]
            label, pull_request = change.rules.label, answer.pull_request
            if not label:
                continue
            allowed = self.decisions.allows_destroy_of(
                answer, stack.id, stack.environment, label, change.carried, locations
            )
            if not allowed:
                return (
                    f"#{pull_request.number} deletes or replaces {key[0]}, and nobody who may approve it "
                    f"set the label {label} after its plan"
                )
        return ""


def read_trunk_rules(project: Project | None, stack: Stack, trunk: Project) -> TrunkRules:
    """The rules for a stack's environment at a commit of trunk; `trunk` is the project as it is now."""
    if project is None:
        return TrunkRules(None, Environment(), Policy().label, needed=True)
    config, name = project.config, stack.environment
    order = project.order if name in project.environments else trunk.order
    level = config.policy.destroy_level(name, protected=config.is_protected(name, order))
    label = config.policy.label if level == "label" else ""
    return TrunkRules(project, config.environment(name), label, config.needs_approval(name, order))


def compare_with_approved(
    trunk: Project,
    stack: Stack,
    digest: Digest,
    approved: Sequence[Digest],
    rules: Sequence[TrunkRules],
    *,
    numbers: tuple[int, ...] = (),
    reviewed: bool = True,
) -> Verdict:
    """Compares a plan with approved ones as strictly as the strictest rule says.

    `numbers` are the pull requests that are pending for the stack. `reviewed` is false where a change among
    them was not approved.
    """
    approval = _strictest_approval(rules)
    differences = compare(
        approved,
        digest,
        reaches=upstream_finder(trunk, stack.id),
        approval=approval,
        reviewed=reviewed,
        ignores=_ignores(rules),
    )
    if differences:
        why = f"{stack.id} would be changed otherwise than approved"
        return Verdict("mismatch", differences, numbers, why)
    strict = compare(approved, digest, approval="strict", reviewed=reviewed, ignores=_ignores(rules))
    if approval == "upstream" and strict:
        upstreams = sorted({name for digest in approved for name in digest.provisional})
        why = f"it differs only by what {', '.join(upstreams) or 'an earlier apply'} made of it"
        return Verdict("provisional", (), numbers, why)
    return Verdict("approved", (), numbers)


def strictest_unapproved(rules: Sequence[TrunkRules]) -> Unapproved:
    """The strictest `unapproved` setting of several commits of trunk."""
    return min((rule.environment.unapproved for rule in rules), key=UNAPPROVED.index)


def _strictest_approval(rules: Sequence[TrunkRules]) -> Strictness:
    """The strictest `approval` setting of several commits of trunk."""
    return min((rule.environment.approval for rule in rules), key=_STRICTNESS.index)


def _ignores(rules: Sequence[TrunkRules]) -> Ignores:
    """Whether the rules of every commit let an attribute's value differ."""

    def ignores(address: str, path: str) -> bool:
        return all(
            any(_is_ignored(rule, address, path) for rule in each.environment.approval_ignores)
            for each in rules
        )

    return ignores


def _is_ignored(ignore: ApprovalIgnore, address: str, path: str) -> bool:
    of_address = address == ignore.address or address.startswith(f"{ignore.address}[")
    below = path.startswith((f"{ignore.attribute}.", f"{ignore.attribute}["))
    # An output has a value and no attributes.
    return of_address and (path == ignore.attribute or below or not path)


def mark_volatile(
    verdict: Verdict, stack: Stack, attributes: Collection[tuple[str, str]], *, has_reviews: bool = True
) -> Verdict:
    """Marks differences of a mismatch in attributes that differ between two plans of one commit.

    `has_reviews` says whether a pull request can approve them.
    """
    volatile = [
        difference
        for difference in verdict.differences
        if (difference.address, difference.path) in attributes
    ]
    if not volatile:
        return verdict
    differences = tuple(
        replace(difference, why="it is new in every plan of this commit")
        if difference in volatile
        else difference
        for difference in verdict.differences
    )
    named = ", ".join(f"{difference.address} {difference.path}".strip() for difference in volatile)
    ignores = "`approval_ignores` in infra.yaml"
    way = (
        f"The pull request of `infra ci approve {stack.environment}` approves any value of exactly that; "
        f"{ignores} does from the next change on."
        if has_reviews
        else f"{ignores} approves any value of it from the next change on."
    )
    cause = f"New in every plan: {named}. {way}"
    return replace(verdict, differences=differences, causes=(*verdict.causes, cause))


def _strictest_rules(rules: TrunkRules, older: Sequence[TrunkRules]) -> TrunkRules:
    """The rules for a pull request that approves older changes: as strict as theirs."""
    needing = [rule for rule in (rules, *older) if rule.needed]
    approved_bies = {rules.environment.approved_by for rules in needing}
    by = next((rule for rule in APPROVED_BY if rule in approved_bies), APPROVED_BY[-1])
    return replace(rules, needed=bool(needing), environment=replace(rules.environment, approved_by=by))


def _pull_requests(changes: Sequence[_PendingChange]) -> list[PullRequest]:
    return [pull_request for change in changes for pull_request in change.change.pull_requests]


def _describe_lacking(stack: Stack, changes: Sequence[_PendingChange]) -> list[str]:
    """Describes the changes of a stack's code that nobody approved."""
    words: dict[str, None] = {}
    for change in changes:
        if not change.answers:
            words[f"{change.change.commit[:10]} changed {stack.id} without a pull request"] = None
        for answer in change.answers:
            if isinstance(answer, RefusedApproval):
                words[f"#{answer.pull_request.number}: {answer.reason}"] = None
    return list(words)


def _describe_missing(stack: Stack, changes: Sequence[_PendingChange]) -> str:
    """Why there is no approval although no change lacks one."""
    refused = [
        f"#{answer.pull_request.number}: {answer.reason}"
        for change in changes
        for answer in change.answers
        if isinstance(answer, RefusedApproval)
    ]
    if refused:
        return "; ".join(dict.fromkeys(refused))
    numbers = ", ".join(f"#{pull_request.number}" for pull_request in _pull_requests(changes))
    if not numbers:
        return f"no merged pull request changed {stack.id} since it was last applied"
    return f"no plan of {stack.id} was there to be approved in {numbers}"
