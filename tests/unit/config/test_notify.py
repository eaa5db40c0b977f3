"""The section `notify`: channels, and mistakes in them without what may be a secret."""

from __future__ import annotations

import pytest

from orchestrator.config import load_text
from orchestrator.config.notify import DRIFT_EVENTS, NotifyChannel
from orchestrator.errors import ConfigError

TEXT = """
notify:
  operations:
    kind: slack
    url_variable: SLACK_URL
    events: [rollout_failed, drift_high]
    environments: ["prod*"]
    owners: ["@acme/network"]
    severity: high
  audit: {kind: webhook, url_variable: AUDIT_URL, secret_variable: AUDIT_KEY}
drift: {webhook: DRIFT_URL}
"""


def test_channels_are_read() -> None:
    config = load_text(TEXT)
    assert config.notify["operations"] == NotifyChannel(
        "slack",
        "SLACK_URL",
        events=("rollout_failed", "drift_high"),
        environments=("prod*",),
        owners=("@acme/network",),
        severity="high",
    )
    assert config.notify_variables == ("DRIFT_URL", "SLACK_URL", "AUDIT_URL", "AUDIT_KEY")
    # The former key is a channel as well.
    assert config.notify_channels["drift.webhook"] == NotifyChannel("slack", "DRIFT_URL", events=DRIFT_EVENTS)


@pytest.mark.parametrize(
    ("channel", "key", "words"),
    [
        ("{kind: slack, url_variable: 'https://x.example/hush'}", "url_variable", "name of an environment"),
        (
            "{kind: webhook, url_variable: U, secret_variable: 'hush hush'}",
            "secret_variable",
            "name of an environment",
        ),
        ("{kind: slack, url_variable: [hush]}", "url_variable", "must be text"),
        ("{kind: webhook, url_variable: URL}", "notify.a", "belongs to `kind: webhook`"),
        ("{kind: slack, url_variable: URL, secret_variable: KEY}", "notify.a", "belongs to `kind: webhook`"),
        ("{kind: slack, url_variable: GITHUB_TOKEN}", "notify.a", "variables of the job itself"),
        (
            "{kind: webhook, url_variable: U, secret_variable: github_token}",
            "notify.a",
            "variables of the job itself",
        ),
        *(
            (f"{{kind: slack, url_variable: {name}}}", "notify.a", "of the job's programs")
            for name in (
                "PATH",
                "CI",
                "BASH_ENV",
                "LD_PRELOAD",
                "PYTHONPATH",
                "HTTPS_PROXY",
                "PENDING",
                "GIT_SSH",
            )
        ),
        ("{kind: pager, url_variable: URL}", "kind", "slack, teams or webhook"),
        ("{kind: slack, url_variable: URL, events: [drift]}", "events", "must be"),
        ("{kind: slack, url_variable: URL, severty: high}", "severty", "did you mean `severity`"),
    ],
)
def test_mistakes_name_the_key_and_no_secret(channel: str, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(f"notify:\n  a: {channel}\n")
    assert key in (caught.value.key or "")
    assert words in caught.value.message
    assert "hush" not in caught.value.message + caught.value.advice


def test_a_name_is_plain() -> None:
    with pytest.raises(ConfigError, match="lower-case letters"):
        load_text("notify:\n  My Channel: {kind: slack, url_variable: URL}\n")
