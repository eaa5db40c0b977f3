"""One check of `infra doctor`: what was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# `unseen` is what could not be looked at; it is never taken for fine.
Status = Literal["ok", "warning", "error", "unseen"]


@dataclass(frozen=True)
class DoctorCheck:
    """One check: what was looked at, how it is, and what to do about it."""

    name: str
    status: Status
    message: str
    advice: str = ""
