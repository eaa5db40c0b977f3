"""Reads approvals of a pull request: reviews and labels on the forge, attestations in the bucket.

A plan object counts only if an attestation names it, since whoever may plan may also write one. Checks,
statuses and comments are for display only: any workflow of a branch can post them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.config.model import ApprovedBy
from orchestrator.errors import AuthorsUnknownError, StateError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest, Review
from orchestrator.forge.owners import Owners
from orchestrator.plan.digest import Digest, decode, sha256
from orchestrator.repository.codeowners import CodeOwners
from orchestrator.review.reviewers import Reviewers, parse_time
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.plan_objects import PlanObjects

LABEL = "allow-destroy"


@dataclass(frozen=True)
class Approval:
    """The digests that one pull request approves in one environment, by stack, posted at `posted`."""

    pull_request: PullRequest
    posted: str
    digests: Mapping[str, Digest]


@dataclass(frozen=True)
class RefusedApproval:
    """Why a pull request approves nothing; `reason` is a clause without a full stop."""

    pull_request: PullRequest
    reason: str


@dataclass(frozen=True)
class ReviewRule:
    """The rule that decides what approves a pull request in an environment, from trunk just before it.

    `carried` are the authors, in lower case, of other changes that it approves too. For `codeowners`, each of
    `owned` (a path with its owners) needs the approval of one of its owners.
    """

    approved_by: ApprovedBy = "review"
    carried: frozenset[str] = frozenset()
    owned: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass
class Decisions:
    """Reads approvals from the forge; answers are cached."""

    forge: Forge
    reviewers: Reviewers
    _owners: Owners = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._owners = Owners(CodeOwners(), teams=self.forge.teams)

    def approval_of(
        self,
        pull_request: PullRequest,
        environment: str,
        rule: ReviewRule,
        locations: Sequence[PlanObjects],
    ) -> Approval | RefusedApproval:
        """The approved plans: the newest ones posted before the deciding review, or the merge.

        `locations` are those of the environment's plan objects. Works for an unmerged pull request too, for
        the merge queue. Raises ForgeError and StateError.
        """
        try:
            until = self.read_decision(pull_request, rule)
        except AuthorsUnknownError as error:
            return RefusedApproval(pull_request, error.message.rstrip("."))
        if isinstance(until, RefusedApproval):
            return until
        return self.find_newest_plans(pull_request, environment, until, locations)

    def find_newest_plans(
        self,
        pull_request: PullRequest,
        environment: str,
        counts: Callable[[str], bool],
        locations: Sequence[PlanObjects],
    ) -> Approval | RefusedApproval:
        """The newest attested plans of a head; `counts` says whether a time of posting counts."""
        attestations = [
            attestation
            for attestation in _read_attestations(pull_request, locations)
            if counts(attestation.posted)
        ]
        if not attestations:
            return RefusedApproval(
                pull_request, f"no plan of {environment} was attested before it was approved"
            )
        newest = max(attestations, key=lambda attestation: (parse_time(attestation.posted), attestation.run))
        # Where an environment's memory lies in several buckets, each has the attestation of a run.
        of_newest = [attestation for attestation in attestations if attestation.run == newest.run]
        problem = next((attestation.problem for attestation in of_newest if attestation.problem), "")
        if problem:
            return RefusedApproval(pull_request, f"its plans of {environment} do not count: {problem}")
        return _attested(pull_request, of_newest, locations)

    def read_decision(
        self, pull_request: PullRequest, rule: ReviewRule
    ) -> Callable[[str], bool] | RefusedApproval:
        """Reads when a pull request was approved; returns whether plans posted at a time count."""
        if rule.approved_by == "merge":
            if not pull_request.merged:
                return lambda posted: True
            merged = parse_time(pull_request.merged_at)
            return lambda posted: parse_time(posted) <= merged
        if rule.approved_by == "manifest":
            return RefusedApproval(
                pull_request, "only a manifest of another CI than GitHub Actions approves it"
            )
        approvals = self.reviewers.approvals(pull_request, rule.carried)
        if not approvals:
            return RefusedApproval(pull_request, "nobody who may write approved its last commit" + _but(rule))
        submitted = parse_time(approvals[-1].submitted_at)
        if rule.approved_by == "codeowners":
            by_owners = self._by_owners(pull_request, rule, approvals)
            if isinstance(by_owners, RefusedApproval):
                return by_owners
            submitted = by_owners
        # Within one second nobody reads a plan.
        return lambda posted: parse_time(posted) < submitted

    def _by_owners(
        self, pull_request: PullRequest, rule: ReviewRule, approvals: Sequence[Review]
    ) -> datetime | RefusedApproval:
        """The time of the first required owner review: of each path the newest review by an owner."""
        decided: list[datetime] = []
        for path, owners in rule.owned:
            if not owners:
                return RefusedApproval(pull_request, f"nobody owns {path} by CODEOWNERS")
            times = [
                parse_time(approval.submitted_at)
                for approval in approvals
                if self._owners.is_owner(owners, approval.author)
            ]
            if not times:
                return RefusedApproval(
                    pull_request, f"no owner of {path} ({', '.join(owners)}) approved its last commit"
                )
            decided.append(times[-1])
        if not decided:
            return RefusedApproval(pull_request, "it changes nothing that anybody owns")
        return min(decided)

    def may_decide(self, login: str, pull_request: PullRequest) -> bool:
        """Whether a person may approve a pull request; false if its authors are unknown."""
        try:
            return self.reviewers.may_approve(login, pull_request)
        except AuthorsUnknownError:
            return False

    def _labelled_at(
        self, pull_request: PullRequest, label: str, carried: frozenset[str] = frozenset()
    ) -> datetime | None:
        try:
            return self.reviewers.labelled_at(pull_request, label, carried)
        except AuthorsUnknownError:
            return None

    def allows_destroy_of(
        self,
        approval: Approval,
        stack: str,
        environment: str,
        label: str,
        carried: frozenset[str],
        locations: Sequence[PlanObjects],
    ) -> bool:
        """Whether the label was set after a plan that showed every deletion of the approved one.

        Setting the label triggers a new plan, so the plan before the label need not be the approved one.
        """
        destroyed_before_label = self.destroyed_before_label(
            approval.pull_request, stack, environment, label, carried, locations
        )
        return (
            destroyed_before_label is not None
            and list_destroyed(approval.digests[stack]) <= destroyed_before_label
        )

    def destroyed_before_label(
        self,
        pull_request: PullRequest,
        stack: str,
        environment: str,
        label: str,
        carried: frozenset[str],
        locations: Sequence[PlanObjects],
    ) -> frozenset[tuple[str, str]] | None:
        """The deletions in the newest plan before the label; None if no valid label is set."""
        labelled = self._labelled_at(pull_request, label, carried)
        if labelled is None:
            return None
        approval = self.find_newest_plans(
            pull_request, environment, lambda posted: parse_time(posted) < labelled, locations
        )
        if isinstance(approval, RefusedApproval) or stack not in approval.digests:
            return None
        return list_destroyed(approval.digests[stack])


def list_destroyed(digest: Digest) -> frozenset[tuple[str, str]]:
    """The resources that a plan deletes or replaces: addresses, with the keys of deposed objects."""
    return frozenset(resource.key for resource in digest.resources if "delete" in resource.actions)


def _read_attestations(pull_request: PullRequest, locations: Sequence[PlanObjects]) -> list[Attestation]:
    """Reads the attestations of a pull request's head. Raises StateError."""
    return [
        attestation
        for location in locations
        for attestation in Attestations.beside(location).of_head(pull_request.number, pull_request.head)
    ]


def _attested(
    pull_request: PullRequest, attestations: Sequence[Attestation], locations: Sequence[PlanObjects]
) -> Approval | RefusedApproval:
    """The digests that a run's attestations name, if the objects match them."""
    data: dict[str, bytes] = {}
    for location in locations:
        data |= location.of_run(pull_request.number, pull_request.head, attestations[0].plan_run)
    named = {stack: sha for attestation in attestations for stack, sha in attestation.plans.items()}
    if any(stack not in data or sha256(data[stack]) != sha for stack, sha in named.items()):
        return RefusedApproval(pull_request, "its plans in the bucket are not those that were attested")
    try:
        digests = {stack: decode(data[stack], f"The plan object of {stack}") for stack in named}
    except StateError as error:
        return RefusedApproval(pull_request, error.message.rstrip("."))
    return Approval(pull_request, max(attestation.posted for attestation in attestations), digests)


def _but(rule: ReviewRule) -> str:
    """The part of a reason that excludes authors of carried changes."""
    return ", who wrote none of what it approves" if rule.carried else ""
