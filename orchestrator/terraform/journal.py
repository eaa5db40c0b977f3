"""Reads the journal of an apply: Terraform's `-json` lines, complete or cut short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.jsontext import mapping, read_object
from orchestrator.process import Completed
from orchestrator.terraform.diagnostics import diagnostic_from_json
from orchestrator.terraform.model import AppliedResource, Diagnostic, Workdir

JOURNAL = "journal.jsonl"
_DOING = {"create": "creating", "update": "changing", "delete": "destroying", "read": "reading"}
_DONE = {"create": "created", "update": "changed", "delete": "destroyed", "read": "read"}


@dataclass
class Journal:
    """The events read so far."""

    finished: list[AppliedResource] = field(default_factory=list)
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
            diagnostic = diagnostic_from_json(mapping(line.get("diagnostic")))
            # An interrupt is reported once for each resource that it kept from being begun.
            if diagnostic not in self.diagnostics:
                self.diagnostics.append(diagnostic)
        elif kind == "change_summary":
            changes = mapping(line.get("changes"))
            if changes.get("operation") != "plan":
                self.counts = {name: n for name, n in changes.items() if isinstance(n, int)}
        elif kind == "outputs":
            outputs = mapping(line.get("outputs"))
            self.outputs = {name: output for name, output in outputs.items() if isinstance(output, dict)}

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
            AppliedResource(
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
        return sum(1 for applied in self.finished if applied.action == action)


def read_journal(lines: Iterable[bytes]) -> Journal:
    """Read whole lines. One that is not JSON (the last may be torn), or no event, is passed over."""
    journal = Journal()
    for line in lines:
        document = _parse_line(line)
        if document is not None:
            journal.add(document)
    return journal


def _parse_line(line: bytes) -> dict[str, Any] | None:
    """A line's document, None when it is not one."""
    try:
        return read_object(line)
    except ValueError:
        return None


def event_text(line: bytes) -> str | None:
    """The progress text of a line, such as "creating google_x.y"; None for other lines."""
    if b'"apply_' not in line:
        return None
    document = _parse_line(line) or {}
    words = {"apply_start": _DOING, "apply_progress": _DOING, "apply_complete": _DONE}.get(
        str(document.get("type"))
    )
    hook = mapping(document.get("hook"))
    address = mapping(hook.get("resource")).get("addr")
    if words is None or not address:
        return None
    action = str(hook.get("action", ""))
    return f"{words.get(action, action)} {address}"


def read_orphaned_apply(work: Workdir) -> Completed:
    """An apply whose parent did not see it end, as `Completed`, with the exit code that its journal implies.

    Terraform ends a successful apply with its summary, and a failed one with errors; a journal with neither
    is that of one that was killed.
    """
    lines = last_run(_bytes(work.run_dir / JOURNAL).splitlines())
    journal = read_journal(lines)
    failed = any(diagnostic.severity == "error" for diagnostic in journal.diagnostics)
    succeeded = bool(journal.counts) and not failed
    code = 0 if succeeded else 1 if failed else -9
    stderr = _bytes(work.run_dir / "stderr")
    return Completed(("terraform", "apply"), code, b"\n".join(lines), stderr, 0.0, ended="interrupted")


def last_run(lines: list[bytes]) -> list[bytes]:
    """The lines of the last Terraform that wrote into a journal: each begins with its version."""
    starts = [n for n, line in enumerate(lines) if (_parse_line(line) or {}).get("type") == "version"]
    return lines[starts[-1] :] if starts else lines


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
