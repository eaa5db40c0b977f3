"""Who decided on a pull request, and on which plan: the host's reviews and labels, the bucket's attestations.

A plan object counts only when an attestation names it, since whoever may plan may also write one. Checks,
statuses and comments are for display: any workflow of a branch can post them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.config.model import ApprovedBy
from orchestrator.errors import AuthorsUnknownError, StateError
from orchestrator.hosts.model import PullRequest, Review
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest, decode, sha256
from orchestrator.project.codeowners import CodeOwners
from orchestrator.review.owners import Owners
from orchestrator.review.reviewers import Reviewers, moment
from orchestrator.state.approved import PlanObjects
from orchestrator.state.attestations import Attestation, Attestations

LABEL = "allow-destroy"


@dataclass(frozen=True)
class Approval:
    """What one pull request approves in one environment: the digests by stack, posted at `posted`."""

    pull_request: PullRequest
    posted: str
    digests: Mapping[str, Digest]


@dataclass(frozen=True)
class Refusal:
    """Why a pull request approves nothing; `reason` is a clause without a full stop."""

    pull_request: PullRequest
    reason: str


@dataclass(frozen=True)
class ReviewRule:
    """What approves a pull request in an environment, by the rules of trunk just before it.

    `carried` are the authors, in lower case, of other changes that it approves too. For `codeowners`, each of
    `owned` (a path with its owners) needs the approval of one of its owners.
    """

    approved_by: ApprovedBy = "review"
    carried: frozenset[str] = frozenset()
    owned: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass
class Decisions:
    """Asks the host about pull requests, each question once."""

    host: Host
    reviewers: Reviewers
    _owners: Owners = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._owners = Owners(CodeOwners(), teams=self.host.teams)

    def approval_of(
        self,
        pull_request: PullRequest,
        environment: str,
        rule: ReviewRule,
        places: Sequence[PlanObjects],
    ) -> Approval | Refusal:
        """What was approved: the newest plan that was posted before the deciding review, or the merge.

        `places` are where the environment's plan objects lie. A pull request that is not merged yet can be
        asked about too, as a merge queue does. Raises HostError, and StateError when the bucket says no.
        """
        try:
            until = self.decided(pull_request, rule)
        except AuthorsUnknownError as error:
            return Refusal(pull_request, error.message.rstrip("."))
        if isinstance(until, Refusal):
            return until
        return self.posted(pull_request, environment, until, places)

    def posted(
        self,
        pull_request: PullRequest,
        environment: str,
        seen: Callable[[str], bool],
        places: Sequence[PlanObjects],
    ) -> Approval | Refusal:
        """The newest plans of a head that were posted at a time that counts, as they were attested."""
        found = [one for one in attestations_of(pull_request, places) if seen(one.posted)]
        if not found:
            return Refusal(pull_request, f"no plan of {environment} was attested before it was approved")
        newest = max(found, key=lambda one: (moment(one.posted), one.run))
        # Where an environment's memory lies in several buckets, each has the attestation of a run.
        mine = [one for one in found if one.run == newest.run]
        problem = next((one.problem for one in mine if one.problem), "")
        if problem:
            return Refusal(pull_request, f"its plans of {environment} do not count: {problem}")
        return _attested(pull_request, mine, places)

    def decided(self, pull_request: PullRequest, rule: ReviewRule) -> Callable[[str], bool] | Refusal:
        """Whether something posted at a time was there for whoever decided."""
        if rule.approved_by == "merge":
            if not pull_request.merged:
                return lambda posted: True
            merged = moment(pull_request.merged_at)
            return lambda posted: moment(posted) <= merged
        approvals = self.reviewers.approvals(pull_request, rule.carried)
        if not approvals:
            return Refusal(pull_request, "nobody who may write approved its last commit" + _but(rule))
        submitted = moment(approvals[-1].submitted_at)
        if rule.approved_by == "codeowners":
            by_owners = self._by_owners(pull_request, rule, approvals)
            if isinstance(by_owners, Refusal):
                return by_owners
            submitted = by_owners
        # Within one second nobody reads a plan.
        return lambda posted: moment(posted) < submitted

    def _by_owners(
        self, pull_request: PullRequest, rule: ReviewRule, approvals: Sequence[Review]
    ) -> datetime | Refusal:
        """When the first of the owners' reviews was given that are needed, each path's newest."""
        decided: list[datetime] = []
        for path, owners in rule.owned:
            if not owners:
                return Refusal(pull_request, f"nobody owns {path} by CODEOWNERS")
            times = [
                moment(one.submitted_at) for one in approvals if self._owners.is_owner(owners, one.author)
            ]
            if not times:
                return Refusal(
                    pull_request, f"no owner of {path} ({', '.join(owners)}) approved its last commit"
                )
            decided.append(times[-1])
        if not decided:
            return Refusal(pull_request, "it changes nothing that anybody owns")
        return min(decided)

    def may_decide(self, login: str, pull_request: PullRequest) -> bool:
        """Whether somebody may approve a pull request; nobody where its authors are not known."""
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
        places: Sequence[PlanObjects],
    ) -> bool:
        """Whether it was so set after a plan that deleted and replaced all that the approved one does.

        Setting the label makes the plan anew, so it need not be the approved plan itself.
        """
        shown = self.destroyed_before_label(approval.pull_request, stack, environment, label, carried, places)
        return shown is not None and destroyed(approval.digests[stack]) <= shown

    def destroyed_before_label(
        self,
        pull_request: PullRequest,
        stack: str,
        environment: str,
        label: str,
        carried: frozenset[str],
        places: Sequence[PlanObjects],
    ) -> frozenset[tuple[str, str]] | None:
        """What the newest plan before the label deletes and replaces; None where no such label counts."""
        labelled = self._labelled_at(pull_request, label, carried)
        if labelled is None:
            return None
        found = self.posted(pull_request, environment, lambda posted: moment(posted) < labelled, places)
        if isinstance(found, Refusal) or stack not in found.digests:
            return None
        return destroyed(found.digests[stack])


def destroyed(digest: Digest) -> frozenset[tuple[str, str]]:
    """What a plan deletes or replaces: addresses, with the keys of deposed objects."""
    return frozenset(one.key for one in digest.resources if "delete" in one.actions)


def attestations_of(pull_request: PullRequest, places: Sequence[PlanObjects]) -> list[Attestation]:
    """What was attested of a pull request's head. Raises StateError when the bucket says no."""
    return [
        attestation
        for place in places
        for attestation in Attestations.beside(place).of_head(pull_request.number, pull_request.head)
    ]


def _attested(
    pull_request: PullRequest, attestations: Sequence[Attestation], places: Sequence[PlanObjects]
) -> Approval | Refusal:
    """The digests that a run's attestations name, if they are the ones that were attested."""
    data: dict[str, bytes] = {}
    for place in places:
        data |= place.of_run(pull_request.number, pull_request.head, attestations[0].plan_run)
    named = {stack: sha for one in attestations for stack, sha in one.plans.items()}
    if any(stack not in data or sha256(data[stack]) != sha for stack, sha in named.items()):
        return Refusal(pull_request, "its plans in the bucket are not those that were attested")
    try:
        digests = {stack: decode(data[stack], f"The plan object of {stack}") for stack in named}
    except StateError as error:
        return Refusal(pull_request, error.message.rstrip("."))
    return Approval(pull_request, max(one.posted for one in attestations), digests)


def _but(rule: ReviewRule) -> str:
    """Who cannot approve beside its own authors."""
    return ", who wrote none of what it approves" if rule.carried else ""
