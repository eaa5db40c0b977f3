"""Stacks behind a changed stack, from the pull request to what is applied, with real Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.state.drift_store import DriftLog, Heartbeat
from tests.support.ci import CiProject, running
from tests.support.merging import (
    LOOK,
    apply,
    gated,
    job,
    merged,
    planned,
    state_of,
    states,
    status_text,
    verdicts,
)
from tests.support.recorded_stack import CONFIG, DEPENDENT, UPSTREAM

pytestmark = pytest.mark.usefixtures("terraform_argv")

NET, APP = "infra/envs/prod/net/main.tf", "infra/envs/prod/app/main.tf"
READER = DEPENDENT.replace("dev/state", "prod/state") + 'output "x" {\n  value = terraform_data.y.output\n}\n'
# It is known only when the first one is there that the second one cannot be.
HALF = """
resource "terraform_data" "first" {}
resource "terraform_data" "second" {
  lifecycle {
    precondition {
      condition     = length(terraform_data.first.id) %s 0
      error_message = "There is a first one."
    }
  }
}
"""


@pytest.fixture
def ci(steady_path: Path) -> Iterator[CiProject]:
    files = {"infra.yaml": CONFIG, NET: UPSTREAM, APP: READER}
    with running(steady_path, files=files) as project:
        yield project


def test_an_upstream_that_fails_half_way_holds_its_dependents_back(ci: CiProject) -> None:
    """What was applied stays, what reads it waits, and the next merge catches up with all of it."""
    ci.recorded.apply()
    two = UPSTREAM.replace("one", "two")
    number = merged(ci, {NET: two + HALF % "=="})
    ran = apply(ci, "prod", code=7)
    # What moves its output is not there yet, so the follower is as trunk wants it so far.
    assert ran.results == {"prod/net": "failed", "prod/app": "unchanged"}
    assert state_of(ci, "prod/app") == "one"
    body = status_text(ci, number, "prod")
    assert "prod is partly applied" in body
    assert "There is a first one." in body

    mended = merged(ci, {NET: two + HALF % ">"}, "mend")
    ran = apply(ci, "prod", code=0)
    assert ran.results == {"prod/net": "applied", "prod/app": "applied"}
    assert set(verdicts(ran).values()) <= {"approved", "provisional"}
    assert state_of(ci, "prod/app") == "two"
    for pull in (number, mended):
        assert "✓ prod is done" in status_text(ci, pull, "prod")


def test_what_had_to_wait_is_approved_by_nobody(ci: CiProject) -> None:
    """In a new environment what reads another stack has no plan before that is applied."""
    new = {f"infra/envs/staging/{name}/main.tf": text for name, text in (("net", UPSTREAM), ("app", READER))}
    new["infra/envs/staging/app/main.tf"] = READER.replace("prod/state", "staging/state")
    ci.github.commit(
        "main", {"infra.yaml": CONFIG + "environments: {staging: {protected: true}, prod: {}}\n"}
    )
    number = planned(ci, new)
    body = ci.body(number)
    assert "**Must wait:**" in body
    assert "an approval does not cover them" in body
    assert ci.conclusions(number)["infra/staging"] == "success"
    ci.github.merge(number, "squash")

    ran = apply(ci, "staging", code=4)
    assert ran.results == {"staging/net": "applied", "staging/app": "blocked"}
    assert verdicts(ran) == {"staging/net": "approved", "staging/app": "gate"}
    assert states(ran) == {"staging": "gate"}
    # The gate of this run lies behind it: another one asks.
    assert "Comment `/infra apply staging`" in status_text(ci, number, "staging")
    compared = job(ci, LOOK)("ci", "compare", "staging", "--json", code=0)
    assert list(compared.document["pending"]) == ["staging/app"]
    ran = apply(ci, "staging", *gated(ci, compared, "staging"), code=0)
    assert ran.results == {"staging/app": "applied"}


def test_a_check_for_drift_that_fell_silent_is_shown(ci: CiProject) -> None:
    """On the plan, and where it is applied: a detector that is dead looks like a world without drift."""
    ci.recorded.apply()
    old = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    beat = Heartbeat(old, "R", complete=old, oldest="prod/app", stacks=2)
    DriftLog(ci.recorded.ledger("prod/net").storage, "prod").beat(beat)
    number = merged(ci, {NET: UPSTREAM.replace("why", "how")})
    # Its stacks have no records: the check that the heartbeat tells of was of others.
    words = "prod was never checked for drift completely; last looked at 9 days ago"
    assert words in ci.body(number)
    apply(ci, "prod", code=0)
    assert words in status_text(ci, number, "prod")
