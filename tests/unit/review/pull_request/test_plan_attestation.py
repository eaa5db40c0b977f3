"""What is attested of the run of a pull request."""

from __future__ import annotations

from orchestrator.review.attestation import AttestationOutcome
from orchestrator.review.pull_request.plan_attestation import PlanAttestation
from tests.support import reviews
from tests.unit.review.test_attestation import BucketOfPlans


def test_an_environment_in_which_no_time_was_left_for_a_stack_counts_for_nothing() -> None:
    bucket = BucketOfPlans()
    planned = bucket.plan("dev/net")
    late = reviews.stack("dev/app", "unchecked", reason="50 minutes of the job were over")
    review = reviews.review(planned, late, bucket.plan("prod/net"), head="a" * 40, pull_request=7)
    attesting = PlanAttestation(bucket.read(), bucket.locations)
    assert attesting.attest(review) == AttestationOutcome({"dev": "not planned: dev/app"})
    assert (bucket.attested("dev"), list(bucket.attested("prod"))) == ({}, ["prod/net"])
