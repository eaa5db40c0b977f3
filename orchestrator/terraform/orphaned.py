"""An apply whose parent did not see it end: what its files say instead of its exit code."""

from __future__ import annotations

from pathlib import Path

from orchestrator.process import Completed
from orchestrator.terraform.journal import parse_line, read_journal
from orchestrator.terraform.model import Workdir

JOURNAL = "journal.jsonl"


def ended_alone(work: Workdir) -> Completed:
    """The apply as `Completed`, with the exit code that its journal stands for.

    Terraform ends a successful apply with its summary, and a failed one with errors; a journal with neither
    is that of one that was killed.
    """
    lines = last_run(_bytes(work.run_dir / JOURNAL).splitlines())
    journal = read_journal(lines)
    failed = any(one.severity == "error" for one in journal.diagnostics)
    succeeded = bool(journal.counts) and not failed
    code = 0 if succeeded else 1 if failed else -9
    stderr = _bytes(work.run_dir / "stderr")
    return Completed(("terraform", "apply"), code, b"\n".join(lines), stderr, 0.0, ended="interrupted")


def last_run(lines: list[bytes]) -> list[bytes]:
    """The lines of the last Terraform that wrote into a journal: each begins with its version."""
    starts = [n for n, line in enumerate(lines) if (parse_line(line) or {}).get("type") == "version"]
    return lines[starts[-1] :] if starts else lines


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
