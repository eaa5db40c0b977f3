"""Which plan a pull request approves, by a host and a bucket in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from orchestrator.forge.interface import Forge
from orchestrator.forge.model import LabelEvent, Review
from orchestrator.plan.digest import Digest, ResourceDigest, encode, sha256
from orchestrator.repository.git import Repository
from orchestrator.review.decisions import Approval, Decisions, RefusedApproval, ReviewRule
from orchestrator.review.reviewers import Reviewers
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.plan_objects import PlanObjects
from tests.support.memory_storage import MemoryStorage
from tests.unit.review.test_reviewers import PULL, FakeRepository, ForgeWithReviews, at

MERGED = replace(PULL, merged_at=at(30))
REVIEW = ReviewRule()


class OneTeam:
    """A team of which olga is a member."""

    def is_member(self, team: str, login: str) -> bool:
        return (team, login) == ("acme/prod", "olga")


class DecidingHost(ForgeWithReviews):
    """A host that can tell who is in a team."""

    teams = OneTeam()


def plan(*deleted: str) -> Digest:
    """A plan that deletes some addresses."""
    resources = tuple(ResourceDigest(address, "x", ("delete",)) for address in deleted)
    return Digest("prod/app", "lineage", "", resources)


class AttestedPlans:
    """Where plans and attestations are, each posted at a minute."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.objects = PlanObjects(self.storage, "prod", "prod")

    def post(self, run: str, minute: int, digest: Digest, attested: bytes | None = None) -> None:
        data = encode(digest)
        self.objects.create(PULL.number, PULL.head, digest.stack, run, data)
        sha = sha256(data if attested is None else attested)
        Attestations.beside(self.objects).create(
            Attestation(PULL.number, PULL.head, run, run, {digest.stack: sha})
        )
        name = f"prod/attestations/{PULL.number}/{PULL.head}/{run}.json"
        self.storage.objects[name] = replace(self.storage.objects[name], created=at(minute))

    def answer(
        self, *reviews: Review, rule: ReviewRule = REVIEW, merged: bool = True
    ) -> Approval | RefusedApproval:
        host = DecidingHost(reviews_of_pull=list(reviews))
        pull = MERGED if merged else replace(MERGED, merged=False, merged_at="")
        return decisions(host).approval_of(pull, "prod", rule, [self.objects])


def decisions(host: ForgeWithReviews) -> Decisions:
    reviewers = Reviewers(cast(Forge, host), cast(Repository, FakeRepository()))
    return Decisions(cast(Forge, host), reviewers)


def approves(login: str, minute: int) -> Review:
    return Review(login, "APPROVED", PULL.head, at(minute))


def reason(answer: Approval | RefusedApproval) -> str:
    assert isinstance(answer, RefusedApproval)
    return answer.reason


@pytest.fixture
def bucket() -> AttestedPlans:
    return AttestedPlans()


def test_the_newest_plan_before_the_review_counts(bucket: AttestedPlans) -> None:
    bucket.post("1-1", 10, plan("a"))
    bucket.post("2-1", 12, plan("b"))
    bucket.post("3-1", 16, plan("c"))
    answer = bucket.answer(approves("bert", 15))
    assert isinstance(answer, Approval)
    assert (answer.posted, answer.digests) == (at(12), {"prod/app": plan("b")})


@pytest.mark.parametrize("minute", [15, 16])
def test_a_plan_that_nobody_could_see_approves_nothing(bucket: AttestedPlans, minute: int) -> None:
    bucket.post("1-1", minute, plan("a"))
    assert (
        reason(bucket.answer(approves("bert", 15))) == "no plan of prod was attested before it was approved"
    )


@pytest.mark.parametrize("login", ["ada", "rita", "helper[bot]"])
def test_an_approval_of_an_author_a_reader_or_a_bot_is_none(bucket: AttestedPlans, login: str) -> None:
    bucket.post("1-1", 10, plan("a"))
    assert reason(bucket.answer(approves(login, 15))).startswith("nobody who may write approved")


def test_an_author_of_what_it_carries_approves_nothing(bucket: AttestedPlans) -> None:
    bucket.post("1-1", 10, plan("a"))
    rule = ReviewRule(carried=frozenset({"bert"}))
    assert "who wrote none of what it approves" in reason(bucket.answer(approves("bert", 15), rule=rule))


def test_a_plan_without_an_attestation_is_none(bucket: AttestedPlans) -> None:
    bucket.objects.create(PULL.number, PULL.head, "prod/app", "1-1", encode(plan("a")))
    assert "no plan of prod was attested" in reason(bucket.answer(approves("bert", 15)))


def test_a_plan_that_is_not_the_attested_one_is_none(bucket: AttestedPlans) -> None:
    bucket.post("1-1", 10, plan("a"), attested=b"another")
    assert "not those that were attested" in reason(bucket.answer(approves("bert", 15)))


def test_a_later_attestation_that_does_not_count_hides_an_earlier_one(bucket: AttestedPlans) -> None:
    bucket.post("1-1", 10, plan("a"))
    bucket.post("2-1", 12, plan("a"))
    name = f"prod/attestations/{PULL.number}/{PULL.head}/2-1.json"
    bucket.storage.objects[name] = replace(bucket.storage.objects[name], data=b"{}")
    assert "2-1.json cannot be read" in reason(bucket.answer(approves("bert", 15)))


def test_the_merge_approves_what_was_posted_before_it(bucket: AttestedPlans) -> None:
    rule = ReviewRule("merge")
    bucket.post("1-1", 31, plan("a"))
    assert "no plan of prod was attested" in reason(bucket.answer(rule=rule))
    assert isinstance(bucket.answer(rule=rule, merged=False), Approval)
    bucket.post("2-1", 30, plan("b"))
    answer = bucket.answer(rule=rule)
    assert isinstance(answer, Approval)
    assert answer.digests == {"prod/app": plan("b")}


def test_each_owned_path_needs_one_of_its_owners(bucket: AttestedPlans) -> None:
    bucket.post("1-1", 10, plan("a"))
    bucket.post("2-1", 14, plan("b"))
    rule = ReviewRule("codeowners", owned=(("a.tf", ("@bert",)), ("b.tf", ("@acme/prod",))))
    assert reason(bucket.answer(approves("bert", 15), rule=rule)).startswith("no owner of b.tf (@acme/prod)")
    assert reason(bucket.answer(approves("olga", 15), rule=rule)).startswith("no owner of a.tf (@bert)")
    # What the first of them saw is what both approve.
    answer = bucket.answer(approves("bert", 12), approves("olga", 15), rule=rule)
    assert isinstance(answer, Approval)
    assert answer.digests == {"prod/app": plan("a")}


@pytest.mark.parametrize(
    ("owned", "words"),
    [((("a.tf", ()),), "nobody owns a.tf by CODEOWNERS"), ((), "it changes nothing that anybody owns")],
)
def test_a_path_without_owners_is_approved_by_nobody(
    bucket: AttestedPlans, owned: tuple[tuple[str, tuple[str, ...]], ...], words: str
) -> None:
    bucket.post("1-1", 10, plan("a"))
    assert reason(bucket.answer(approves("bert", 15), rule=ReviewRule("codeowners", owned=owned))) == words


def test_where_the_authors_are_unknown_nothing_is_approved(bucket: AttestedPlans) -> None:
    bucket.post("1-1", 10, plan("a"))
    host = DecidingHost(reviews_of_pull=[approves("bert", 15)], moves=[])
    assert isinstance(decisions(host).approval_of(MERGED, "prod", REVIEW, [bucket.objects]), RefusedApproval)
    assert not decisions(host).may_decide("bert", MERGED)


@pytest.mark.parametrize(
    ("actor", "minute", "is_allowed"),
    [("bert", 20, True), ("ada", 20, False), ("bert", 10, False), ("rita", 20, False)],
    ids=["after the plan", "by the author", "before the plan", "by a reader"],
)
def test_a_label_allows_what_the_plan_before_it_deletes(
    bucket: AttestedPlans, actor: str, minute: int, is_allowed: bool
) -> None:
    bucket.post("1-1", 10, plan("a"))
    approval = Approval(MERGED, at(25), {"prod/app": plan("a")})
    host = DecidingHost(labels=[LabelEvent("allow-destroy", actor, at(minute), True)])

    def allows(digest: Digest) -> bool:
        now = replace(approval, digests={"prod/app": digest})
        return decisions(host).allows_destroy_of(
            now, "prod/app", "prod", "allow-destroy", frozenset(), [bucket.objects]
        )

    assert allows(plan("a")) == is_allowed
    assert not allows(plan("a", "b"))
