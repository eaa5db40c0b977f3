"""Whether a plan has to be reviewed again: it is another than the one that was there when it was approved.

The comment itself remembers which approval was there already when each environment's plans were first shown.
It is for display: what counts as approved is judged again from attestations.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestrator.errors import AuthorsUnknownError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.report import markers
from orchestrator.report.review import PlanReview
from orchestrator.review.reviewers import Reviewers

NONE = "-"

# Comments of earlier versions have `told`.
_LINE = re.compile(r"^<!-- infra:(?:reviewed|told) ([^\n]*) -->$", re.MULTILINE)
_ENTRY = re.compile(r"([A-Za-z0-9._/-]+)=([0-9a-f]{64})@(-|[0-9TZ:.+-]+)")


@dataclass(frozen=True)
class ReviewedPlans:
    """What an environment's plans do, as a hash, and when the approval was given that was there already when
    that was first told of a head: RFC 3339, `-` for none."""

    plans: str
    approved: str


def hash_plans(review: PlanReview, plan_hashes: Mapping[str, str]) -> dict[str, str]:
    """A hash of all that the plans of each environment do, for those whose approval is a review.

    `plan_hashes` maps stacks to a hash of what their plan objects do.
    """
    plans = {}
    for rules in review.environments:
        ids = [
            stack.id for stack in review.stacks if stack.environment == rules.name and stack.id in plan_hashes
        ]
        if ids and rules.protected and rules.approved_by != "merge":
            text = "".join(f"{id_} {plan_hashes[id_]}\n" for id_ in sorted(ids))
            plans[rules.name] = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return plans


def update_reviewed_plans(
    before: str, head: str, plans: Mapping[str, str], approved: str
) -> dict[str, ReviewedPlans]:
    """What is to be remembered now; `before` is the text of our comment, `approved` when that was."""
    earlier = parse_reviewed_plans(before) if markers.parse_head(before) == head else {}
    current = {name: ReviewedPlans(plan_hash, approved or NONE) for name, plan_hash in plans.items()}
    return {
        name: earlier[name]
        if name in earlier and earlier[name].plans == reviewed_plans.plans
        else reviewed_plans
        for name, reviewed_plans in current.items()
    }


def parse_reviewed_plans(body: str) -> dict[str, ReviewedPlans]:
    """What a comment of ours remembers."""
    lines = _LINE.findall(body)
    return {name: ReviewedPlans(plans, at) for name, plans, at in _ENTRY.findall(lines[-1])} if lines else {}


def render_line(reviewed: Mapping[str, ReviewedPlans]) -> str:
    """The hidden last line of a comment; empty when there is nothing to remember."""
    entries = [
        f"{name}={reviewed_plans.plans}@{reviewed_plans.approved}"
        for name, reviewed_plans in sorted(reviewed.items())
    ]
    text = " ".join(entry for entry in entries if _ENTRY.fullmatch(entry))
    return f"\n<!-- infra:reviewed {text} -->\n" if text else ""


def find_approval_time(forge: Forge, pull_request: PullRequest) -> str:
    """When the head was approved by the review that counts; empty when nobody did. Raises ForgeError."""
    try:
        approvals = Reviewers(forge).approvals(pull_request)
    except AuthorsUnknownError:
        return ""
    return approvals[-1].submitted_at if approvals else ""


def find_renewed(reviewed: Mapping[str, ReviewedPlans], approved: str) -> frozenset[str]:
    """The environments whose plan was first told when the approval of this head was there already."""
    if not approved:
        return frozenset()
    approved_time = datetime.fromisoformat(approved)
    return frozenset(
        name
        for name, reviewed_plans in reviewed.items()
        if reviewed_plans.approved != NONE
        and approved_time <= datetime.fromisoformat(reviewed_plans.approved)
    )
