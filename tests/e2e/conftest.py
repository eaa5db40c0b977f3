"""What these tests start is not measured: that takes a third more time, and other tests show the same."""

from __future__ import annotations

import pytest

MEASURING = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MEASURING:
        monkeypatch.delenv(name, raising=False)
