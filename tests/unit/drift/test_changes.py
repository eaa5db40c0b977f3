"""Changes in the cloud: entries as Google writes them, the stacks that they reach, the order of checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.drift.changes import (
    CloudChange,
    StackChanges,
    order_checks,
    read_changes,
    resource_addresses,
    resource_path,
)
from orchestrator.drift.model import DriftedResource
from orchestrator.drift.report import StackDrift
from orchestrator.state.records import LedgerEntry

DATA = Path(__file__).parents[2] / "data" / "cloud_changes"
TOPIC = "projects/example-dev/topics/plain"


def test_an_audit_log_states_who_and_when() -> None:
    changes, unknown = read_changes((DATA / "audit-log.json").read_bytes())
    # Reads are in the data access log, which changes nothing.
    assert changes == (CloudChange(TOPIC, "dana@example.com", "2030-11-20T09:41:07Z"),)
    assert unknown == 0


def test_a_feed_of_assets_states_when_also_inside_messages() -> None:
    changes, unknown = read_changes((DATA / "asset-feed.jsonl").read_bytes())
    assert changes == (
        CloudChange(TOPIC, "", "2030-11-20T09:41:07Z"),
        CloudChange("buckets/acme-dev-data", "", "2030-11-20T10:00:00Z"),
    )
    assert unknown == 0


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("", 0),
        ("[]", 0),
        ("null", 1),
        ("{", 1),
        ("[1, [], {}]", 3),
        ('{"message": {"data": "%%%"}}', 1),
        ('{"message": {"data": "WzFd"}}', 1),
        ('{"asset": {"name": "//x/projects/p", "updateTime": "yesterday"}}', 1),
        ('{"asset": {"name": "//x/projects/p", "updateTime": "2030-01-01T00:00:00"}}', 1),
        ('{"asset": {"name": 7, "updateTime": "2030-01-01T00:00:00Z"}}', 1),
        ('{"protoPayload": {"resourceName": "x"}, "logName": 5, "timestamp": "2030-01-01T00:00:00Z"}', 1),
        ("[" * 100_000, 1),
    ],
)
def test_what_is_no_entry_is_counted(text: str, unknown: int) -> None:
    assert read_changes(text.encode()) == ((), unknown)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("//pubsub.googleapis.com/projects/p/topics/t", "projects/p/topics/t"),
        ("projects/p/topics/t", "projects/p/topics/t"),
        (
            "https://www.googleapis.com/compute/v1/projects/p/global/networks/n",
            "projects/p/global/networks/n",
        ),
        ("//compute.googleapis.com/projects/p/global/networks/n", "projects/p/global/networks/n"),
        ("//storage.googleapis.com/b", "buckets/b"),
        ("projects/_/buckets/b", "buckets/b"),
        ("projects/_/buckets/b/objects/o", "buckets/b"),
        ("https://www.googleapis.com/storage/v1/b/b", "buckets/b"),
        ("b/acme", "buckets/acme"),
        ("//cloudresourcemanager.googleapis.com/projects/p", "projects/p"),
        ("projects/-/serviceAccounts/1234", "serviceAccounts/1234"),
        ("//iam.googleapis.com/projects/p/serviceAccounts/a@p.x", "serviceAccounts/a@p.x"),
        ("folders/12/", "folders/12"),
    ],
)
def test_a_resource_has_one_path(name: str, path: str) -> None:
    assert resource_path(name) == path


def state(*resources: tuple[str, str, dict[str, Any]], **more: Any) -> bytes:
    return json.dumps(
        {
            "version": 4,
            "resources": [
                {
                    "mode": "managed",
                    "type": kind,
                    "name": name,
                    "instances": [{"attributes": attributes, **more}],
                }
                for kind, name, attributes in resources
            ],
        }
    ).encode()


def test_a_state_shows_the_address_of_a_resource() -> None:
    data = state(
        ("google_pubsub_topic", "t", {"id": TOPIC, "name": "plain"}),
        # It names the topic and is not it.
        ("google_pubsub_subscription", "s", {"id": "projects/example-dev/subscriptions/s", "topic": TOPIC}),
        # Its policy is the topic's.
        ("google_pubsub_topic_iam_member", "m", {"id": f"{TOPIC}/roles/x/user:a", "topic": TOPIC}),
        ("google_storage_bucket", "b", {"id": "data", "name": "data"}),
        ("google_project_iam_member", "p", {"id": "p/roles/x/user:a", "project": "p"}),
        ("google_service_account", "a", {"id": "projects/p/serviceAccounts/a@p.x", "unique_id": "77"}),
        ("google_pubsub_topic", "none", {}),
    )
    addresses = resource_addresses(data)
    assert addresses[TOPIC] == {"google_pubsub_topic.t", "google_pubsub_topic_iam_member.m"}
    assert addresses["buckets/data"] == {"google_storage_bucket.b"}
    assert addresses["projects/p"] == {"google_project_iam_member.p"}
    assert addresses["serviceAccounts/77"] == addresses["serviceAccounts/a@p.x"]
    assert resource_addresses(state(("t", "x", {"id": "projects/p/x"}), index_key="a")) == {
        "projects/p/x": {'t.x["a"]'}
    }
    for broken in (
        b"",
        b"[]",
        b'{"resources": [5]}',
        b'{"resources": [{"mode": "managed", "instances": [{}]}]}',
    ):
        assert resource_addresses(broken) == {}


def test_a_drift_names_who_changed_it_last() -> None:
    changes = [
        CloudChange(TOPIC, "late@example.com", "2030-01-03T00:00:00Z"),
        CloudChange(TOPIC, "early@example.com", "2030-01-02T00:00:00Z"),
        CloudChange("projects/x/topics/other", "other@example.com", "2030-01-04T00:00:00Z"),
    ]
    addresses = {"dev/a": resource_addresses(state(("google_pubsub_topic", "t", {"id": TOPIC}))), "dev/b": {}}
    matches = StackChanges.match(changes, addresses)
    assert list(matches.by_stack) == ["dev/a"]
    assert matches.changed_after("dev/a", "2030-01-02T12:00:00Z")
    assert not matches.changed_after("dev/a", "2030-01-03T00:00:00Z")
    assert not matches.changed_after("dev/b", "")

    def authors(applied_at: str, who: str = "", when: str = "") -> list[tuple[str, str]]:
        kind = "google_pubsub_topic"
        drifted = DriftedResource(f"{kind}.t", kind, "changed", "reverted", who=who, when=when)
        other = DriftedResource(f"{kind}.u", kind, "changed", "reverted")
        unapplied = DriftedResource(f"{kind}.t", kind, "unapplied", "unapplied")
        stack = StackDrift("dev/a", "dev", "drifted", resources=(drifted, other, unapplied))
        entry = LedgerEntry("dev/a", applied_at=applied_at)
        named = matches.name_authors(stack, entry, lambda text: text.replace("late", "***"))
        return [(resource.who, resource.when) for resource in named.resources]

    assert authors("2030-01-01T00:00:00Z") == [
        ("***@example.com", "2030-01-03T00:00:00Z"),
        ("", ""),
        ("", ""),
    ]
    # The apply itself made it; and what the provider says is nearer to the resource.
    assert authors("2030-01-03T00:00:00Z")[0] == ("", "")
    assert authors("", who="p@example.com", when="x")[0] == ("p@example.com", "x")


@pytest.mark.parametrize(
    ("changed", "due", "order"),
    [
        ("", "", "abcdef"),
        ("", "ab", "abcdef"),
        ("ef", "", "efabcd"),
        # In turn, so that a budget reaches what was not checked for long.
        ("def", "abc", "daebfc"),
        ("d", "abc", "dabcef"),
        ("ad", "ab", "abdcef"),
    ],
)
def test_changes_come_first_and_what_is_due_in_turn(changed: str, due: str, order: str) -> None:
    assert "".join(order_checks("abcdef", changed.__contains__, due.__contains__)) == order
