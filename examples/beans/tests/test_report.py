from __future__ import annotations

from typing import Any

from beans.report import render_markdown, render_text

EVALUATION: dict[str, Any] = {
    "accuracy": 0.75,
    "macro_f1": 0.7,
    "classes": {
        "CALI": {"precision": 1.0, "recall": 0.5, "f1": 0.667, "rows": 2},
        "SIRA": {"precision": 0.667, "recall": 1.0, "f1": 0.8, "rows": 2},
    },
    "confusion_matrix": {"classes": ["CALI", "SIRA"], "rows": [[1, 1], [0, 2]]},
}


def test_a_report_compares_with_an_earlier_one() -> None:
    earlier = {**EVALUATION, "accuracy": 0.5, "macro_f1": 0.8}
    first, change, summary, *rest = render_markdown(EVALUATION, earlier).split("\n", 3)
    assert first == "### The model of this change"
    assert change == ""
    assert "Accuracy **0.7500** (+0.2500), macro F1 **0.7000** (-0.1000)" in summary
    assert "| CALI | 1.000 | 0.500 | 0.667 | 2 |" in rest[0]
    assert "| true class | CALI | SIRA |" in rest[0]
    assert "| SIRA | 0 | 2 |" in rest[0]


def test_the_first_report_compares_with_nothing() -> None:
    assert "Accuracy **0.7500**, macro F1 **0.7000**," in render_markdown(EVALUATION)


def test_a_terminal_shows_the_same() -> None:
    lines = render_text(EVALUATION).splitlines()
    assert lines[1].split() == ["CALI", "1.000", "0.500", "0.667", "2"]
    assert lines[-1] == "accuracy 0.7500, macro F1 0.7000"
    assert lines[5].split() == ["CALI", "1", "1"]
