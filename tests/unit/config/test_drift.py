"""The section `drift`: every key arrives, and each mistake says what would be right."""

from __future__ import annotations

from datetime import date, time

import jsonschema
import pytest
import yaml

from orchestrator.config import json_schema, load_text
from orchestrator.config.drift import Drift, IgnoreRule, RemediationLimits, Window
from orchestrator.errors import ConfigError

WHOLE = """
drift:
  ignore:
    - {address: "a.*", attribute: size, reason: The autoscaler sets it., until: "2027-01-31", value: "^3"}
  volatile: [google_x.count]
  stale_after: 12h
  issues: environment
  labels: [drift, schedule]
  summary: issue
  webhook: DRIFT_URL
  actions: {prod: {reverted: revert, noise: accept}}
  limits:
    addresses: ["b.*"]
    max: 3
    deletes: true
    window: {days: [mon, tue], from: "22:00", to: "04:00", zone: Europe/Berlin}
"""


def test_without_the_section_drift_is_reported_and_nothing_else() -> None:
    drift = load_text("version: 1").drift
    assert drift == Drift()
    assert drift.stale_after == 3 * 86400
    assert drift.action("prod", "reverted") == "report"
    assert not drift.limits.deletes


def test_every_key_arrives() -> None:
    config = load_text(WHOLE)
    rule = IgnoreRule("a.*", "size", "The autoscaler sets it.", date(2027, 1, 31), "^3")
    assert config.drift == Drift(
        ignore=(rule,),
        volatile=("google_x.count",),
        stale_after=43200,
        issues="environment",
        labels=("drift", "schedule"),
        summary="issue",
        webhook="DRIFT_URL",
        actions={"prod": {"reverted": "revert", "noise": "accept"}},
        limits=RemediationLimits(
            ("b.*",),
            3,
            deletes=True,
            window=Window(("mon", "tue"), time(22), time(4), "Europe/Berlin"),
        ),
    )
    assert config.drift.action("prod", "noise") == "accept"
    assert config.drift.action("dev", "noise") == "report"
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(WHOLE))) == []


MISTAKES = [
    ("{ignore: [{address: a, attribute: b, reason: r}]}", "ignore[0].until", "is missing"),
    ("{ignore: [{address: a, attribute: b, until: '2027-01-31'}]}", "ignore[0].reason", "is missing"),
    (
        "{ignore: [{address: a, attribute: b, reason: r, until: soon}]}",
        "ignore[0].until",
        "such as 2027-01-31",
    ),
    ("{actions: {prod: {reverted: accept}}}", "actions.prod", "the next apply would undo it"),
    ("{actions: {prod: {reverted: fix}}}", "actions.prod.reverted", "report, revert, accept or pr"),
    ("{actions: {prod: {revert: pr}}}", "actions.prod.revert", "did you mean `reverted`?"),
    ("{volatile: [count]}", "volatile[0]", "must be TYPE.ATTRIBUTE"),
    ("{limits: {max: 5000}}", "limits.max", "from 0 to 1000"),
    ("{limits: {window: {from: 22:00}}}", "limits.window.from", "in quotes"),
    ("{limits: {window: {zone: my zone}}}", "limits.window.zone", "such as Europe/Berlin"),
    ("{limits: {window: {zone: Europe/Atlantis}}}", "limits.window.zone", "Europe/Atlantis is none"),
    ("{limits: {window: {zone: Europe}}}", "limits.window.zone", "such as Europe/Berlin"),
    ("{limits: {window: {days: [sunday]}}}", "limits.window.days[0]", "mon, tue"),
    ("{webhook: 'https://example.com/secret'}", "webhook", "the name of an environment variable"),
]


@pytest.mark.parametrize(("text", "key", "message"), MISTAKES)
def test_a_mistake_states_where_it_is_and_what_would_be_right(text: str, key: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(f"drift: {text}")
    assert caught.value.key == f"drift.{key}"
    assert message in caught.value.message
    assert "secret" not in caught.value.message, "what stands in place of a name may be what it hides"


def test_the_former_name_of_a_class_counts_as_the_present_one() -> None:
    drift = load_text("version: 1\ndrift: {actions: {dev: {owed: revert}}}").drift
    assert drift.action("dev", "unapplied") == "revert"
    with pytest.raises(ConfigError, match="`owed` is the former name of `unapplied`"):
        load_text("version: 1\ndrift: {actions: {dev: {owed: revert, unapplied: report}}}")
