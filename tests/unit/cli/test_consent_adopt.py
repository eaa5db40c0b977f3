"""Consent to apply from a state that no run has recorded."""

from __future__ import annotations

import io

import pytest

from orchestrator.cli.consent import AskedConsent
from orchestrator.cli.context import App
from orchestrator.errors import BlockedError
from orchestrator.report.model import RunInfo, RunReport, StackReport


def test_off_a_terminal_an_unrecorded_state_needs_a_word_of_its_own() -> None:
    info = RunInfo("run-1", "local", "c", "2026-01-01T00:00:00Z", 0.0)

    def ask(*, adopt: bool, unrecorded: bool = True) -> None:
        app = App({}, io.StringIO(), io.StringIO(), io.StringIO())
        asked = AskedConsent(app, "apply", lambda report: None, auto_approve=True, adopt=adopt)
        stack = StackReport("dev/app", "dev", "changed", unrecorded=unrecorded)
        asked.to_apply(RunReport("apply", info, (stack,)), protected=())

    ask(adopt=True)
    ask(adopt=False, unrecorded=False)
    with pytest.raises(BlockedError, match="No run of infra is recorded that made the state of dev/app"):
        ask(adopt=False)
