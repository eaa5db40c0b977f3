"""Scheduled checks of `infra drift`: what they may touch, when they are silent, and what they record."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from orchestrator.cli.terminal.deprecated_keys import add_deprecated_keys
from orchestrator.drift.check_all import DriftRequest, check_drift
from orchestrator.drift.report_files import read_reports
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import open_session
from orchestrator.engine.states import States
from orchestrator.repository.loading import load
from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.state.records import Operation
from tests.conftest import MakeRepo
from tests.integration.test_cli_drift import DURATION, MAIN, NETWORK, PLAIN, SCHEDULE, topic
from tests.support.recorded_stack import DEPENDENT
from tests.support.scheduled_checks import (
    CONFIG,
    DRIFT_ACCOUNT,
    HEAD,
    ScheduledChecks,
    open_checks,
    serving_types,
)
from tests.support.schemas import check_schema

pytestmark = pytest.mark.usefixtures("terraform_argv")

BUILTIN = """
terraform {
  backend "gcs" {}
}
resource "terraform_data" "x" {
  input = "one"
}
output "x" {
  value = terraform_data.x.output
}
"""
READER = (
    DEPENDENT
    + """
output "seen" {
  value = data.terraform_remote_state.net.outputs.x
}
"""
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProviderServer, int]]:
    with serving_types(tmp_path_factory.mktemp("worlds")) as server:
        yield server


@pytest.fixture
def scheduled(
    request: pytest.FixtureRequest,
    provider: tuple[ProviderServer, int],
    make_steady_repo: MakeRepo,
    tmp_path: Path,
    worlds: Path,
) -> Iterator[ScheduledChecks]:
    repo = make_steady_repo({"infra.yaml": CONFIG, MAIN: HEAD + topic(), ".gitignore": ".infra\n"})
    is_applied = request.node.get_closest_marker("applied") is not None
    applied = worlds / "scheduled-checks" if is_applied else None
    with open_checks(repo, tmp_path / "gcs", *provider, request.node.name, applied=applied) as checks:
        yield checks


def test_a_check_writes_nowhere_but_into_its_own_memory(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + NETWORK})
    scheduled.apply()
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.delete("main")
    scheduled.repo.commit({MAIN: HEAD + topic("1200s")})
    before, world = scheduled.contents(), scheduled.world_files()
    scheduled.check(code=8)
    after = scheduled.contents()
    assert scheduled.world_files() == world
    assert {name: data for name, data in after.items() if name in before} == before
    assert after.keys() - before.keys() == {
        "dev/drift/heartbeat.json",
        "dev/drift/stacks/app.json",
        next(name for name in after if name.startswith("dev/drift/runs/")),
    }
    assert scheduled.repo.status == ""


@pytest.mark.applied
def test_a_run_that_may_not_remember_reports_all_the_same(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.grant("dev", "drift/", "objectViewer")
    document = scheduled.check(code=8)
    assert document["stacks"][0]["result"] == "drifted"
    assert any("could not be remembered" in note for note in document["notes"])
    assert scheduled.objects("dev/drift") == {}


@pytest.mark.applied
def test_a_run_that_may_not_even_read_its_memory_reports_all_the_same(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.grant("dev", "drift/", "objectViewer", "serviceAccount:other@p.iam.gserviceaccount.com")
    document = scheduled.check(code=8)
    assert document["stacks"][0]["result"] == "drifted"
    assert any("could not be read" in note for note in document["notes"])


def test_what_cannot_be_checked_is_neither_clean_nor_drifted(scheduled: ScheduledChecks) -> None:
    other = {f"infra/envs/dev/{name}/main.tf": BUILTIN for name in ("new", "busy", "cut", "lost", "ended")}
    scheduled.repo.commit(other)
    scheduled.apply("dev/busy", "dev/cut", "dev/lost", "dev/ended", "dev/app")
    scheduled.infra("destroy", "dev/ended", "--auto-approve", "--allow-destroy", "--confirm", "dev", code=0)
    env = {"STORAGE_EMULATOR_HOST": scheduled.server.url, "INFRA_SANDBOX": "test"}
    project = load(scheduled.repo.root)
    ledgers = Ledgers(project, States(project, env), env)
    for name in ("busy", "cut"):
        stack = project.stacks[f"dev/{name}"]
        ledger = ledgers.of(stack)
        entry = ledger.entry(stack.id)
        operation = Operation("R-1", "apply", "planned", "bo", "elsewhere", project.commit or "")
        begun = ledger.begin(stack.id, operation, entry)
        if name == "cut":
            applying = ledger.mark(
                begun, replace(operation, phase="applying", started="2026-01-01T00:00:00Z")
            )
            ledger.finish(replace(applying, result="interrupted"))
    scheduled.server.store.delete_object("states", "dev/state/lost/default.tfstate")
    scheduled.world.set("plain", DURATION, "900s")
    document = scheduled.check(code=1)
    stacks = {stack["id"]: stack for stack in document["stacks"]}
    assert {id_: stack_document["result"] for id_, stack_document in stacks.items()} == {
        "dev/app": "drifted",
        **dict.fromkeys((f"dev/{name}" for name in ("new", "busy", "cut")), "unchecked"),
        "dev/lost": "blocked",
        "dev/ended": "destroyed",
    }
    assert "never applied by infra" in stacks["dev/new"]["reason"]
    assert "is running" in stacks["dev/busy"]["reason"]
    assert "interrupted" in stacks["dev/cut"]["reason"]
    assert "infra resume dev/cut" in stacks["dev/cut"]["advice"]
    assert stacks["dev/lost"]["reason"].endswith("its object was deleted.")
    assert stacks["dev/ended"]["reason"] == "it was destroyed"
    assert {id_ for id_, stack_document in stacks.items() if stack_document["failed"]} == {
        "dev/cut",
        "dev/lost",
    }
    assert {error["stack"] for error in document["errors"]} == {"dev/cut", "dev/lost"}
    # Without what is broken, drift decides; what was never applied is no alarm.
    scheduled.check("dev/app", "dev/new", "dev/busy", code=8)
    scheduled.check("dev/new", code=0)


@pytest.mark.applied
def test_a_state_restored_to_an_older_version_is_reported(scheduled: ScheduledChecks, tmp_path: Path) -> None:
    old = scheduled.contents("dev/state/app")["dev/state/app/default.tfstate"]
    scheduled.repo.commit({MAIN: HEAD + topic("900s") + topic(name="more")})
    scheduled.apply()
    new = scheduled.contents("dev/state/app")["dev/state/app/default.tfstate"]
    scheduled.server.store.insert_object("states", "dev/state/app/default.tfstate", old)
    (stack,) = scheduled.check(code=4)["stacks"]
    assert (stack["result"], "is older than what was recorded" in stack["reason"]) == ("blocked", True)
    # The same by `infra state restore` is on purpose: what it lacks is owed.
    scheduled.server.store.insert_object("states", "dev/state/app/default.tfstate", new)
    older = str(json.loads(old)["serial"])
    yes = ("--auto-approve", "--confirm", "dev")
    scheduled.infra("state", "restore", "dev/app", older, *yes, code=0, XDG_STATE_HOME=str(tmp_path))
    (stack,) = scheduled.check()["stacks"]
    assert (stack["partial"], stack["notes"][0].partition(":")[0]) == (
        *(True, "Its state was put back to an older version"),
    )
    loud = {
        resource["address"]: resource["drift_class"] for resource in stack["resources"] if resource["drift"]
    }
    assert loud == {PLAIN: "codified"}


def test_an_upstream_that_moved_is_named_and_is_no_drift(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({"infra/envs/dev/net/main.tf": BUILTIN, "infra/envs/dev/follower/main.tf": READER})
    scheduled.apply()
    scheduled.repo.commit({"infra/envs/dev/net/main.tf": BUILTIN.replace("one", "two")})
    scheduled.apply("dev/net")
    (stack,) = scheduled.check("dev/follower", code=0)["stacks"]
    (resource,) = stack["resources"]
    assert (stack["result"], resource["drift_class"], resource["upstreams"]) == (
        "clean",
        "unapplied",
        ["dev/net"],
    )
    assert "outputs of dev/net have changed since" in stack["pending"]
    assert "since the outputs of dev/net moved" in scheduled.print_checks("dev/follower", code=0).out


def test_outputs_alone_are_no_drift(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit(
        {
            "infra/envs/dev/net/main.tf": BUILTIN,
            "infra/envs/dev/follower/main.tf": READER.replace("input = data", "input = 1 # data"),
        }
    )
    scheduled.apply()
    scheduled.repo.commit({"infra/envs/dev/net/main.tf": BUILTIN.replace("one", "two")})
    scheduled.apply("dev/net")
    (stack,) = scheduled.check("dev/follower", code=0)["stacks"]
    assert (stack["result"], stack["resources"], stack["outputs"]) == ("clean", [], ["seen"])


RULES = """
drift:
  ignore:
    - {address: "google_pubsub_topic.pl*", attribute: message_retention_duration,
       reason: "Tried out by hand.", until: 2999-12-31, value: "^9"}
    - {address: "*", attribute: labels, reason: "Nobody sets any.", until: 2999-12-31}
    - {address: "*", attribute: "*", reason: "A freeze that is over.", until: 2020-01-01}
  volatile: ["google_compute_network.routing_mode"]
"""


def test_rules_cover_what_is_known_and_are_reported_when_they_are_of_no_use(
    scheduled: ScheduledChecks,
) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + NETWORK, "infra.yaml": CONFIG + RULES})
    scheduled.apply()
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.set("main", "routing_mode", "GLOBAL")
    document = scheduled.check(code=0)
    (stack,) = document["stacks"]
    assert (stack["result"], stack["counts"]["suppressed"], stack["counts"]["noise"]) == ("clean", 1, 1)
    findings = [(rule["finding"], rule["reason"]) for rule in document["rules"]]
    assert findings == [("unused", "Nobody sets any."), ("expired", "A freeze that is over.")]
    out = scheduled.print_checks("--show-ignored", code=0).out
    assert "covered: Tried out by hand." in out
    assert "expired on 2020-01-01" in out
    # The rule is for this value alone.
    scheduled.world.set("plain", DURATION, "1200s")
    assert scheduled.check(code=8)["stacks"][0]["counts"]["reverted"] == 1


@pytest.mark.applied
def test_what_is_remembered_and_what_ended_it(scheduled: ScheduledChecks) -> None:
    assert scheduled.check(code=0)["stacks"][0]["first_seen"] is None

    def drift(value: str = "900s") -> None:
        scheduled.world.set("plain", DURATION, value)
        drifted, again = (scheduled.check(code=8)["stacks"][0] for _ in range(2))
        assert (again["first_seen"], again["digest"]) == (drifted["first_seen"], drifted["digest"])

    def ended() -> str:
        how: str = scheduled.check(code=0)["stacks"][0]["ending"]
        assert scheduled.check(code=0)["stacks"][0]["ending"] is None, "told once"
        return how

    drift()
    scheduled.world.set("plain", DURATION, "600s")
    assert ended() == "fixed outside"
    drift()
    scheduled.apply("dev/app")
    assert ended() == "reverted by an apply"
    drift()
    # The code follows what was done by hand; the state has to take it in still.
    scheduled.repo.commit({MAIN: HEAD + topic("900s")})
    scheduled.apply("dev/app")
    assert scheduled.check(code=8)["stacks"][0]["counts"]["codified"] == 1
    scheduled.apply("dev/app", "--refresh-only")
    assert ended() == "accepted"
    drift("1200s")
    scheduled.repo.commit({MAIN: HEAD + topic("1800s")})
    scheduled.apply("dev/app")
    assert ended() == "code changed"
    episodes = scheduled.infra("drift", "history", "--json", code=0).document["stacks"][0]["episodes"]
    assert [episode["came_back"] for episode in episodes] == [3, 2, 1, 0]


@pytest.mark.applied
def test_the_history_has_figures_and_the_last_check_can_be_requested(scheduled: ScheduledChecks) -> None:
    for value in ("900s", "600s", "1200s"):
        scheduled.world.set("plain", DURATION, value)
        scheduled.check()
    document = scheduled.infra("drift", "history", "--json", code=0).document
    check_schema(document, "drift-history")
    figures = document["figures"]
    assert (figures["drifted"], figures["episodes"], figures["endings"]) == (1, 2, {"fixed outside": 1})
    assert figures["offenders"] == [["dev/app", PLAIN, 2]]
    out = scheduled.infra("drift", "history", "dev/app", code=0).out
    assert f"2 times: dev/app {PLAIN}" in out
    assert "it lasts" in out
    last = scheduled.infra("drift", "--last", "--json", code=0).document
    check_schema(last, "drift-last")
    assert (last["stacks"][0]["result"], last["heartbeats"]["dev"]["drifted"]) == ("drifted", 1)
    assert last["heartbeats"]["dev"]["complete"] == last["stacks"][0]["checked_at"]
    assert "every stack was checked since" in scheduled.infra("drift", "--last", code=0).out


def test_doctor_reports_when_all_was_last_checked(scheduled: ScheduledChecks) -> None:
    def doctor_check() -> dict[str, str]:
        checks = scheduled.infra("doctor", "--json").document["checks"]
        (check,) = [check for check in checks if check["name"] == "drift"]
        return {name: check[name] for name in ("status", "message")}

    scheduled.apply()
    assert doctor_check() == {"status": "ok", "message": "dev: never checked for drift"}
    scheduled.check(code=0)
    assert doctor_check()["message"].startswith("dev: every stack was checked since 20")
    for name, data in scheduled.contents("dev/drift/").items():
        old = re.sub(rb'("(?:at|complete|checked_at)": ?")20[^"]+', rb"\g<1>2020-01-01T00:00:00Z", data)
        scheduled.server.store.insert_object("states", name, old)
    assert doctor_check()["status"] == "warning"
    assert "The last complete check of dev for drift is" in doctor_check()["message"]


def test_a_stack_that_trunk_no_longer_has_is_not_silently_unwatched(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({"infra/envs/dev/net/main.tf": BUILTIN})
    scheduled.apply()
    scheduled.repo.git("rm", "-q", "-r", "infra/envs/dev/net")
    scheduled.repo.git("commit", "-q", "-m", "Without the network")
    (note,) = scheduled.check(code=0)["notes"]
    assert note.startswith("dev/net: trunk no longer has it, and nobody destroyed what it made")
    scheduled.repo.git("revert", "--no-edit", "-n", "HEAD")
    scheduled.repo.git("commit", "-q", "-m", "With it again")
    scheduled.infra("destroy", "dev/net", "--auto-approve", "--allow-destroy", "--confirm", "dev", code=0)
    scheduled.repo.git("rm", "-q", "-r", "infra/envs/dev/net")
    scheduled.repo.git("commit", "-q", "-m", "Destroyed and gone")
    assert scheduled.check(code=0)["notes"] == []


@pytest.mark.parametrize(("times", "result"), [(1, "drifted"), (9, "unchecked")])
@pytest.mark.applied
def test_a_state_that_moves_under_the_plan_is_looked_at_again(
    scheduled: ScheduledChecks, times: int, result: str
) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    name = "dev/state/app/default.tfstate"
    data = scheduled.contents(name)[name]
    planned = []

    class Moves(SilentProgress):
        """While the first plans are made, somebody writes the state."""

        def doing(self, stack: str, text: str) -> None:
            if text == "planning":
                planned.append(stack)
                if len(planned) <= times:
                    scheduled.server.store.insert_object("states", name, data)

    env = {
        "STORAGE_EMULATOR_HOST": scheduled.server.url_of(DRIFT_ACCOUNT),
        "TF_REATTACH_PROVIDERS": scheduled.attached,
        "INFRA_SANDBOX": "test",
    }
    session = open_session(load(scheduled.repo.root), env, Moves())
    (stack_drift,) = check_drift(session, DriftRequest(("dev/app",))).stacks
    session.close()
    assert (stack_drift.result, stack_drift.failed) == (result, result == "unchecked")
    assert len(planned) == min(times + 1, 3)
    assert ("moved during each of 3 plans" in stack_drift.reason) == stack_drift.failed


def test_a_pull_request_reports_which_part_of_its_diff_is_drift(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + topic(name="gone")})
    scheduled.apply()
    scheduled.repo.git("checkout", "-q", "-b", "change")
    scheduled.repo.commit({MAIN: HEAD + topic("1200s") + topic("1200s", name="gone")})
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.delete("gone")
    out = scheduled.infra("ci", "plan", "--dry-run", code=0).out
    assert f"`{DURATION}`: `600s` → `900s` (this plan changes it)" in out
    assert "`google_pubsub_topic.gone` was deleted; this plan makes it again" in out


def test_the_longest_unchecked_come_first_and_a_budget_ends_the_scheduled_check(
    scheduled: ScheduledChecks,
) -> None:
    ids = [f"dev/s{number}" for number in range(4)]
    scheduled.repo.commit({f"infra/envs/{id_}/main.tf": BUILTIN for id_ in ids})
    scheduled.apply(*ids)
    env = {"STORAGE_EMULATOR_HOST": scheduled.server.url, "INFRA_SANDBOX": "test"}
    today = datetime.now(UTC)

    def check_once(
        days: int, *stack_ids: str, budget: float | None = None
    ) -> tuple[dict[str, str], list[str]]:
        session = open_session(load(scheduled.repo.root), env, SilentProgress(), workers=1)
        request = DriftRequest(stack_ids or tuple(ids), budget)
        report = check_drift(session, request, now=today + timedelta(days=days))
        session.close()
        return {stack.id: stack.result for stack in report.stacks}, list(report.stale)

    assert check_once(0, "dev/s1", "dev/s3") == ({"dev/s1": "clean", "dev/s3": "clean"}, [])
    # Time for one stack: of those that never were checked, the first.
    results, stale = check_once(2, budget=0.001)
    assert results == {"dev/s0": "clean", **dict.fromkeys(("dev/s1", "dev/s2", "dev/s3"), "skipped")}
    assert stale == []
    results, stale = check_once(4, budget=0.001)
    assert (results["dev/s2"], results["dev/s1"]) == ("clean", "skipped")
    assert stale == ["dev/s1", "dev/s3"], "nobody has looked at these for three days"
    assert scheduled.check("--shard", "2/2", "dev/s*")["stacks"][0]["id"] == "dev/s1"


@pytest.mark.applied
def test_a_provider_over_its_rate_limit_is_retried_and_then_abandoned(
    scheduled: ScheduledChecks,
) -> None:
    env = {
        "STORAGE_EMULATOR_HOST": scheduled.server.url_of(DRIFT_ACCOUNT),
        "TF_REATTACH_PROVIDERS": scheduled.attached,
        "INFRA_SANDBOX": "test",
    }

    def once(times: int) -> tuple[str, str, int]:
        scheduled.world.break_("google_pubsub_topic", "read", "googleapi: Error 429: Quota exceeded", times)
        session = open_session(load(scheduled.repo.root), env, SilentProgress())
        report = check_drift(session, DriftRequest(("dev/app",), pauses=(0.05, 0.1)))
        session.close()
        scheduled.world.mend()
        (stack,) = report.stacks
        return stack.result, stack.reason, report.exit_code

    assert once(2) == ("clean", "", 0)
    result, reason, code = once(9)
    assert (result, code) == ("unchecked", 1)
    assert "asked too much" in reason


def test_one_terraform_process_a_check_and_a_second_only_when_something_changed(
    scheduled: ScheduledChecks,
) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + NETWORK})
    scheduled.apply()

    def commands() -> list[str]:
        ran = scheduled.infra("--debug", "drift")
        lines = [line for line in ran.err.splitlines() if line.startswith("+ ")]
        return [line.split()[2] for line in lines if "version" not in line]

    assert commands() == ["plan"]
    scheduled.world.set("plain", DURATION, "900s")
    assert commands() == ["plan", "show"]
    # The schema is one process more, the first time that the question comes up; then it is known.
    scheduled.world.set("main", "gateway_ipv4", "10.0.0.1")
    assert commands() == ["plan", "show", "providers"]
    assert commands() == ["plan", "show"]


def test_every_form_of_the_report(scheduled: ScheduledChecks, tmp_path: Path) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + SCHEDULE, "infra/envs/dev/new/main.tf": BUILTIN})
    scheduled.apply("dev/app")
    scheduled.world.set("plain", DURATION, "900s")
    summary = tmp_path / "summary.md"
    report_options = ("--junit", str(tmp_path / "j/drift.xml"), "--markdown", str(tmp_path / "drift.md"))
    document = scheduled.check(
        *report_options, "--report", str(tmp_path / "report"), code=8, GITHUB_STEP_SUMMARY=str(summary)
    )
    root = ET.fromstring((tmp_path / "j/drift.xml").read_text())  # noqa: S314 - our own
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    assert [suite.get("skipped") for suite in root.iter("testsuite")] == ["1"]
    text = (tmp_path / "drift.md").read_text()
    assert summary.read_text() == text
    assert "## Drift: 2 stacks: 1 drifted, 1 could not be checked" in text
    assert 'message_retention_duration: "600s" → "900s"' in text
    (report,) = read_reports([tmp_path / "report"])
    with_former_keys = add_deprecated_keys("drift", report.document())
    assert json.loads(json.dumps(with_former_keys)) == {name: document[name] for name in with_former_keys}
    written = json.loads(json.dumps(with_former_keys))
    check_schema({"version": 1, "command": "drift", **written, "exit_code": 8}, "drift")


def test_an_environment_out_of_reach_does_not_hide_another(scheduled: ScheduledChecks) -> None:
    prod = "infra/envs/prod/net/main.tf"
    scheduled.repo.commit({prod: BUILTIN})
    scheduled.apply()
    scheduled.world.set("plain", DURATION, "900s")
    for name in ("state/", "ledger/", "drift/"):
        scheduled.grant("prod", name, "objectViewer", "serviceAccount:other@p.iam.gserviceaccount.com")
    document = scheduled.check(code=1)
    stacks = {stack["id"]: stack for stack in document["stacks"]}
    assert (stacks["dev/app"]["result"], stacks["prod/net"]["result"]) == ("drifted", "unchecked")
    assert stacks["prod/net"]["failed"]
    assert "403" in stacks["prod/net"]["reason"] or "permission" in stacks["prod/net"]["reason"].lower()
    scheduled.check("dev", code=8)


@pytest.mark.applied
def test_an_apply_that_goes_on_is_not_taken_for_drift(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.lock("dev/app", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    (stack,) = scheduled.check(code=0)["stacks"]
    assert (stack["result"], stack["failed"]) == ("unchecked", False)
    assert "bo@elsewhere holds its state" in stack["reason"]
    scheduled.server.store.delete_object("states", "dev/state/app/default.tflock")

    env = {
        "STORAGE_EMULATOR_HOST": scheduled.server.url,
        "TF_REATTACH_PROVIDERS": scheduled.attached,
        "INFRA_SANDBOX": "test",
    }
    project = load(scheduled.repo.root)
    ledger = Ledgers(project, States(project, env), env).of(project.stacks["dev/app"])

    class Begins(SilentProgress):
        """Another run begins while this one plans."""

        def doing(self, stack: str, text: str) -> None:
            entry = ledger.entry(stack)
            if text == "planning" and entry and entry.operation is None:
                began = Operation("R-9", "apply", "planned", "bo", "elsewhere", project.commit or "")
                ledger.begin(stack, began, entry)

    session = open_session(project, env, Begins())
    (stack_drift,) = check_drift(session, DriftRequest(("dev/app",))).stacks
    session.close()
    assert (stack_drift.result, stack_drift.failed) == ("unchecked", False)
    assert stack_drift.reason == "apply R-9 began while it was checked"
