"""Which channel gets what, grouped, once, masked and limited; a failure is a result and ends nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.config import load_text
from orchestrator.config.notify import NotifyChannel
from orchestrator.notify.model import Notification
from orchestrator.notify.send import MOST, Sender, describe_failures, select_notifications
from tests.support.webhooks import receiving

NOW = datetime(2026, 1, 5, 3, 17, tzinfo=UTC)
DONE = Notification("rollout_done", "dev", "low", "dev/net", stacks=("dev/net",), owners=("@acme/network",))
FAILED = Notification("rollout_failed", "prod", "high", "prod/net", stacks=("prod/net",), owners=("@ada",))
DRIFT = Notification("drift_found", "prod-eu", "medium", "prod-eu/net", stacks=("prod-eu/net",))
ALL = (DONE, FAILED, DRIFT)
TEST = Notification("test", "", "low", "A test.")


def channel(**settings: Any) -> NotifyChannel:
    return NotifyChannel("slack", "CHAT_URL", **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (FAILED, DRIFT, DONE)),
        ({"events": ("drift_found", "drift_high")}, (DRIFT,)),
        ({"environments": ("prod*",)}, (FAILED, DRIFT)),
        ({"environments": ("prod",)}, (FAILED,)),
        ({"severity": "medium"}, (FAILED, DRIFT)),
        ({"severity": "high"}, (FAILED,)),
        ({"owners": ("@ACME/network",)}, (DONE,)),
        ({"owners": ("@ada", "@acme/network"), "severity": "high"}, (FAILED,)),
        ({"owners": ("@nobody",)}, ()),
    ],
)
def test_a_channel_gets_what_it_asks_for(settings: Any, expected: tuple[Notification, ...]) -> None:
    assert select_notifications(channel(**settings), ALL) == expected
    assert select_notifications(channel(**settings), [TEST]) == (TEST,)


def test_what_is_about_no_stack_is_for_all_owners() -> None:
    whole = replace(FAILED, stacks=(), owners=())
    assert select_notifications(channel(owners=("@nobody",)), [whole]) == (whole,)


CONFIG = """
masking: {patterns: ["ACME-[0-9]+"]}
notify:
  operations: {kind: slack, url_variable: CHAT_URL, environments: [prod]}
  audit: {kind: webhook, url_variable: AUDIT_URL, secret_variable: AUDIT_KEY}
  broken: {kind: teams, url_variable: TEAMS_URL}
"""


def test_each_channel_gets_one_message_and_a_failure_ends_nothing() -> None:
    with receiving() as chat, receiving() as audit:
        environ = {"CHAT_URL": chat.url, "AUDIT_URL": audit.url, "AUDIT_KEY": "k"}
        deliveries = Sender(load_text(CONFIG), environ, NOW).send([*ALL, *ALL])
    assert [(each.channel, each.result, each.notifications) for each in deliveries] == [
        ("operations", "sent", 1),
        ("audit", "sent", 3),
        ("broken", "failed", 3),
    ]
    (failure,) = describe_failures(deliveries)
    assert failure.startswith("The message to broken: TEAMS_URL is not set.")
    ((_, headers, body),) = audit.requests
    assert headers["X-Infra-Timestamp"] == str(int(NOW.timestamp()))
    assert headers["X-Infra-Signature"].startswith("v1=")
    assert [each["event"] for each in json.loads(body)["notifications"]] == [
        "rollout_failed",
        "drift_found",
        "rollout_done",
    ]
    assert "X-Infra-Signature" not in chat.requests[0][1]


def test_a_webhook_without_its_key_is_not_sent() -> None:
    with receiving() as audit:
        (delivery,) = Sender(load_text(CONFIG), {"AUDIT_URL": audit.url}, NOW).send(ALL, ["audit"])
        assert audit.requests == []
    assert (delivery.result, delivery.problem.partition(".")[0]) == ("failed", "AUDIT_KEY is not set")


def test_texts_are_masked_and_of_one_line() -> None:
    secret = replace(FAILED, summary="key ACME-123\n\x1b[31mred", details=("password=hunter2-hunter2",) * 9)
    with receiving() as audit:
        environ = {"AUDIT_URL": audit.url, "AUDIT_KEY": "k"}
        Sender(load_text(CONFIG), environ, NOW).send([secret], ["audit"])
    (body,) = audit.bodies
    assert b"ACME-123" not in body
    assert b"hunter2" not in body
    (sent,) = json.loads(body)["notifications"]
    assert "\n" not in sent["summary"]
    assert "\x1b" not in sent["summary"]
    assert sent["details"][3:] == ["and 6 more"]


def test_more_than_fits_is_counted() -> None:
    many = [replace(FAILED, summary=f"prod/s{number}") for number in range(MOST + 5)]
    with receiving() as audit:
        environ = {"AUDIT_URL": audit.url, "AUDIT_KEY": "k"}
        Sender(load_text(CONFIG), environ, NOW).send(many, ["audit"])
    document = json.loads(audit.bodies[0])
    assert (len(document["notifications"]), document["left_out"]) == (MOST, 5)


def test_the_same_notification_has_the_same_id() -> None:
    assert FAILED.id == replace(FAILED).id != replace(FAILED, url="https://example.com").id


def test_another_attempt_of_a_job_has_the_same_id() -> None:
    run = "https://github.com/acme/infra/actions/runs/7"
    assert replace(FAILED, url=run).id == replace(FAILED, url=f"{run}/attempts/2").id
    assert replace(FAILED, url=run).id != replace(FAILED, url=f"{run}1").id


def test_no_field_is_sent_as_it_came() -> None:
    """Text that is no UTF-8, line ends, and secrets, wherever they stand."""
    bad = "ACME-123\n\udcff"
    hostile = replace(
        FAILED,
        environment=bad,
        summary=bad,
        details=(bad,),
        stacks=(bad,),
        owners=(bad,),
        url=f"https://x/{bad}",
    )
    with receiving() as audit:
        environ = {"AUDIT_URL": audit.url, "AUDIT_KEY": "k\udcff"}
        sender = Sender(load_text(CONFIG), environ, NOW, repository=bad, url="https://x.example/ACME-123")
        (delivery,) = sender.send([hostile], ["audit"])
    assert delivery.result == "sent"
    assert b"ACME-123" not in audit.bodies[0]
    document = json.loads(audit.bodies[0])
    assert "\\n" not in json.dumps(document)
    assert (document["url"], document["notifications"][0]["url"]) == ("", "")


def test_a_masked_name_still_chooses_its_channel() -> None:
    with receiving() as chat:
        text = CONFIG.replace("environments: [prod]", 'environments: ["ACME-*"]')
        sender = Sender(load_text(text), {"CHAT_URL": chat.url}, NOW)
        (delivery,) = sender.send([replace(FAILED, environment="ACME-1")], ["operations"])
    assert delivery.result == "sent"
    assert b"ACME-1" not in chat.bodies[0]
