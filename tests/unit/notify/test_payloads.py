"""The payloads of messages, against golden files (`GOLDEN=write pytest` renews them) and their schemas."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.notify.model import Message, Notification
from orchestrator.notify.payloads import PAYLOADS
from tests.support.schemas import check_schema

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "notify"
HOSTILE = "<!channel> [x](https://evil.example) *b* @here & <https://evil.example|Open>"
RUN = "https://github.com/acme/infra/actions/runs/7"
FAILED = Notification(
    "rollout_failed",
    "prod",
    "high",
    "prod/net (#42), commit 1f3d5b7a9c",
    (f"prod/net: {HOSTILE}",),
    ("prod/net",),
    ("@acme/network",),
    (42,),
    RUN,
)
DRIFT = Notification(
    "drift_high",
    "prod",
    "high",
    "prod/events: 1 reverted",
    stacks=("prod/events",),
    url="https://github.com/acme/infra/issues/3",
)
MESSAGE = Message("acme/infra", RUN, (FAILED, DRIFT, replace(DRIFT, summary="prod/app: 2 reverted")), 4)


@pytest.mark.parametrize("kind", PAYLOADS)
def test_golden(kind: str) -> None:
    text = json.dumps(PAYLOADS[kind](MESSAGE), indent=2, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{kind}.json"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize(
    "message", [MESSAGE, Message("", "", (Notification("test", "", "low", "A test."),))], ids=["full", "test"]
)
def test_payloads_match_their_schemas(kind: str, message: Message) -> None:
    check_schema(json.loads(json.dumps(PAYLOADS[kind](message))), f"notification-{kind}")


def test_slack_reads_no_markup_in_a_text() -> None:
    payload = PAYLOADS["slack"](MESSAGE)
    markup = [
        element["text"]
        for block in payload["blocks"]
        for element in [block.get("text"), *block.get("elements", ())]
        if element and element["type"] == "mrkdwn"
    ]
    assert markup == [f"<{RUN}|Open the run>"]
    assert "<" not in payload["text"]
    assert "@here" not in payload["text"]


def test_teams_reads_no_markdown_in_a_text() -> None:
    (attachment,) = PAYLOADS["teams"](MESSAGE)["attachments"]
    assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}


def test_the_largest_message_is_within_the_limits_of_the_services() -> None:
    line = "😀" * 200
    largest = replace(FAILED, summary=line, details=(line,) * 4, url="")
    message = Message("acme/infra", RUN, tuple(replace(largest, stacks=(str(n),)) for n in range(20)), 9)
    slack = PAYLOADS["slack"](message)
    teams = json.dumps(PAYLOADS["teams"](message), ensure_ascii=False)
    # Nothing is left out without its number: sent and counted are together all that there were.
    sections = "\n".join(block["text"]["text"] for block in slack["blocks"] if block["type"] == "section")
    assert sections.count("\n- ") + 9 == 29
    assert "and 9 more" in json.dumps(slack["blocks"])
    for text, item in ((slack["text"], "\n- "), (teams, '"text": "- ')):
        counted = re.search(r"and (\d+) more", text)
        assert counted is not None
        assert text.count(item) + int(counted[1]) == 29
    assert max(len(block["text"]["text"]) for block in slack["blocks"] if "text" in block) <= 3000
    assert len(slack["blocks"]) <= 50
    assert len(json.dumps(PAYLOADS["teams"](message), ensure_ascii=False).encode()) <= 28_000
