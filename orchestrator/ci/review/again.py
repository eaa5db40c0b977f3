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
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.report import markers
from orchestrator.report.review import Review
from orchestrator.review.reviewers import Reviewers

NONE = "-"

_LINE = re.compile(r"^<!-- infra:told ([^\n]*) -->$", re.MULTILINE)
_ENTRY = re.compile(r"([A-Za-z0-9._/-]+)=([0-9a-f]{64})@(-|[0-9TZ:.+-]+)")


@dataclass(frozen=True)
class Told:
    """What an environment's plans do, as a hash, and when the approval was given that was there already when
    that was first told of a head: RFC 3339, `-` for none."""

    plans: str
    approved: str


def plans_of(review: Review, known: Mapping[str, str]) -> dict[str, str]:
    """A hash of all that the plans of each environment do, for those whose approval is a review.

    `known` maps stacks to a hash of what their plan objects do.
    """
    found = {}
    for rules in review.environments:
        mine = [one.id for one in review.stacks if one.environment == rules.name and one.id in known]
        if mine and rules.protected and rules.approved_by != "merge":
            text = "".join(f"{id_} {known[id_]}\n" for id_ in sorted(mine))
            found[rules.name] = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return found


def told(before: str, head: str, plans: Mapping[str, str], approved: str) -> dict[str, Told]:
    """What is to be remembered now; `before` is the text of our comment, `approved` when that was."""
    known = read(before) if markers.head_of(before) == head else {}
    fresh = {name: Told(each, approved or NONE) for name, each in plans.items()}
    return {
        name: known[name] if name in known and known[name].plans == one.plans else one
        for name, one in fresh.items()
    }


def read(body: str) -> dict[str, Told]:
    """What a comment of ours remembers."""
    lines = _LINE.findall(body)
    return {name: Told(plans, at) for name, plans, at in _ENTRY.findall(lines[-1])} if lines else {}


def line(known: Mapping[str, Told]) -> str:
    """The hidden last line of a comment; empty when there is nothing to remember."""
    entries = [f"{name}={one.plans}@{one.approved}" for name, one in sorted(known.items())]
    text = " ".join(one for one in entries if _ENTRY.fullmatch(one))
    return f"\n<!-- infra:told {text} -->\n" if text else ""


def approved_at(host: Host, pull_request: PullRequest) -> str:
    """When the head was approved by the review that counts; empty when nobody did. Raises HostError."""
    try:
        approvals = Reviewers(host).approvals(pull_request)
    except AuthorsUnknownError:
        return ""
    return approvals[-1].submitted_at if approvals else ""


def to_review_again(known: Mapping[str, Told], approved: str) -> frozenset[str]:
    """The environments whose plan was first told when the approval of this head was there already."""
    if not approved:
        return frozenset()
    now = datetime.fromisoformat(approved)
    return frozenset(
        name
        for name, one in known.items()
        if one.approved != NONE and now <= datetime.fromisoformat(one.approved)
    )
