"""Who decided on a pull request, and on which plan: reviews, checks and labels, read from the host alone.

What stands in the bucket counts only when a check names it, since whoever may plan may also write there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from orchestrator.errors import StateError
from orchestrator.hosts.model import WRITERS, CheckRun, PullRequest, Review
from orchestrator.hosts.port import Host
from orchestrator.plan.digest import Digest, decode, sha256
from orchestrator.state.approved import PlanObjects, Seal, unseal

# The app whose token workflows have: only the job that comments may post checks with it.
APP = "github-actions"
BOT = "[bot]"
LABEL = "allow-destroy"
# Checks that say nothing about a plan: nobody saw one.
UNFINISHED = ("cancelled", "skipped", "timed_out")


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
        """The newest plans of a head that were posted at a time that counts, as its check names them."""
        check = newest_check(self.host.checks(pull_request.head, f"infra/{environment}"), seen)
        if check is None:
            return Refusal(pull_request, f"no plan of {environment} was posted before it was approved")
        seal = unseal(check.external_id)
        if seal is None:
            return Refusal(pull_request, f"the check infra/{environment} names no plans")
        return _sealed(pull_request, check, seal, places)

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


def newest_check(checks: Sequence[CheckRun], seen: Callable[[str], bool]) -> CheckRun | None:
    """The newest of an environment's checks that was there in time, if it tells of a plan."""
    mine = [
        one
        for one in checks
        if one.app == APP and one.status == "completed" and one.completed_at and seen(one.completed_at)
    ]
    last = max(mine, key=lambda one: (_time(one.completed_at), one.id), default=None)
    return None if last is None or last.conclusion in UNFINISHED else last


def _sealed(
    pull_request: PullRequest, check: CheckRun, seal: Seal, places: Sequence[PlanObjects]
) -> Approval | Refusal:
    """The digests that a check names, if they are the ones that it was made over."""
    data: dict[str, bytes] = {}
    for place in places:
        data |= place.of_run(pull_request.number, pull_request.head, seal.run)
    if not seal.fits({stack: sha256(one) for stack, one in data.items()}):
        return Refusal(pull_request, "its plans in the bucket are not those that its check names")
    try:
        digests = {stack: decode(one, f"The plan object of {stack}") for stack, one in data.items()}
    except StateError as error:
        return Refusal(pull_request, error.message.rstrip("."))
    return Approval(pull_request, check.completed_at, digests)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
