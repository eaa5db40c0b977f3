"""Parses Terraform's diagnostics, from JSON or from text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.jsontext import mapping
from orchestrator.terraform.model import Diagnostic, LockHolder

_ERROR = re.compile(r"^(?:│ )?Error: (.+?)\s*$", re.MULTILINE)
# What may stand around a diagnostic on a terminal, and where one begins: a summary is a paragraph.
_FRAME = re.compile(r"^[╷╵] *$|^│ ?", re.MULTILINE)
_BLOCK = re.compile(r"(?:\A|(?<=\n\n))(?:Error|Warning): .+(?:\n(?=\n)|\Z)")
_LOCATION = re.compile(
    r"\n*(?:  with (?P<address>.+?),?\n)?"
    r"(?:  on (?P<file>.+?) line (?P<line>\d+)(?:, (?P<context>in .+:)|.*)\n?)?"
)
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


def diagnostic_from_json(document: Mapping[str, Any]) -> Diagnostic:
    """A diagnostic as `-json` output and `validate -json` write it."""
    location = mapping(document.get("range"))
    snippet = mapping(document.get("snippet"))
    line = mapping(location.get("start")).get("line")
    return Diagnostic(
        severity=str(document.get("severity", "error")),
        summary=str(document.get("summary", "")),
        detail=str(document.get("detail") or ""),
        address=str(document.get("address") or ""),
        file=str(location.get("filename") or ""),
        line=line if isinstance(line, int) else 0,
        snippet=str(snippet.get("code") or ""),
    )


def diagnostics_from_text(text: str) -> tuple[Diagnostic, ...]:
    """The standard error of a failed command as diagnostics, nothing left out; never empty.

    The text is for people, so this is what it looks like and no contract: what stands before the first one,
    or has none, is the detail of a diagnostic of its own.
    """
    plain = "\n".join(line.rstrip() for line in _FRAME.sub("", text).strip().splitlines())
    starts = [match.start() for match in _BLOCK.finditer(plain)]
    before = plain[: starts[0]].strip() if starts else plain
    diagnostics = [_block(plain[a:b].strip()) for a, b in zip(starts, [*starts[1:], None], strict=False)]
    if before or not diagnostics:
        summary, _, detail = (before or "Terraform failed without a message").partition("\n")
        diagnostics.append(Diagnostic("error", summary, detail.strip("\n")))
    return tuple(diagnostics)


def first_error(diagnostics: Sequence[Diagnostic]) -> Diagnostic:
    """The diagnostic that names a failure: the first error, or else whatever there is."""
    return next((diagnostic for diagnostic in diagnostics if diagnostic.severity == "error"), diagnostics[0])


def _block(text: str) -> Diagnostic:
    """One diagnostic: its first line is `Error: SUMMARY`; then `with ADDRESS,`, `on FILE line N, in …:`."""
    head, _, rest = text.partition("\n")
    severity, _, summary = head.partition(": ")
    location = _LOCATION.match(rest)
    if location is None:
        return Diagnostic(severity.lower(), summary, rest.strip("\n"))
    context = f"{location['context']}\n" if location["context"] else ""
    return Diagnostic(
        severity=severity.lower(),
        summary=summary,
        detail=(context + rest[location.end() :]).strip("\n"),
        address=location["address"] or "",
        file=location["file"] or "",
        line=int(location["line"] or 0),
    )


def init_required(text: str) -> bool:
    """True when a command failed because `init` is required."""
    return any(summary.startswith(_INIT_REQUIRED) for summary in _ERROR.findall(text))


def lock_holder(text: str) -> LockHolder | None:
    """Who holds the lock that a command could not get; None when it failed for another reason.

    Terraform says "Error acquiring the state lock" also when it had no right to write one. A lock that went
    while it looked has no information left: then the refused precondition (412) tells.
    """
    _, title, rest = text.partition("Error acquiring the state lock")
    _, heading, block = rest.partition("Lock Info:")
    if not title or not (heading or "Error 412" in rest):
        return None
    fields = {name.lower(): value for name, value in reversed(_LOCK_FIELD.findall(block))}
    return LockHolder(**fields)
