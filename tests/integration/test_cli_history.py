"""`infra history`: which runs changed what."""

from __future__ import annotations

import pytest

from tests.support.cli import Infra
from tests.support.recorded_stack import UPSTREAM, RecordedProject

pytestmark = pytest.mark.usefixtures("terraform_argv")

BROKEN = """
resource "terraform_data" "broken" {
  input = "x"
  lifecycle {
    precondition {
      condition     = terraform_data.x.output != "two"
      error_message = "Not two."
    }
  }
}
"""


def test_nothing_was_done_yet(recorded: RecordedProject) -> None:
    assert recorded.infra("history", "--json", code=0).document["runs"] == []
    assert "no run" in recorded.infra("history", code=0).out


def test_runs_are_reported_newest_first_over_all_environments(recorded: RecordedProject) -> None:
    first = recorded.apply("dev/net", "prod/net").document["run"]["id"]
    recorded.repo.commit({"infra/envs/dev/net/main.tf": UPSTREAM.replace("one", "two")}, "Change net")
    second = recorded.apply("dev/net").document["run"]["id"]

    runs = recorded.infra("history", "--json", code=0).document["runs"]
    assert [run["id"] for run in runs] == [second, first]
    assert [stack["id"] for stack in runs[1]["stacks"]] == ["dev/net", "prod/net"]
    newest = runs[0]
    assert newest["commit"] == recorded.repo.head
    assert newest["subject"] == "Change net"
    assert (newest["command"], newest["trigger"]) == ("apply", "local")
    (stack,) = newest["stacks"]
    assert (stack["result"], stack["counts"]["update"]) == ("applied", 1)
    assert stack["serial_after"] > stack["serial_before"]

    assert [run["id"] for run in recorded.infra("history", "prod", "--json", code=0).document["runs"]] == [
        first
    ]
    assert len(recorded.infra("history", "--limit", "1", "--json", code=0).document["runs"]) == 1
    text = recorded.infra("history", code=0).out
    assert "dev/net applied" in text
    assert "2 applied" in text
    assert "1 changed" in text
    assert f"{recorded.repo.head[:10]} Change net" in text


def test_one_run_is_shown_stack_by_stack(recorded: RecordedProject) -> None:
    run = recorded.apply("dev/net", "prod/net").document["run"]["id"]
    shown_run = recorded.infra("history", "show", run, "--json", code=0).document["run"]
    assert shown_run["id"] == run
    assert {stack["id"]: stack["result"] for stack in shown_run["stacks"]} == {
        "dev/net": "applied",
        "prod/net": "applied",
    }
    text = recorded.infra("history", "show", run, code=0).out
    assert f"commit: {recorded.repo.head} First" in text
    assert "prod/net" in text


@pytest.mark.applied("dev/net")
def test_a_failure_of_uncommitted_code_has_its_reason_and_what_was_done(recorded: RecordedProject) -> None:
    recorded.repo.write({"infra/envs/dev/net/main.tf": UPSTREAM.replace("one", "two") + BROKEN})
    recorded.infra("apply", "dev/net", "--auto-approve", "--json", code=7)
    newest = recorded.infra("history", "--json", code=0).document["runs"][0]
    (stack,) = newest["stacks"]
    assert stack["result"] == "failed"
    assert stack["reason"]
    assert (stack["counts"]["update"], stack["counts"]["create"]) == (1, 0)
    assert newest["commit"] == f"{recorded.repo.head}+uncommitted"
    assert "dev/net failed" in recorded.infra("history", code=0).out
    assert (
        f"last run: failed at {recorded.repo.head[:10]}+uncommitted" in recorded.infra("status", code=0).out
    )


def test_a_run_of_ci_has_its_person_request_and_link(recorded: RecordedProject) -> None:
    ci = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "ada",
        "GITHUB_REPOSITORY": "acme/infra",
        "GITHUB_RUN_ID": "42",
        "GITHUB_REF": "refs/pull/12/merge",
    }
    infra = Infra(recorded.repo.root, {**recorded.infra.env, **ci})
    infra("apply", "dev/net", "--auto-approve", "--json", code=0)
    (run,) = recorded.infra("history", "--json", code=0).document["runs"]
    assert (run["person"], run["pull_request"], run["trigger"]) == ("ada", "#12", "ci")
    assert run["link"] == "https://github.com/acme/infra/actions/runs/42"
    assert run["link"] in recorded.infra("history", "show", run["id"], code=0).out


def test_an_unknown_run_and_a_missing_one_are_usage_errors(recorded: RecordedProject) -> None:
    assert "knows of no run nope" in recorded.infra("history", "show", "nope", code=3).err
    recorded.infra("history", "show", code=3)
