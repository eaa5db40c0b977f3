"""Changes from a subscription on loopback: what is acknowledged, and what others get again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.drift.subscribed_changes import SubscribedChanges
from tests.support.pubsub import SubscriptionServer, serving_subscription

NAME = "projects/p/subscriptions/changes"
ENTRIES = json.loads((Path(__file__).parents[2] / "data" / "cloud_changes" / "audit-log.json").read_text())
TOPIC = "projects/example-dev/topics/plain"


@pytest.fixture
def server() -> Iterator[SubscriptionServer]:
    with serving_subscription() as server:
        yield server


def test_a_change_is_acknowledged_once_its_stack_was_checked(server: SubscriptionServer) -> None:
    env = {"PUBSUB_EMULATOR_HOST": server.address}
    server.publish("change", ENTRIES[0])
    server.publish("read", ENTRIES[1])
    server.publish("broken", {"x": 1})
    first = SubscribedChanges.pull(NAME, env)
    assert [(change.resource, change.who) for change in first.changes] == [(TOPIC, "dana@example.com")]
    # This job checked another stack: the change stays for the job whose stack it is.
    first.finish({"projects/example-dev/topics/other"}, "2030-01-01T00:00:00Z")
    assert (sorted(server.acknowledged), list(server.waiting)) == (["broken", "read"], ["change"])
    second = SubscribedChanges.pull(NAME, env)
    second.finish({TOPIC}, "2030-01-01T00:00:00Z")
    assert (server.acknowledged[-1], server.waiting, server.pulled) == ("change", {}, {})
    assert first.problems == second.problems == []


def test_a_change_that_reaches_no_stack_is_given_up_when_it_is_old(server: SubscriptionServer) -> None:
    server.publish("change", ENTRIES[0])
    SubscribedChanges.pull(NAME, {"PUBSUB_EMULATOR_HOST": server.address}).finish((), "2030-12-01T00:00:00Z")
    assert server.acknowledged == ["change"]


def test_a_subscription_that_does_not_answer_is_a_note(server: SubscriptionServer) -> None:
    changes = SubscribedChanges.pull(
        "projects/p/subscriptions/none", {"PUBSUB_EMULATOR_HOST": server.address}
    )
    changes.finish((), "")
    assert changes.changes == ()
    assert len(changes.problems) == 1
    assert "does not answer: HTTP 404" in changes.problems[0]
    assert SubscribedChanges.pull(None, {}).problems == []
