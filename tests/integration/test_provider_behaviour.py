"""What a simulated provider does as a real one would: changes, refusals, imports, secrets, aliases."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import SandboxError
from orchestrator.sandbox.provider.server import ProviderServer
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from tests.support.simulated import HEAD, SimulatedRoot, actions, attached

TYPES = (
    *("google_pubsub_topic", "google_service_account", "google_compute_network", "google_compute_firewall"),
    *("google_cloud_run_v2_service", "google_project_iam_member", "google_secret_manager_secret"),
    *("google_secret_manager_secret_version", "google_sql_user", "google_storage_bucket"),
    *("google_cloud_run_v2_service_iam_member", "google_compute_subnetwork", "google_kms_key_ring"),
)
DATA = ("google_pubsub_topic", "google_client_config", "google_compute_network", "google_project")

TOPIC = 'resource "google_pubsub_topic" "t" {\n  name = "events"\n}\n'
SERVICE = """
resource "google_cloud_run_v2_service" "s" {
  name                = "api"
  location            = "europe-west1"
  deletion_protection = %s

  template {
    containers {
      name  = "main"
      image = "%s"
    }
%s
  }
}
"""
SIDECAR = """
    containers {
      name  = "side"
      image = "side:1"
      resources {
        limits = { cpu = "1" }
      }
    }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProviderServer, int]]:
    server = ProviderServer(tmp_path_factory.mktemp("worlds"), RecordedSchemas())
    server.start()
    server.serve_types("hashicorp/google", TYPES, DATA)
    sentinel = Sentinel()
    yield server, sentinel.pid
    server.close()
    sentinel.close()


@pytest.fixture
def make_stack(
    request: pytest.FixtureRequest,
    server: tuple[ProviderServer, int],
    tmp_path: Path,
    terraform_argv: tuple[str, ...],
) -> Callable[[str], SimulatedRoot]:
    """Stacks of this test, in one world."""

    def make(name: str) -> SimulatedRoot:
        return attached(server[0], request.node.name, tmp_path / name, terraform_argv, server[1])

    return make


@pytest.fixture
def stack(make_stack: Callable[[str], SimulatedRoot]) -> SimulatedRoot:
    return make_stack("stack")


def test_nested_block_changes_in_place(stack: SimulatedRoot) -> None:
    stack.write(SERVICE % ("false", "api:1", SIDECAR))
    stack.apply()
    before = stack.values()["google_cloud_run_v2_service.s"]
    stack.write(SERVICE % ("false", "api:2", SIDECAR))
    _, document = stack.plan()
    (change,) = document["resource_changes"]
    old, new = change["change"]["before"], change["change"]["after"]
    assert change["change"]["actions"] == ["update"]
    assert [name for name in old if old[name] != new.get(name)] == ["template"]
    old["template"][0]["containers"][0]["image"] = "api:2"
    assert old["template"] == new["template"], "nothing but the image may differ"
    stack.run("apply", "p")
    after = stack.values()["google_cloud_run_v2_service.s"]
    assert (before["generation"], after["generation"]) == ("1", "2")
    assert after["latest_ready_revision"] != before["latest_ready_revision"]
    assert (after["uid"], after["uri"]) == (before["uid"], before["uri"])
    stack.write(SERVICE % ("false", "api:2", ""))
    assert actions(stack.plan()[1]) == {"google_cloud_run_v2_service.s": ["update"]}
    stack.apply()
    assert stack.plan()[0] == 0


def test_set_of_blocks_changes_in_place(stack: SimulatedRoot) -> None:
    rule = 'resource "google_compute_firewall" "f" {{\n  name = "f"\n  network = "n"\n{}}}\n'
    first = '  allow {\n    protocol = "tcp"\n    ports = ["22"]\n  }\n'
    second = '  allow {\n    protocol = "udp"\n  }\n'
    stack.write(rule.format(first))
    stack.apply()
    stack.write(rule.format(second + first))
    _, document = stack.plan()
    assert actions(document) == {"google_compute_firewall.f": ["update"]}
    assert len(document["resource_changes"][0]["change"]["after"]["allow"]) == 2
    stack.apply()
    assert stack.plan()[0] == 0


def test_replacement(stack: SimulatedRoot) -> None:
    stack.write('resource "google_service_account" "a" {\n  account_id = "first-one"\n}\n')
    stack.apply()
    unique = stack.values()["google_service_account.a"]["unique_id"]
    stack.write('resource "google_service_account" "a" {\n  account_id = "second-one"\n}\n')
    _, document = stack.plan()
    change = document["resource_changes"][0]["change"]
    assert change["actions"] == ["delete", "create"]
    assert change["replace_paths"] == [["account_id"]]
    assert change["after"]["email"] == "second-one@demo-dev.iam.gserviceaccount.com", "known before the apply"
    stack.apply()
    assert [item.id.rsplit("/", 1)[-1] for item in stack.world.list()] == [change["after"]["email"]]
    assert stack.values()["google_service_account.a"]["unique_id"] != unique


def test_another_project_replaces(stack: SimulatedRoot) -> None:
    stack.write(TOPIC)
    stack.apply()
    stack.write(TOPIC, head=HEAD.replace("demo-dev", "demo-prod"))
    change = stack.plan()[1]["resource_changes"][0]["change"]
    assert (change["actions"], change["replace_paths"]) == (["delete", "create"], [["project"]])


def test_names_collide(make_stack: Callable[[str], SimulatedRoot]) -> None:
    first, second = make_stack("one"), make_stack("two")
    first.write(TOPIC)
    second.write(TOPIC)
    first.apply()
    failed = second.apply(code=1)
    expected = "Error creating Topic: googleapi: Error 409: Resource already exists in the project"
    assert expected in " ".join(failed.err.split())
    assert second.values() == {}
    member = (
        'resource "google_project_iam_member" "m" {\n  project = "demo-dev"\n  role = "roles/viewer"\n'
        '  member = "user:ada@example.com"\n}\n'
    )
    first.write(TOPIC + member)
    second.write(member)
    first.apply()
    second.apply()


def test_two_at_once_and_only_one_wins(make_stack: Callable[[str], SimulatedRoot]) -> None:
    stacks = [make_stack(name) for name in ("one", "two", "three")]
    codes: list[int] = []
    for each in stacks:
        each.write(TOPIC)
        each.run("init")

    def apply(each: SimulatedRoot) -> None:
        codes.append(each.apply(code=None).code)

    threads = [threading.Thread(target=apply, args=(each,)) for each in stacks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 1, 1]


def test_gone_when_it_is_to_be_changed(stack: SimulatedRoot) -> None:
    stack.write(TOPIC)
    stack.apply()
    stack.write(TOPIC.replace("\n}", '\n  message_retention_duration = "600s"\n}'))
    stack.run("plan", "-out=p")
    stack.world.delete("events")
    failed = stack.run("apply", "p", code=1)
    assert "Error updating Topic: googleapi: Error 404" in failed.err
    stack.run("destroy", "-auto-approve", "-refresh=false")
    assert stack.values() == {}


@pytest.mark.parametrize(
    ("address", "body", "import_id"),
    [
        ("google_pubsub_topic.t", TOPIC, "projects/demo-dev/topics/events"),
        ("google_pubsub_topic.t", TOPIC, "demo-dev/events"),
        ("google_pubsub_topic.t", TOPIC, "events"),
        (
            "google_service_account.a",
            'resource "google_service_account" "a" {\n  account_id = "robot"\n}\n',
            "projects/demo-dev/serviceAccounts/robot@demo-dev.iam.gserviceaccount.com",
        ),
        (
            "google_project_iam_member.m",
            'resource "google_project_iam_member" "m" {\n  project = "demo-dev"\n  role = "roles/viewer"\n'
            '  member = "user:ada@example.com"\n}\n',
            "demo-dev roles/viewer user:ada@example.com",
        ),
        (
            "google_cloud_run_v2_service_iam_member.m",
            'resource "google_cloud_run_v2_service_iam_member" "m" {\n  name = "api"\n'
            '  location = "europe-west1"\n  role = "roles/run.invoker"\n  member = "allUsers"\n}\n',
            "projects/demo-dev/locations/europe-west1/services/api roles/run.invoker allUsers",
        ),
        (
            "google_cloud_run_v2_service.s",
            SERVICE % ("false", "api:1", SIDECAR),
            "europe-west1/api",
        ),
    ],
)
def test_import(stack: SimulatedRoot, address: str, body: str, import_id: str) -> None:
    stack.write(body)
    stack.apply()
    before = stack.values()[address]
    stack.run("state", "rm", address)
    stack.run("import", address, import_id)
    assert stack.values()[address] == before
    assert stack.plan()[0] == 0


def test_wrong_import_ids(stack: SimulatedRoot) -> None:
    stack.write(
        TOPIC
        + 'resource "google_project_iam_member" "m" {\n  project = "demo-dev"\n  role = "roles/viewer"\n'
        '  member = "user:ada@example.com"\n}\n'
    )
    stack.apply()
    iam_id = stack.values()["google_project_iam_member.m"]["id"]
    stack.run("state", "rm", "google_project_iam_member.m", "google_pubsub_topic.t")
    failed = stack.run("import", "google_project_iam_member.m", iam_id, code=1)
    assert "Wrong number of parts to Member id" in failed.err
    failed = stack.run("import", "google_pubsub_topic.t", "a/b/c/d/e", code=1)
    text = " ".join(failed.err.split())
    assert 'Import id "a/b/c/d/e" doesn\'t match any of the accepted formats:' in text
    assert "[^projects/(?P<project>[^/]+)/topics/(?P<name>[^/]+)$" in text
    failed = stack.run("import", "google_pubsub_topic.t", "nothing", code=1)
    assert "Cannot import non-existent remote object" in failed.err


def test_failures_switched_on(stack: SimulatedRoot) -> None:
    stack.write(TOPIC)
    stack.world.break_("google_pubsub_topic", "create", "googleapi: Error 429: Quota exceeded", times=1)
    failed = stack.apply(code=1)
    assert "Error creating Topic: googleapi: Error 429: Quota exceeded" in failed.err
    assert stack.world.list() == []
    stack.apply()
    stack.world.break_("*/events", "read", "googleapi: Error 403: denied")
    assert "Error reading Topic: googleapi: Error 403: denied" in stack.run("plan", code=1).err
    assert stack.world.mend() == 1
    stack.world.break_("google_pubsub_topic", "delete", "googleapi: Error 500: backend error")
    stack.run("destroy", "-auto-approve", code=1)
    assert list(stack.values()) == ["google_pubsub_topic.t"], "what could not be deleted stays in the state"


def test_secrets_stay_secret(stack: SimulatedRoot) -> None:
    body = """
resource "google_secret_manager_secret" "s" {
  secret_id = "password"
  replication {
    auto {}
  }
}
resource "google_secret_manager_secret_version" "v" {
  secret      = google_secret_manager_secret.s.id
  secret_data = "%s"
}
"""
    stack.write(body % "hunter2-one")
    done = stack.apply()
    assert "hunter2" not in done.out
    assert stack.values()["google_secret_manager_secret_version.v"]["version"] == "1"
    stack.write(body % "hunter2-two")
    _, document = stack.plan()
    change = next(
        each["change"] for each in document["resource_changes"] if each["change"]["actions"] != ["no-op"]
    )
    assert change["after_sensitive"]["secret_data"] is True
    assert change["actions"] == ["delete", "create"]


def test_protected_from_deletion(stack: SimulatedRoot) -> None:
    stack.write(SERVICE % ("true", "api:1", ""))
    stack.apply()
    failed = stack.run("destroy", "-auto-approve", code=1)
    assert "cannot destroy service without setting deletion_protection=false" in " ".join(failed.err.split())
    assert len(stack.world.list()) == 1


@pytest.mark.parametrize(("policy", "code", "left"), [("PREVENT", 1, 1), ("ABANDON", 0, 1), ("DELETE", 0, 0)])
def test_deletion_policy(stack: SimulatedRoot, policy: str, code: int, left: int) -> None:
    stack.write(TOPIC.replace("\n}", f'\n  deletion_policy = "{policy}"\n}}'))
    stack.apply()
    failed = stack.run("destroy", "-auto-approve", code=code)
    assert ("while its deletion_policy is PREVENT" in " ".join(failed.err.split())) == bool(code)
    assert len(stack.world.list()) == left
    assert len(stack.values()) == code


def test_data_sources_look_into_the_world(stack: SimulatedRoot) -> None:
    stack.write('data "google_pubsub_topic" "t" {\n  name = "events"\n}\n')
    failed = stack.run("plan", code=1)
    assert "Error 404: Resource 'projects/demo-dev/topics/events' was not found" in " ".join(
        failed.err.split()
    )
    stack.world.create(
        "google",
        "google_pubsub_topic",
        "projects/demo-dev/topics/events",
        {"name": "events", "id": "projects/demo-dev/topics/events", "labels": {"made": "by hand"}},
    )
    stack.write(
        'data "google_pubsub_topic" "t" {\n  name = "events"\n}\n'
        'data "google_client_config" "c" {}\n'
        'output "labels" {\n  value = data.google_pubsub_topic.t.labels\n}\n'
        'output "region" {\n  value = data.google_client_config.c.region\n}\n'
    )
    stack.apply()
    outputs = json.loads(stack.run("output", "-json").out)
    assert outputs["labels"]["value"] == {"made": "by hand"}
    assert outputs["region"]["value"] == "europe-west1"


def test_for_each_and_aliases(stack: SimulatedRoot) -> None:
    stack.write(
        """
provider "google" {
  alias   = "prod"
  project = "demo-prod"
}
resource "google_pubsub_topic" "many" {
  for_each = toset(["a", "b", "c"])
  name     = each.key
}
resource "google_pubsub_topic" "prod" {
  provider = google.prod
  name     = "a"
}
"""
    )
    stack.apply()
    ids = [item.id for item in stack.world.list()]
    assert ids == [
        "projects/demo-dev/topics/a",
        "projects/demo-dev/topics/b",
        "projects/demo-dev/topics/c",
        "projects/demo-prod/topics/a",
    ]
    assert stack.plan()[0] == 0


def test_provider_functions(stack: SimulatedRoot) -> None:
    stack.write(
        TOPIC + 'output "p" {\n  value = provider::google::project_from_id(google_pubsub_topic.t.id)\n}\n'
        'output "r" {\n  value = provider::google::region_from_zone("europe-west1-b")\n}\n'
    )
    stack.apply()
    outputs = json.loads(stack.run("output", "-json").out)
    assert (outputs["p"]["value"], outputs["r"]["value"]) == ("demo-dev", "europe-west1")
    stack.write('output "p" {\n  value = provider::google::zone_from_id("nothing")\n}\n')
    assert "doesn't contain the expected pattern" in " ".join(stack.run("plan", code=1).err.split())


def test_no_project(stack: SimulatedRoot) -> None:
    stack.write(TOPIC, head=HEAD.replace('project = "demo-dev"', ""))
    failed = stack.apply(code=1)
    assert "project: required field is not set" in failed.err


def test_refused_by_name(stack: SimulatedRoot) -> None:
    stack.write(
        'resource "google_sql_user" "u" {\n  name = "u"\n  instance = "i"\n  password_wo = "hunter2"\n'
        "  password_wo_version = 1\n}\n"
    )
    failed = " ".join(stack.run("validate", code=1).err.split())
    assert "The sandbox cannot simulate the write-only argument password_wo of google_sql_user" in failed
    stack.write('ephemeral "google_client_config" "c" {}\n')
    failed = " ".join(stack.run("validate", code=1).err.split())
    assert "google_client_config" in failed
    stack.write('resource "google_no_such_thing" "x" {}\n')
    failed = " ".join(stack.run("validate", code=1).err.split())
    assert 'does not support resource type "google_no_such_thing"' in failed


def test_a_file_broken_by_hand(stack: SimulatedRoot) -> None:
    stack.write(TOPIC)
    stack.apply()
    (path,) = stack.world.root.glob("google/*/*.json")
    good = path.read_text()
    path.write_text(good.replace('"labels": null', '"labels": "none"'))
    failed = " ".join(stack.run("plan", code=1).err.split())
    assert "labels: a map required, but it is 'none'" in failed
    path.write_text(good[:-20])
    failed = " ".join(stack.run("plan", code=1).err.split())
    assert "does not hold an object of the sandbox's world" in failed
    with pytest.raises(SandboxError):
        stack.world.list()


def test_delays_are_a_switch(stack: SimulatedRoot) -> None:
    stack.world.set_delays(0.05)  # of 12 s
    stack.write('resource "google_compute_network" "n" {\n  name = "n"\n}\n')
    stack.run("init")
    started = time.monotonic()
    stack.apply()
    assert time.monotonic() - started > 0.6


def test_terraform_test(stack: SimulatedRoot) -> None:
    stack.write('variable "name" {\n  type = string\n}\n' + TOPIC.replace('"events"', "var.name"))
    (stack.folder / "main.tftest.hcl").write_text(
        """
run "real" {
  variables {
    name = "tested"
  }
  assert {
    condition     = google_pubsub_topic.t.id == "projects/demo-dev/topics/tested"
    error_message = "wrong id"
  }
}
"""
    )
    (stack.folder / "mocked.tftest.hcl").write_text(
        """
mock_provider "google" {}
run "mocked" {
  command = plan
  variables {
    name = "mocked"
  }
  assert {
    condition     = google_pubsub_topic.t.name == "mocked"
    error_message = "wrong name"
  }
}
"""
    )
    assert "2 passed, 0 failed" in stack.run("test").out
    assert stack.world.list() == [], "terraform test cleans up after itself"
