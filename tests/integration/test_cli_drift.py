"""`infra drift`, with real Terraform on a simulated provider: each row of what can be seen of drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from orchestrator.sandbox.provider.server import ProviderServer
from tests.conftest import MakeRepo
from tests.support.pubsub import serving_subscription
from tests.support.scheduled_checks import CONFIG, HEAD, ScheduledChecks, open_checks, serving_types

pytestmark = pytest.mark.usefixtures("terraform_argv")

TOPIC = """
resource "google_pubsub_topic" "{name}" {{
  name                       = "{name}"
  message_retention_duration = "{duration}"
}}
"""
IGNORING = """
resource "google_pubsub_topic" "ignoring" {
  name                       = "ignoring"
  message_retention_duration = "600s"
  lifecycle {
    ignore_changes = [message_retention_duration]
  }
}
"""
NETWORK = """
resource "google_compute_network" "main" {
  name                    = "main"
  auto_create_subnetworks = false
}
"""
SCHEDULE = """
resource "google_colab_schedule" "nightly" {
  display_name             = "nightly"
  location                 = "europe-west1"
  cron                     = "0 3 * * *"
  max_concurrent_run_count = 1
}
"""
MAIN = "infra/envs/dev/app/main.tf"
DURATION = "message_retention_duration"
PLAIN = "google_pubsub_topic.plain"


def topic(duration: str = "600s", name: str = "plain") -> str:
    return TOPIC.format(name=name, duration=duration)


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
    """One stack, `dev/app`, with one topic; nothing is applied yet."""
    repo = make_steady_repo({"infra.yaml": CONFIG, MAIN: HEAD + topic(), ".gitignore": ".infra\n"})
    is_applied = request.node.get_closest_marker("applied") is not None
    applied = worlds / "drift" if is_applied else None
    with open_checks(
        repo, tmp_path / "gcs", *provider, request.node.name.replace("/", "-"), applied=applied
    ) as checks:
        yield checks


AHEAD = """
moved {
  from = google_compute_network.main
  to   = google_compute_network.new
}
output "id" {
  value = google_pubsub_topic.plain.id
}
"""


@pytest.mark.parametrize("binary", ["terraform", "embedded"])
def test_each_row_of_the_table_has_its_class(
    binary: str, scheduled: ScheduledChecks, request: pytest.FixtureRequest
) -> None:
    """With the Terraform on PATH, and with the one inside."""
    if binary == "embedded":
        request.getfixturevalue("embedded_argv")
        scheduled.repo.commit({"infra.yaml": CONFIG + "terraform: {binary: embedded}\n"})
    rest = topic(name="gone") + IGNORING + NETWORK + SCHEDULE
    scheduled.repo.commit({MAIN: HEAD + topic() + topic(name="late") + rest})
    scheduled.apply()
    scheduled.check(code=0)
    # Changed by hand, recorded by a later check; the state knows nothing of it.
    scheduled.world.set("late", DURATION, "900s")
    applied = scheduled.repo.commit({MAIN: HEAD + topic() + topic("900s", name="late") + rest})
    scheduled.apply()
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.set("main", "routing_mode", "GLOBAL")
    scheduled.world.set("ignoring", DURATION, "900s")
    scheduled.world.set("ignoring", "effective_labels.hand", "made")
    scheduled.world.delete("gone")
    # What trunk has and nobody applied: an edit, a move, an output.
    ahead = topic("1500s") + topic("900s", name="late") + rest.replace('"main" {', '"new" {') + AHEAD
    scheduled.repo.commit({MAIN: HEAD + ahead})
    (stack,) = scheduled.check(code=8)["stacks"]
    assert (stack["commit"], stack["outputs"]) == (applied, [])
    assert "its code has changed since" in stack["pending"]
    assert scheduled.classes(code=8) == {
        "google_colab_schedule.nightly": {"kind": "changed", "next_run_time": "noise"},
        "google_compute_network.main": {"kind": "changed", "routing_mode": "unmanaged"},
        "google_pubsub_topic.gone": {"kind": "deleted"},
        "google_pubsub_topic.ignoring": {
            "kind": "changed",
            "effective_labels.hand": "unmanaged",
            DURATION: "ignored",
        },
        "google_pubsub_topic.late": {"kind": "changed", DURATION: "codified"},
        PLAIN: {"kind": "changed", DURATION: "reverted"},
    }


def test_what_nobody_need_look_at_is_counted_and_shown_when_requested(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + topic(name="gone") + IGNORING + SCHEDULE})
    scheduled.apply()
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.set("ignoring", DURATION, "900s")
    scheduled.world.set("ignoring", "effective_labels.hand", "made")
    scheduled.world.delete("gone")
    out = scheduled.print_checks(code=8).out
    assert 'message_retention_duration: "600s" → "900s"' in out
    assert "google_pubsub_topic.gone  deleted outside; the next apply makes it again" in out
    assert 'effective_labels.hand: null → "made"' in out
    assert "next_run_time" not in out
    assert "Not shown: 1 in noise, 1 under ignore_changes (--show-ignored)." in out
    assert "next_run_time" in scheduled.print_checks("--show-ignored", code=8).out


def test_noise_alone_is_clean(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({MAIN: HEAD + SCHEDULE + IGNORING})
    scheduled.apply()
    scheduled.world.set("ignoring", DURATION, "900s")
    (stack,) = scheduled.check(code=0)["stacks"]
    assert stack["result"] == "clean"
    assert (stack["counts"]["noise"], stack["counts"]["ignored"]) == (1, 1)
    assert stack["digest"] == ""


def test_a_stack_is_compared_with_what_was_applied_not_with_trunk(scheduled: ScheduledChecks) -> None:
    applied = scheduled.repo.head
    scheduled.apply()
    scheduled.repo.commit({MAIN: HEAD + topic("1200s") + topic(name="more")})
    (stack,) = scheduled.check(code=0)["stacks"]
    assert (stack["result"], stack["commit"]) == ("clean", applied)
    assert "its code has changed since" in stack["pending"]
    scheduled.world.set("plain", DURATION, "1200s")
    (stack,) = scheduled.check(code=8)["stacks"]
    (resource,) = stack["resources"]
    (attribute,) = resource["attributes"]
    assert (attribute["drift_class"], attribute["planned"]) == ("reverted", "600s")


@pytest.mark.applied
def test_after_a_failed_run_the_commit_it_tried_is_compared_with(scheduled: ScheduledChecks) -> None:
    tried = scheduled.repo.commit({MAIN: HEAD + topic("900s") + topic("900s", name="fails")})
    scheduled.world.break_("google_pubsub_topic/*/fails", "create", "it is forbidden")
    scheduled.world.break_("google_pubsub_topic/*plain", "update", "it is forbidden")
    scheduled.apply(code=1)
    scheduled.world.mend()
    document = scheduled.check()
    (stack,) = document["stacks"]
    # What the failed run did not come to is owed; it is no drift, and the check is not blind.
    assert (stack["commit"], stack["partial"], stack["result"]) == (tried, True, "clean")
    assert {resource["drift_class"] for resource in stack["resources"]} == {"unapplied"}
    assert "its last run failed" in stack["pending"]
    scheduled.world.set("plain", DURATION, "900s")
    assert scheduled.classes(code=8)[PLAIN] == {"kind": "changed", DURATION: "codified"}
    scheduled.world.set("plain", DURATION, "1500s")
    assert scheduled.classes(code=8)[PLAIN] == {"kind": "changed", DURATION: "conflict"}


@pytest.mark.applied
def test_drift_that_a_refresh_took_into_the_state_is_pending(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.apply("dev/app", "--refresh-only")
    (stack,) = scheduled.check(code=8)["stacks"]
    (resource,) = stack["resources"]
    assert (resource["difference"], resource["drift_class"], resource["actions"]) == (
        "unapplied",
        "unapplied",
        ["update"],
    )
    assert resource["attributes"][0]["path"] == DURATION
    assert (stack["severity"], stack["notes"]) == ("medium", [])


@pytest.mark.applied
def test_what_trunk_leaves_pending_is_no_drift(scheduled: ScheduledChecks) -> None:
    moved = "moved {\n  from = google_pubsub_topic.plain\n  to   = google_pubsub_topic.new\n}\n"
    code = (HEAD + topic()).replace('"google_pubsub_topic" "plain"', '"google_pubsub_topic" "new"')
    scheduled.repo.commit({MAIN: code + moved + 'output "x" {\n  value = 1\n}\n'})
    (stack,) = scheduled.check(code=0)["stacks"]
    assert (stack["resources"], stack["outputs"]) == ([], [])
    assert stack["pending"]
    removed = "removed {\n  from = google_pubsub_topic.plain\n  lifecycle {\n    destroy = false\n  }\n}\n"
    scheduled.repo.commit({MAIN: HEAD + removed})
    assert scheduled.check(code=0)["stacks"][0]["resources"] == []


def test_a_secret_that_changed_is_reported_and_not_shown(scheduled: ScheduledChecks) -> None:
    secret = """
    resource "google_secret_manager_secret_version" "s" {
      secret      = "projects/p/secrets/s"
      secret_data = "before-2f7c9a"
    }
    """
    scheduled.repo.commit({MAIN: HEAD + secret})
    scheduled.apply()
    (item,) = scheduled.world.list("google_secret_manager_secret_version")
    scheduled.world.set(f"google_secret_manager_secret_version/{item.id}", "secret_data", "after-81d3e5")
    document = scheduled.check(code=8)
    (resource,) = document["stacks"][0]["resources"]
    (attribute,) = resource["attributes"]
    assert (attribute["path"], attribute["sensitive"]) == ("secret_data", True)
    out = scheduled.print_checks(code=8).out + json.dumps(document)
    records = b"".join(scheduled.contents("dev/drift").values())
    assert b"secret_data" in records
    for value in ("2f7c9a", "81d3e5"):
        assert value not in out
        assert value.encode() not in records


def test_everything_deleted_outside(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + topic(name="other")})
    scheduled.apply()
    for name in ("plain", "other"):
        scheduled.world.delete(name)
    (stack,) = scheduled.check(code=8)["stacks"]
    assert {resource["difference"] for resource in stack["resources"]} == {"deleted"}
    assert (stack["severity"], len(stack["resources"])) == ("high", 2)


def test_what_a_targeted_apply_brought_is_no_drift(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + topic(name="other")})
    scheduled.apply()
    scheduled.repo.commit({MAIN: HEAD + topic("900s") + topic("900s", name="other")})
    scheduled.apply("dev/app", "--target", PLAIN)
    (stack,) = scheduled.check(code=0)["stacks"]
    assert (stack["result"], stack["partial"]) == ("clean", True)
    assert "Only a part of" in stack["notes"][0]
    scheduled.world.set("other", DURATION, "1200s")
    assert scheduled.check(code=8)["stacks"][0]["counts"]["reverted"] == 1


REMOVED = """
removed {
  from = google_pubsub_topic.old
  lifecycle {
    destroy = false
  }
}
"""
IMPORT = """
import {
  to = google_pubsub_topic.old
  id = "projects/example-dev/topics/old"
}
"""


def test_what_was_removed_or_imported_is_no_drift_while_the_code_has_the_block(
    scheduled: ScheduledChecks,
) -> None:
    scheduled.repo.commit({MAIN: HEAD + topic() + topic(name="old")})
    scheduled.apply()
    scheduled.repo.commit({MAIN: HEAD + topic() + REMOVED})
    scheduled.apply()
    scheduled.world.set("old", DURATION, "900s")
    assert scheduled.check(code=0)["stacks"][0]["resources"] == [], "it is nobody's any more"
    scheduled.repo.commit({MAIN: HEAD + topic() + topic("900s", name="old") + IMPORT})
    scheduled.apply()
    (stack,) = scheduled.check(code=0)["stacks"]
    assert (stack["result"], stack["resources"]) == ("clean", [])
    scheduled.world.delete("old")
    assert scheduled.classes(code=8) == {"google_pubsub_topic.old": {"kind": "deleted"}}


@pytest.mark.applied
def test_changes_of_an_audit_log_state_who_made_the_drift(scheduled: ScheduledChecks, tmp_path: Path) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    entries = Path(__file__).parents[1] / "data" / "cloud_changes" / "audit-log.json"
    document = scheduled.check("--changes", str(entries), code=8)
    (resource,) = document["stacks"][0]["resources"]
    assert (resource["who"], resource["when"]) == ("dana@example.com", "2030-11-20T09:41:07Z")
    assert "1 change in the cloud: resources of 1 stack." in document["notes"]
    (tmp_path / "text").write_text("no entry\n")
    refused = scheduled.print_checks("--changes", str(tmp_path / "text"), code=3)
    assert "has no entry of an audit log or of an asset feed" in refused.err


@pytest.mark.applied
def test_a_subscription_states_what_changed_and_gets_its_messages_back(scheduled: ScheduledChecks) -> None:
    entries = Path(__file__).parents[1] / "data" / "cloud_changes" / "audit-log.json"
    scheduled.repo.commit(
        {"infra.yaml": CONFIG + "drift: {changes_from: projects/p/subscriptions/changes}\n"}
    )
    scheduled.world.set("plain", DURATION, "900s")
    with serving_subscription() as server:
        for number, entry in enumerate(json.loads(entries.read_text())):
            server.publish(str(number), entry)
        document = scheduled.check(code=8, PUBSUB_EMULATOR_HOST=server.address)
        (resource,) = document["stacks"][0]["resources"]
        assert resource["who"] == "dana@example.com"
        assert sorted(server.acknowledged) == ["0", "1"]
    # Without an answer the check goes on.
    document = scheduled.check(code=8, PUBSUB_EMULATOR_HOST=server.address)
    assert any("Changes in the cloud are not known" in note for note in document["notes"])
