"""The promises of docs/reliability.md name functions and tests that exist."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (.+) \| `([\w/]+\.py):([\w.]+)` \| `([\w/]+\.py):(\w+)` \|$", re.MULTILINE)
_TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = _ROW.findall(_TEXT)


@functools.cache
def names_in(path: Path) -> set[str]:
    """Functions and methods of a file, as `function` and `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return names


def test_every_row_can_be_read() -> None:
    rows = [line for line in _TEXT.splitlines() if line.startswith("| ") and ".py:" in line]
    assert len(ROWS) == len(rows) > 20


@pytest.mark.parametrize(
    ("function_file", "function", "test_file", "test"),
    [row[1:] for row in ROWS],
    ids=[r[0][:60] for r in ROWS],
)
def test_function_and_test_exist(function_file: str, function: str, test_file: str, test: str) -> None:
    assert function in names_in(ROOT / "orchestrator" / function_file)
    assert test in names_in(ROOT / "tests" / test_file)
