"""A check of how a forge is set up: message, reason, fix and location."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.report.doctor_check import DoctorCheck


@dataclass(frozen=True)
class ForgeCheck(DoctorCheck):
    """A check with its reason. `file` is from the repository's root, `line` 1-based."""

    why: str = ""
    file: str | None = None
    line: int | None = None
