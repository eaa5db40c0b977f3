"""What issues about drift say, against golden text (`GOLDEN=write pytest` makes it anew) and by rules."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.drift import issue_text as texts
from orchestrator.drift.issue_text import IssueSubject, ScheduledCheck
from orchestrator.drift.model import DriftedAttribute, DriftedResource
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.masking import HIDDEN
from orchestrator.report.model import RunInfo

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "drift"
CHECK = ScheduledCheck("2026-01-05T03:17:00Z", "https://github.com/acme/infra/actions/runs/7")
TOPIC = DriftedResource(
    "google_pubsub_topic.orders",
    "google_pubsub_topic",
    "changed",
    "reverted",
    (
        DriftedAttribute("message_retention_duration", "reverted", "600s", "900s", "600s"),
        DriftedAttribute("labels.team", "conflict", "a", "@olga <b>", "c"),
        DriftedAttribute("password", "reverted", HIDDEN, HIDDEN, HIDDEN, sensitive=True),
        DriftedAttribute("etag", "noise", "1", "2", "2"),
    ),
    ("update",),
    who="ada@example.com",
    when="2026-01-04T22:10:00Z",
)
GONE = DriftedResource(
    'google_pubsub_topic.x["a|b"]', "google_pubsub_topic", "deleted", "reverted", (), ("create",)
)
EVENTS = StackDrift(
    "prod/events",
    "prod",
    "drifted",
    commit="c" * 40,
    resources=(TOPIC, GONE),
    digest="d" * 64,
    first_seen="2026-01-02T03:17:00Z",
    came_back=1,
    pending="its code has changed since",
    notes=("Somebody else wrote its state: serial 9 after 7.",),
)
SMALL = replace(EVENTS, id="prod/net", resources=(GONE,), notes=(), pending="", came_back=0)
ENDED = StackDrift(
    "prod/net", "prod", "clean", ended="reverted by an apply", ended_by="20260105T080000000Z-a1b2c3"
)
LOST = StackDrift("prod/lost", "prod", "unchecked", "its state is gone", failed=True)
STACK, ENVIRONMENT = IssueSubject("stack", "prod/events"), IssueSubject("environment", "prod")
DIGESTS = {"prod/events": "d" * 64}
REPORT = DriftReport(
    RunInfo("R1", "ci", "c" * 40, CHECK.at, 3.0),
    (EVENTS, ENDED, LOST),
    stale=("prod/lost",),
    notes=("dev: its check left no report.",),
)
URLS = {"prod/events": "https://github.com/acme/infra/issues/3"}
BODY = texts.render_open_body(STACK, DIGESTS, [EVENTS], {}, ("@acme/platform",), CHECK)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("open", BODY),
        (
            "open-environment",
            texts.render_open_body(
                ENVIRONMENT,
                {**DIGESTS, "prod/net": "e" * 64, "prod/lost": "f" * 64},
                [EVENTS, SMALL],
                {"prod/lost": "its state is gone"},
                (),
                CHECK,
            ),
        ),
        ("closed", texts.render_closed_body(STACK, BODY, texts.describe_endings([ENDED], ["prod/old"]))),
        ("changed", texts.render_changed_comment([EVENTS], [ENDED], CHECK)),
        ("again", texts.render_reopened_comment([SMALL], CHECK, closed_by_hand=False)),
        ("closed-by-hand", texts.render_reopened_comment([SMALL], CHECK, closed_by_hand=True)),
        ("ended", texts.render_ended_comment([ENDED], ["prod/old"], CHECK)),
        (
            "corrected",
            texts.render_remediation_comment([replace(ENDED, remediation="reverted a.b by run R9")], CHECK),
        ),
        ("summary", texts.render_summary_body(REPORT, URLS, CHECK)),
    ],
)
def test_golden(name: str, text: str) -> None:
    path = GOLDEN / f"issue-{name}.md"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["prod/a b", "prod/a--b-->c", "prod/ä,=|", "prod"])
def test_what_an_issue_is_about_and_what_it_remembers_is_read_back(name: str) -> None:
    for kind in ("stack", "environment"):
        subject = IssueSubject(kind, name)
        body = texts.render_open_body(subject, {name: "a" * 64, "x/y": "b" * 64}, [], {}, (), CHECK)
        assert texts.parse_subject(body) == subject
        assert texts.parse_subject(body.replace("\n", "\r\n")) == subject
        assert texts.parse_state(body) == {name: "a" * 16, "x/y": "b" * 16}
        assert texts.parse_state(texts.render_closed_body(subject, body, ["Over."])) == {}
    assert texts.parse_subject("<!-- infra:drift summary -->\n") == IssueSubject("summary")


@pytest.mark.parametrize(
    "body", ["", "text", "> <!-- infra:drift stack a -->", " x<!-- infra:drift stack a -->"]
)
def test_another_issue_is_none_of_ours(body: str) -> None:
    assert texts.parse_subject(body) is None


def test_a_server_that_lost_its_memory_reports_it() -> None:
    first, _, rest = BODY.partition("\n")
    assert texts.parse_state(f"{first}\n{rest.partition('!')[2]}") is None
    assert texts.parse_state("") is None


def test_closing_again_and_again_leaves_one_note() -> None:
    once = texts.render_closed_body(STACK, BODY, ["Over."])
    twice = texts.render_closed_body(STACK, once, ["Over again."])
    assert twice.count("[!NOTE]") == 1
    assert "message_retention_duration" in twice
    assert len(twice) - len(once) == len(" again")


def test_no_body_is_longer_than_github_takes() -> None:
    many = [replace(EVENTS, id=f"prod/s{number:04}") for number in range(1000)]
    digests = {stack.id: stack.digest for stack in many}
    body = texts.render_open_body(ENVIRONMENT, digests, many, {}, (), CHECK)
    assert len(body) <= 65_536
    assert len(texts.parse_state(body) or ()) == 1000
    assert len(texts.render_closed_body(ENVIRONMENT, body, ["Over."])) <= 65_536
    report = replace(REPORT, stacks=tuple(many))
    assert len(texts.render_summary_body(report, {}, CHECK)) <= 65_536


def test_people_and_teams_are_distinguished() -> None:
    owners = ("@olga", "@acme/platform", "x@example.com", "@olga", "@acme/plat form")
    assert texts.select_people(owners) == ("olga",)
    assert texts.select_teams(owners) == ("@acme/platform",)
