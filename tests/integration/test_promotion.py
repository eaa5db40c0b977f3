"""Checks and soak between two environments, and what is remembered of them: real states, real history."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.engine.checks import CheckOutcome
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import open_session
from orchestrator.errors import InterruptedRunError
from orchestrator.repository.loading import load
from orchestrator.review.promotion import EnvironmentPromotion
from orchestrator.state.records import LedgerEntry
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.clocks import SleepingClock
from tests.support.repo import Repo

LOCAL = 'terraform {\n  backend "local" {}\n}\n'
BLOCKS = """
resource "terraform_data" "x" {
  input = "one"
}
check "is_two" {
  assert {
    condition     = terraform_data.x.output == "two"
    error_message = "it is ${terraform_data.x.output}, password=hunter2hunter2"
  }
}
check "is_text" {
  assert {
    condition     = terraform_data.x.output != null
    error_message = "never"
  }
}
"""


def promotion(root: Path, environment: str = "dev") -> tuple[EnvironmentPromotion, SleepingClock]:
    """The promotion of an environment at the commit that is checked out, at a time of its own."""
    clock = SleepingClock()
    session = open_session(load(root), dict(os.environ), SilentProgress())
    return EnvironmentPromotion(session, environment, clock=clock, sleep=clock.sleep), clock


def test_terraforms_check_blocks_are_read_from_the_state(make_repo: MakeRepo) -> None:
    config = "environments: {dev: {checks: [{terraform: true}]}, prod: {}}"
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL + BLOCKS})
    Infra(repo.root, {})("apply", "dev", "--auto-approve", "--confirm", "dev", code=0)
    checked, _ = promotion(repo.root)
    (outcome,) = checked.verify(["dev/a"]).checks
    assert not outcome.ok
    assert outcome.message.startswith("dev/a: check.is_two: it is one, password=")
    assert "hunter2" not in outcome.message
    assert "is_text" not in outcome.message
    assert checked.decision().state == "failed"
    # Only the stacks that are named are looked at.
    assert checked.verify(()).checks == (CheckOutcome("Terraform's check blocks", ok=True),)


def soaking(
    make_repo: MakeRepo, checks: str = "[]", *, age: float
) -> tuple[EnvironmentPromotion, SleepingClock]:
    """dev soaks for ten minutes, and was applied `age` seconds ago."""
    config = f"environments: {{dev: {{soak: 10m, checks: {checks}}}, prod: {{}}}}"
    stacks = {f"infra/envs/{name}/a/main.tf": LOCAL for name in ("dev", "prod")}
    repo = make_repo({"infra.yaml": config, **stacks})
    soaks, clock = promotion(repo.root)
    stack = soaks.session.context.project.stacks["dev/a"]
    ledger = soaks.session.memory.ledgers.of(stack)
    at = datetime.now(UTC) - timedelta(seconds=age)
    entry = LedgerEntry("dev/a", result="applied", applied_at=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    ledger._write(entry, "0")
    return soaks, clock


@pytest.mark.parametrize(("age", "left"), [(0, 600), (450, 150), (700, 0)])
def test_it_soaks_since_the_newest_apply(make_repo: MakeRepo, age: float, left: float) -> None:
    soaks, clock = soaking(make_repo, age=age)
    assert soaks.soak_left() == pytest.approx(left, abs=5)
    assert soaks.decision().reason == "its checks have not been run at this commit"
    assert soaks.verify(()).soaked == pytest.approx(left, abs=5)
    assert clock.now == pytest.approx(left, abs=5)
    assert soaks.decision().is_passed


def test_an_interrupted_soak_is_due_again(make_repo: MakeRepo) -> None:
    """The record says that the checks passed and that the soak did not end; a later run does the rest."""
    soaks, clock = soaking(make_repo, "[{command: [sh, -c, 'true'], name: smoke}]", age=0)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        soaks.session.context.supervisor.interrupt()

    soaks.sleep = sleep
    with pytest.raises(InterruptedRunError):
        soaks.verify(())
    again, clock = promotion(soaks.session.context.project.root)
    assert again.decision().reason.startswith("its soak did not finish at ")
    later = EnvironmentPromotion(again.session, "prod").hold()
    assert later
    assert later.environment == "dev"
    again.verify(())
    assert clock.now == pytest.approx(600, abs=10)
    assert EnvironmentPromotion(again.session, "prod").hold() is None


def test_an_environment_that_was_never_applied_does_not_soak(make_repo: MakeRepo) -> None:
    config = "environments: {dev: {soak: 10m}, prod: {}}"
    stacks = {f"infra/envs/{name}/a/main.tf": LOCAL for name in ("dev", "prod")}
    repo = make_repo({"infra.yaml": config, **stacks})
    assert promotion(repo.root)[0].soak_left() == 0


@pytest.fixture
def checked(make_repo: MakeRepo) -> Repo:
    """dev with a check that fails while there is a file `fail`, then staging and prod without any."""
    smoke = "{name: smoke, command: [sh, -c, 'test ! -e fail']}"
    config = f"environments: {{dev: {{checks: [{smoke}]}}, staging: {{}}, prod: {{}}}}"
    stacks = {f"infra/envs/{name}/a/main.tf": LOCAL for name in ("dev", "staging", "prod")}
    return make_repo({"infra.yaml": config, ".gitignore": "fail\n", **stacks})


def state(repo: Repo) -> str:
    return promotion(repo.root)[0].decision().state


def test_a_commit_that_changes_nothing_there_stands_on_the_checks_before_it(checked: Repo) -> None:
    dev, _ = promotion(checked.root)
    assert dev.decision().state == "due"
    dev.verify(())
    assert state(checked) == "passed"
    checked.commit({"README.md": "Words.\n"})
    assert state(checked) == "passed"
    checked.commit({"infra/envs/dev/a/main.tf": f"{LOCAL}# changed\n"})
    assert state(checked) == "due"


def test_an_earlier_environment_holds_all_that_follow(checked: Repo) -> None:
    (checked.root / "fail").touch()
    dev, _ = promotion(checked.root)
    dev.verify(())
    for name in ("staging", "prod"):
        hold = EnvironmentPromotion(dev.session, name).hold()
        assert hold
        assert hold.reason == f"dev has not passed: check smoke failed at {checked.head[:10]}"
    assert dev.hold() is None


def test_an_apply_that_begins_makes_old_results_void(checked: Repo) -> None:
    dev, _ = promotion(checked.root)
    dev.verify(())
    dev.begin()
    assert dev.decision().reason == f"check smoke did not finish at {checked.head[:10]}"


def test_a_skip_holds_for_its_commit_until_the_next_checks(checked: Repo) -> None:
    (checked.root / "fail").touch()
    dev, _ = promotion(checked.root)
    dev.verify(())
    dev.skip("ada", "the probe is down")
    assert dev.decision().reason == "checks skipped by ada: the probe is down"
    checked.commit({"README.md": "Words.\n"})
    again, _ = promotion(checked.root)
    assert again.decision().state == "failed"
    (checked.root / "fail").unlink()
    again.verify(())
    assert again.decision().is_passed


def test_the_checks_are_those_that_trunk_has_now(checked: Repo) -> None:
    """A job of an older commit of trunk asks for what trunk's newest infra.yaml asks for."""
    checked.commit({"infra.yaml": "environments: {dev: {}, staging: {}, prod: {}}"})
    checked.git("checkout", "-q", "--detach", "HEAD~1")
    dev, _ = promotion(checked.root)
    assert dev.session.context.project.config.environment("dev").checks
    assert dev.requirements.is_empty


def test_a_local_run_over_what_is_pending_waits_for_the_checks_too(checked: Repo) -> None:
    """Local runs make no checks: what is not recorded holds nobody back, a recorded failure does."""
    infra = Infra(checked.root, {})
    yes = ("--auto-approve", "--confirm", "prod")
    infra("apply", "--all", *yes, code=0)
    (checked.root / "fail").touch()
    promotion(checked.root)[0].verify(())
    changed = f'{LOCAL}resource "terraform_data" "x" {{}}\n'
    checked.commit({f"infra/envs/{name}/a/main.tf": changed for name in ("dev", "prod")})
    ran = infra("apply", "--pending", *yes, "--json", code=4)
    assert ran.results == {"dev/a": "applied", "prod/a": "blocked"}
    assert ran.stack("prod/a")["reason"].startswith("promotion is stopped: dev has not passed: check smoke ")
    (dev,) = infra("status", "--json", code=0).document["environments"]
    assert (dev["name"], dev["promotion"]) == ("dev", "due")
    # A person who names an environment promotes nothing.
    infra("apply", "prod", *yes, code=0)


def test_status_names_what_stops_promotion_and_who_skipped_it(checked: Repo) -> None:
    infra = Infra(checked.root, {})
    (checked.root / "fail").touch()
    dev, _ = promotion(checked.root)
    dev.verify(())
    assert f"dev: promotion stops here: check smoke failed at {checked.head[:10]}" in infra("status").out
    dev.skip("ada", "the probe is down")
    assert "dev: checks skipped by ada: the probe is down" in infra("status").out
    (environment,) = infra("status", "--json").document["environments"]
    assert (environment["promotion"], environment["skipped"]) == (
        "passed",
        "checks skipped by ada: the probe is down",
    )
    (checked.root / "fail").unlink()
    dev.verify(())
    assert "dev:" not in infra("status").out
