"""Who decided on a pull request, and on which plan: the host's reviews and labels, the bucket's attestations.

A plan object counts only when an attestation names it, since whoever may plan may also write one. Checks,
statuses and comments are for display: any workflow of a branch can post them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from orchestrator.errors import StateError
from orchestrator.hosts.model import WRITERS, PullRequest, Review
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest, decode, sha256
from orchestrator.state.approved import PlanObjects
from orchestrator.state.attestations import Attestation, Attestations

BOT = "[bot]"
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


@dataclass
class Decisions:
    """Asks the host about pull requests, each question once."""

    host: Host
    _writers: dict[str, bool] = field(default_factory=dict)

    def approval_of(
        self,
        pull_request: PullRequest,
        environment: str,
        approved_by: Literal["review", "merge"],
        places: Sequence[PlanObjects],
    ) -> Approval | Refusal:
        """What was approved: the newest plan that was posted before the deciding review, or the merge.

        `places` are where the environment's plan objects lie. A pull request that is not merged yet can be
        asked about too, as a merge queue does. Raises HostError, and StateError when the bucket says no.
        """
        until = self.decided(pull_request, approved_by)
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
        newest = max(found, key=lambda one: (_time(one.posted), one.run))
        # Where an environment's memory lies in several buckets, each has the attestation of a run.
        mine = [one for one in found if one.run == newest.run]
        problem = next((one.problem for one in mine if one.problem), "")
        if problem:
            return Refusal(pull_request, f"its plans of {environment} do not count: {problem}")
        return _attested(pull_request, mine, places)

    def decided(
        self, pull_request: PullRequest, approved_by: Literal["review", "merge"]
    ) -> Callable[[str], bool] | Refusal:
        """Whether something posted at a time was there for whoever decided."""
        if approved_by == "merge":
            if not pull_request.merged:
                return lambda posted: True
            merged = _time(pull_request.merged_at)
            return lambda posted: _time(posted) <= merged
        review = self.deciding_review(pull_request)
        if review is None:
            return Refusal(pull_request, "nobody who may write approved its last commit")
        submitted = _time(review.submitted_at)
        # Within one second nobody reads a plan.
        return lambda posted: _time(posted) < submitted

    def deciding_review(self, pull_request: PullRequest) -> Review | None:
        """The newest review that approves the head as it is; None when there is none that counts."""
        found = [
            one
            for one in standing_reviews(self.host.reviews(pull_request.number))
            if one.state == "APPROVED"
            and one.commit == pull_request.head
            and self.may_decide(one.author, pull_request)
        ]
        return max(found, key=lambda one: _time(one.submitted_at), default=None)

    def may_decide(self, login: str, pull_request: PullRequest) -> bool:
        """Whether somebody may approve a pull request: with the right to write, not its author, no bot."""
        if not login or login.lower() == pull_request.author.lower() or login.endswith(BOT):
            return False
        if login not in self._writers:
            self._writers[login] = self.host.permission(login) in WRITERS
        return self._writers[login]

    def labelled_at(self, pull_request: PullRequest, label: str = LABEL) -> datetime | None:
        """When a label that is still there was set by somebody who may approve; None otherwise."""
        events = [one for one in self.host.label_events(pull_request.number) if one.label == label]
        last = max(events, key=lambda one: _time(one.at), default=None)
        if last is None or not last.added or not self.may_decide(last.actor, pull_request):
            return None
        return _time(last.at)

    def allows_destroy(self, pull_request: PullRequest, planned_at: str, label: str = LABEL) -> bool:
        """Whether the label that allows deletions was so set after a plan that was posted then (RFC 3339)."""
        labelled = self.labelled_at(pull_request, label)
        return labelled is not None and labelled > _time(planned_at)

    def allows_destroy_of(
        self, approval: Approval, stack: str, environment: str, label: str, places: Sequence[PlanObjects]
    ) -> bool:
        """Whether it was so set after a plan that deleted and replaced all that the approved one does.

        Setting the label makes the plan anew, so it need not be the approved plan itself.
        """
        labelled = self.labelled_at(approval.pull_request, label)
        if labelled is None:
            return False
        found = self.posted(
            approval.pull_request, environment, lambda posted: _time(posted) < labelled, places
        )
        if isinstance(found, Refusal) or stack not in found.digests:
            return False
        return destroyed(approval.digests[stack]) <= destroyed(found.digests[stack])


def destroyed(digest: Digest) -> frozenset[tuple[str, str]]:
    """What a plan deletes or replaces: addresses, with the keys of deposed objects."""
    return frozenset(one.key for one in digest.resources if "delete" in one.actions)


def standing_reviews(reviews: Sequence[Review]) -> list[Review]:
    """The last word of each reviewer; a comment is none."""
    last: dict[str, Review] = {}
    for one in sorted(reviews, key=lambda one: _time(one.submitted_at)):
        if one.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            last[one.author] = one
    return list(last.values())


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


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
