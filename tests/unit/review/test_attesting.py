"""What is attested of a run: the plan objects that its reports show, all of them, and of this run alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.plan.digest import empty, encode, sha256
from orchestrator.report.model import StackReport
from orchestrator.report.review import Review, StackReview, shown_hash
from orchestrator.review.attesting import Outcome, RunObjects, attest, attestation_of, read_run
from orchestrator.run.digesting import SHOWN
from orchestrator.state.approved import PlanObjects
from orchestrator.state.attestations import Attestations
from tests.support.memory_storage import MemoryStorage

HEAD = "a" * 40


def shown(stack: str, diff: str = "~ it") -> StackReview:
    return StackReview(StackReport(stack, stack.split("/")[0], "changed", diff=diff))


def review(*stacks: StackReview) -> Review:
    return Review("acme/infra", 7, "", "", HEAD, "b" * 40, "", "main", (), stacks)


class Bucket:
    """A bucket with what plan jobs wrote; `places` are dev's and prod's."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.places = {name: [PlanObjects(self.storage, name, name)] for name in ("dev", "prod")}

    def plan(
        self, stack: str, run: str = "50-1", head: str = HEAD, number: int = 7, text: str = ""
    ) -> StackReview:
        """What a plan job writes, and reports."""
        facts = {SHOWN: shown_hash(shown(stack)), "text": text}
        data = encode(empty(stack, lineage="", lock_file="", facts=facts))
        (place,) = self.places[stack.split("/")[0]]
        name = place.create(number, head, stack, run, data)
        return replace(shown(stack), object=name, sha256=sha256(data))

    def read(self, run: str = "50-1") -> RunObjects:
        return read_run(self.places, 7, HEAD, run)

    def attested(self, environment: str) -> dict[str, str]:
        (place,) = self.places[environment]
        return dict(Attestations.beside(place).of_head(7, HEAD)[-1].plans)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_a_report_is_genuine_if_its_object_says_so(bucket: Bucket) -> None:
    honest = bucket.plan("dev/net")
    objects = bucket.read()
    assert objects.objection(honest) == ""
    forged = replace(honest, report=replace(honest.report, diff="nothing"))
    for lie in (
        forged,
        replace(honest, sha256="0" * 64),
        shown("dev/net"),
        replace(honest, provisional=("x",)),
    ):
        assert objects.objection(lie) == "it is not what the plan job wrote into the bucket"
    # How long it took is no part of it.
    assert objects.objection(replace(honest, report=replace(honest.report, seconds=7.5))) == ""
    assert "not in the bucket" in objects.objection(
        replace(honest, report=replace(honest.report, id="dev/app"))
    )
    assert objects.objection(shown("dev/app")) == "", "of what was not kept there is nothing to compare"


@pytest.mark.parametrize(
    "other", [{"run": "49-1"}, {"run": "50-2"}, {"run": "50-1x"}, {"head": "c" * 40}, {"number": 8}], ids=str
)
def test_objects_of_another_run_head_or_pull_request_are_not_read(
    bucket: Bucket, other: dict[str, str]
) -> None:
    bucket.plan("dev/net", **other)  # type: ignore[arg-type]
    assert bucket.read().objects == {}


def test_of_two_attempts_the_newer_one_counts(bucket: Bucket) -> None:
    bucket.plan("dev/net", text="first")
    second = bucket.plan("dev/net", "50-2", text="second")
    found = bucket.read("50-2").objects["dev/net"]
    assert (found.run, found.sha256) == ("50-2", second.sha256)


def test_what_is_shown_is_attested_by_environment(bucket: Bucket) -> None:
    stacks = [bucket.plan(one) for one in ("dev/net", "dev/app", "prod/net")]
    assert attest(bucket.places, review(*stacks), bucket.read(), {}) == Outcome()
    assert bucket.attested("dev") == {one.id: one.sha256 for one in stacks[:2]}
    assert bucket.attested("prod") == {"prod/net": stacks[2].sha256}


def test_an_environment_with_a_stack_that_was_not_planned_counts_for_nothing(bucket: Bucket) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("prod/net")]
    outcome = attest(bucket.places, review(*stacks), bucket.read(), {"dev": ["dev/app"]})
    assert outcome == Outcome({"dev": "not planned: dev/app"})
    assert (bucket.attested("dev"), bucket.attested("prod")) == ({}, {"prod/net": stacks[1].sha256})


def test_a_plan_that_is_not_shown_makes_its_environment_count_for_nothing(bucket: Bucket) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("dev/app")]
    found = attestation_of("dev", review(stacks[0]), bucket.read(), ())
    assert (found.plans, found.problem) == ({}, "planned and not shown: dev/app")


def test_plans_of_two_attempts_are_not_attested_together(bucket: Bucket) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("dev/app", "50-2")]
    found = attestation_of("dev", review(*stacks), bucket.read("50-2"), ())
    assert (found.plans, found.problem) == ({}, "its plans are of different attempts: re-run all jobs")


def test_the_last_job_alone_can_be_run_again(bucket: Bucket) -> None:
    stack = bucket.plan("dev/net")
    found = attestation_of("dev", review(stack), bucket.read("50-3"), ())
    assert (found.run, found.plan_run, dict(found.plans)) == ("50-3", "50-1", {"dev/net": stack.sha256})


@pytest.mark.parametrize("call", ["list", "read", "write"])
def test_a_bucket_that_says_no_is_a_failure_of_its_environment(bucket: Bucket, call: str) -> None:
    stacks = [bucket.plan("dev/net"), bucket.plan("prod/net")]
    bucket.storage.fails = lambda what, name: what == call and name.startswith("dev/")
    outcome = attest(bucket.places, review(*stacks), bucket.read(), {})
    assert set(outcome.reasons) == {"dev"}
    assert [one.partition(":")[0] for one in outcome.failures] == ["dev"]
    bucket.storage.fails = lambda what, name: False
    assert bucket.attested("prod") == {"prod/net": stacks[1].sha256}


def test_an_object_that_cannot_be_read_is_a_failure(bucket: Bucket) -> None:
    bucket.storage.write(f"dev/plans/7/{HEAD}/net/50-1.json", b"{")
    outcome = attest(bucket.places, review(), bucket.read(), {})
    assert set(outcome.reasons) == {"dev"}


def test_it_attests_once(bucket: Bucket) -> None:
    stack = bucket.plan("dev/net")
    attest(bucket.places, review(stack), bucket.read(), {})
    again = attest(bucket.places, review(stack), bucket.read(), {})
    assert all("none is ever written twice" in why for why in again.failures)
    assert len(again.failures) == 2
