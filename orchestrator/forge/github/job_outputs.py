"""Writes a GitHub Actions step's summary and outputs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

SUMMARY = "GITHUB_STEP_SUMMARY"
OUTPUT = "GITHUB_OUTPUT"


def add_summary(environ: Mapping[str, str], text: str) -> None:
    """Adds Markdown to the step's summary; does nothing outside a job."""
    _append(environ.get(SUMMARY, ""), text if text.endswith("\n") else f"{text}\n")


def set_outputs(environ: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Sets outputs of the step; does nothing outside a job. No value can set another output."""
    text = ""
    for name, value in outputs.items():
        end = secrets.token_hex(16)
        text += f"{name}<<{end}\n{value}\n{end}\n"
    _append(environ.get(OUTPUT, ""), text)


def _append(path: str, text: str) -> None:
    if path and text:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
