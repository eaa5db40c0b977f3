"""When a check for drift counts as too long ago."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.drift.heartbeat import DAY, describe_stale
from orchestrator.state.drift_store import Heartbeat

NOW = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
OLD, NEW = "2026-03-05T03:00:00Z", "2026-03-10T03:00:00Z"


@pytest.mark.parametrize(
    ("beat", "words"),
    [
        (None, ""),
        (Heartbeat(at=NEW, run="R", complete=NEW, oldest="dev/a"), ""),
        (Heartbeat(at=NEW, run="R", complete="2026-03-07T07:00:00Z", oldest="dev/a"), ""),
        (Heartbeat(at=NEW, run="R", complete=OLD, oldest="dev/a"), "of dev for drift is 5 days old; dev/a"),
        (Heartbeat(at=OLD, run="R", complete=OLD, oldest="dev/a"), "5 days old"),
        # A run that did not get to everything is fine while it is young.
        (Heartbeat(at=NEW, run="R"), ""),
        (Heartbeat(at=OLD, run="R"), "never checked for drift completely; last looked at 5 days ago"),
    ],
)
def test_it_is_reported_when_it_is_too_old(beat: Heartbeat | None, words: str) -> None:
    stale = describe_stale("dev", beat, 3 * DAY, NOW)
    assert words in stale
    assert bool(stale) == bool(words)
