"""The journal of an apply: Terraform's `-json` lines, which tell what was done even when the end is torn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.jsontext import mapping, read_object
from orchestrator.terraform.diagnostics import from_json
from orchestrator.terraform.model import Applied, Diagnostic

_DOING = {"create": "creating", "update": "changing", "delete": "destroying", "read": "reading"}
_DONE = {"create": "created", "update": "changed", "delete": "destroyed", "read": "read"}


@dataclass
class Journal:
    """What the lines say so far."""

    finished: list[Applied] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] | None = None
    _begun: dict[str, None] = field(default_factory=dict)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Resources that were begun and neither finished nor failed."""
        return tuple(self._begun)

    def add(self, line: Mapping[str, Any]) -> None:
        """One line's document."""
        kind = line.get("type")
        if kind in ("apply_start", "apply_complete", "apply_errored"):
            self._hook(str(kind), mapping(line.get("hook")))
        elif kind == "diagnostic":
            found = from_json(mapping(line.get("diagnostic")))
            # An interrupt is told once for each resource that it kept from being begun.
            if found not in self.diagnostics:
                self.diagnostics.append(found)
        elif kind == "change_summary":
            changes = mapping(line.get("changes"))
            if changes.get("operation") != "plan":
                self.counts = {name: n for name, n in changes.items() if isinstance(n, int)}
        elif kind == "outputs":
            outputs = mapping(line.get("outputs"))
            self.outputs = {name: one for name, one in outputs.items() if isinstance(one, dict)}

    def _hook(self, kind: str, hook: Mapping[str, Any]) -> None:
        address = str(mapping(hook.get("resource")).get("addr", ""))
        if kind == "apply_start":
            self._begun[address] = None
            return
        self._begun.pop(address, None)
        if kind == "apply_errored":
            self.failed.append(address)
            return
        self.finished.append(
            Applied(
                address,
                str(hook.get("action", "")),
                str(hook.get("id_key") or ""),
                str(hook.get("id_value") or ""),
            )
        )

    def count(self, name: str, action: str) -> int:
        """A number of the closing summary; where the apply never got to one, what was finished."""
        if name in self.counts:
            return self.counts[name]
        return sum(1 for one in self.finished if one.action == action)


def read_journal(lines: Iterable[bytes]) -> Journal:
    """Read whole lines. One that is not JSON (the last may be torn), or no event, is passed over."""
    journal = Journal()
    for line in lines:
        document = parse_line(line)
        if document is not None:
            journal.add(document)
    return journal


def parse_line(line: bytes) -> dict[str, Any] | None:
    """A line's document, None when it is not one."""
    try:
        return read_object(line)
    except ValueError:
        return None


def event_text(line: bytes) -> str | None:
    """What a line means to somebody who waits: "creating google_x.y"; None when it is not worth telling."""
    if b'"apply_' not in line:
        return None
    document = parse_line(line) or {}
    words = {"apply_start": _DOING, "apply_progress": _DOING, "apply_complete": _DONE}.get(
        str(document.get("type"))
    )
    hook = mapping(document.get("hook"))
    address = mapping(hook.get("resource")).get("addr")
    if words is None or not address:
        return None
    action = str(hook.get("action", ""))
    return f"{words.get(action, action)} {address}"
