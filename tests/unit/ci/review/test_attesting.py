"""What is attested of the run of a pull request."""

from __future__ import annotations

from orchestrator.ci.review.attesting import Attesting
from orchestrator.review.attesting import Outcome
from tests.support import reviews
from tests.unit.review.test_attesting import Bucket


def test_an_environment_in_which_no_time_was_left_for_a_stack_counts_for_nothing() -> None:
    bucket = Bucket()
    planned = bucket.plan("dev/net")
    late = reviews.stack("dev/app", "unchecked", reason="50 minutes of the job were over")
    review = reviews.review(planned, late, bucket.plan("prod/net"), head="a" * 40, pull_request=7)
    attesting = Attesting(bucket.read(), bucket.places)
    assert attesting.attest(review) == Outcome({"dev": "not planned: dev/app"})
    assert (bucket.attested("dev"), list(bucket.attested("prod"))) == ({}, ["prod/net"])
