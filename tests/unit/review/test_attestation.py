"""What is attested of a run: the plan objects that its reports show, all of them, and of this run alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.engine.digests import SHOWN_HASH
from orchestrator.plan.digest import empty_plan_digest, encode, sha256
from orchestrator.report.model import StackReport
from orchestrator.report.review import PlanReview, StackReview, hash_of_review
from orchestrator.review.attestation import (
    AttestationOutcome,
    RunObjects,
    build_attestation,
    create_attestations,
    read_run_objects,
)
from orchestrator.state.attestations import Attestations
from orchestrator.state.plan_objects import PlanObjects
from tests.support.memory_storage import MemoryStorage

HEAD = "a" * 40


def reviewed(stack: str, diff: str = "~ it") -> StackReview:
    return StackReview(StackReport(stack, stack.split("/")[0], "changed", diff=diff))


def review(*stacks: StackReview) -> PlanReview:
    return PlanReview("acme/infra", 7, "", "", HEAD, "b" * 40, "", "main", (), stacks)


class BucketOfPlans:
    """A bucket with what plan jobs wrote; `places` are dev's and prod's."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.locations = {name: [PlanObjects(self.storage, name, name)] for name in ("dev", "prod")}

    def plan(
        self, stack: str, run: str = "50-1", head: str = HEAD, number: int = 7, text: str = ""
    ) -> StackReview:
        """What a plan job writes, and reports."""
        facts = {SHOWN_HASH: hash_of_review(reviewed(stack)), "text": text}
        data = encode(empty_plan_digest(stack, lineage="", lock_file="", facts=facts))
        (plan_objects,) = self.locations[stack.split("/")[0]]
        name = plan_objects.create(number, head, stack, run, data)
        return replace(reviewed(stack), object=name, sha256=sha256(data))

    def read(self, run: str = "50-1") -> RunObjects:
        return read_run_objects(self.locations, 7, HEAD, run)

    def attested(self, environment: str) -> dict[str, str]:
        (plan_objects,) = self.locations[environment]
        return dict(Attestations.beside(plan_objects).of_head(7, HEAD)[-1].plans)


@pytest.fixture
def bucket() -> BucketOfPlans:
    return BucketOfPlans()


def test_a_report_is_genuine_if_its_object_proves_it(bucket: BucketOfPlans) -> None:
    honest = bucket.plan("dev/net")
    objects = bucket.read()
    assert objects.explain_rejection(honest) == ""
    forged = replace(honest, report=replace(honest.report, diff="nothing"))
    for lie in (
        forged,
        replace(honest, sha256="0" * 64),
        reviewed("dev/net"),
        replace(honest, provisional=("x",)),
    ):
        assert objects.explain_rejection(lie) == "it is not what the plan job wrote into the bucket"
    # How long it took is no part of it.
    assert objects.explain_rejection(replace(honest, report=replace(honest.report, seconds=7.5))) == ""
    assert "not in the bucket" in objects.explain_rejection(
        replace(honest, report=replace(honest.report, id="dev/app"))
    )
    assert objects.explain_rejection(reviewed("dev/app")) == "", (
        "of what was not kept there is nothing to compare"
    )


@pytest.mark.parametrize(
    "other", [{"run": "49-1"}, {"run": "50-2"}, {"run": "50-1x"}, {"head": "c" * 40}, {"number": 8}], ids=str
)
def test_objects_of_another_run_head_or_pull_request_are_not_read(
    bucket: BucketOfPlans, other: dict[str, str]
) -> None:
    bucket.plan("dev/net", **other)  # type: ignore[arg-type]
    assert bucket.read().objects == {}


def test_of_two_attempts_the_newer_one_counts(bucket: BucketOfPlans) -> None:
    bucket.plan("dev/net", text="first")
    second = bucket.plan("dev/net", "50-2", text="second")
    planned = bucket.read("50-2").objects["dev/net"]
    assert (planned.run, planned.sha256) == ("50-2", second.sha256)


def test_what_is_shown_is_attested_by_environment(bucket: BucketOfPlans) -> None:
    stacks = [bucket.plan(stack_id) for stack_id in ("dev/net", "dev/app", "prod/net")]
    assert create_attestations(bucket.locations, review(*stacks), bucket.read(), {}) == AttestationOutcome()
    assert bucket.attested("dev") == {stack.id: stack.sha256 for stack in stacks[:2]}
    assert bucket.attested("prod") == {"prod/net": stacks[2].sha256}


def test_an_environment_with_a_stack_that_was_not_planned_counts_for_nothing(bucket: BucketOfPlans) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("prod/net")]
    outcome = create_attestations(bucket.locations, review(*stacks), bucket.read(), {"dev": ["dev/app"]})
    assert outcome == AttestationOutcome({"dev": "not planned: dev/app"})
    assert (bucket.attested("dev"), bucket.attested("prod")) == ({}, {"prod/net": stacks[1].sha256})


def test_a_plan_that_is_not_shown_makes_its_environment_count_for_nothing(bucket: BucketOfPlans) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("dev/app")]
    attestation = build_attestation("dev", review(stacks[0]), bucket.read(), ())
    assert (attestation.plans, attestation.problem) == ({}, "planned and not shown: dev/app")


def test_plans_of_two_attempts_are_not_attested_together(bucket: BucketOfPlans) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("dev/app", "50-2")]
    attestation = build_attestation("dev", review(*stacks), bucket.read("50-2"), ())
    assert (attestation.plans, attestation.problem) == (
        {},
        "its plans are of different attempts: re-run all jobs",
    )


def test_the_last_job_alone_can_be_run_again(bucket: BucketOfPlans) -> None:
    stack = bucket.plan("dev/net")
    attestation = build_attestation("dev", review(stack), bucket.read("50-3"), ())
    assert (attestation.run, attestation.plan_run, dict(attestation.plans)) == (
        "50-3",
        "50-1",
        {"dev/net": stack.sha256},
    )


@pytest.mark.parametrize("call", ["list", "read", "write"])
def test_a_bucket_that_denies_access_is_a_failure_of_its_environment(
    bucket: BucketOfPlans, call: str
) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("prod/net")]
    bucket.storage.fails = lambda what, name: what == call and name.startswith("dev/")
    outcome = create_attestations(bucket.locations, review(*stacks), bucket.read(), {})
    assert set(outcome.reasons) == {"dev"}
    assert [failure.partition(":")[0] for failure in outcome.failures] == ["dev"]
    bucket.storage.fails = lambda what, name: False
    assert bucket.attested("prod") == {"prod/net": stacks[1].sha256}


def test_an_object_that_cannot_be_read_is_a_failure(bucket: BucketOfPlans) -> None:
    bucket.storage.write(f"dev/plans/7/{HEAD}/net/50-1.json", b"{")
    outcome = create_attestations(bucket.locations, review(), bucket.read(), {})
    assert set(outcome.reasons) == {"dev"}


def test_it_attests_once(bucket: BucketOfPlans) -> None:
    stack = bucket.plan("dev/net")
    create_attestations(bucket.locations, review(stack), bucket.read(), {})
    again = create_attestations(bucket.locations, review(stack), bucket.read(), {})
    assert all("none is ever written twice" in why for why in again.failures)
    assert len(again.failures) == 2
