"""What Terraform complained about: from its JSON exactly, from its text as far as a summary needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.terraform.model import Diagnostic, LockHolder

_ERROR = re.compile(r"^(?:│ )?Error: (.+?)\s*$", re.MULTILINE)
_PLACE = re.compile(r"^(?:│ )?  on (.+?) line (\d+)", re.MULTILINE)
_LOCK_FIELD = re.compile(r"^\W*(ID|Path|Operation|Who|Version|Created|Info):[ \t]*(.*?)\s*$", re.MULTILINE)

# Summaries, by their beginnings, after which `init` is what helps. Terraform's and OpenTofu's own words.
_INIT_REQUIRED = (
    "Backend initialization required",
    "Initialization required",
    "Module not installed",
    "Module source has changed",
    "Module version requirements have changed",
    "Required plugins are not installed",
    "Inconsistent dependency lock file",
    "Could not load plugin",
    "Could not satisfy plugin requirements",
    "Plugin reinitialization required",
    "Missing required provider",
    "Provider requirements cannot be satisfied by locked dependencies",
)

# In `init -lockfile=readonly`: the lock file lacks this platform's checksums.
LOCK_FILE_INCOMPLETE = b"Provider lock file not updated"
# The lock file has checksums, and none for the package of this platform.
OTHER_PLATFORM = "doesn't match any of the checksums previously recorded"


def from_json(document: Mapping[str, Any]) -> Diagnostic:
    """A diagnostic as `-json` output and `validate -json` write it."""
    place = document.get("range") or {}
    snippet = document.get("snippet") or {}
    return Diagnostic(
        severity=str(document.get("severity", "error")),
        summary=str(document.get("summary", "")),
        detail=str(document.get("detail") or ""),
        address=str(document.get("address") or ""),
        file=str(place.get("filename") or ""),
        line=int((place.get("start") or {}).get("line") or 0),
        snippet=str(snippet.get("code") or ""),
    )


def from_text(text: str) -> Diagnostic:
    """The whole standard error of a failed command as one diagnostic, with its first error's summary."""
    text = text.strip()
    error = _ERROR.search(text)
    place = _PLACE.search(text)
    first = next((line for line in text.splitlines() if line.strip()), "Terraform failed without a message")
    return Diagnostic(
        severity="error",
        summary=error[1] if error else first,
        detail=text,
        file=place[1] if place else "",
        line=int(place[2]) if place else 0,
    )


def init_required(text: str) -> bool:
    """True when a command failed for want of an `init`."""
    return any(summary.startswith(_INIT_REQUIRED) for summary in _ERROR.findall(text))


def lock_holder(text: str) -> LockHolder | None:
    """Who holds the lock that a command could not get; None when it failed for another reason.

    Terraform says "Error acquiring the state lock" also when it had no right to write one. A lock that went
    while it looked has no information left: then the refused precondition (412) tells.
    """
    _, found, rest = text.partition("Error acquiring the state lock")
    _, known, block = rest.partition("Lock Info:")
    if not found or not (known or "Error 412" in rest):
        return None
    fields = {name.lower(): value for name, value in reversed(_LOCK_FIELD.findall(block))}
    return LockHolder(**fields)
