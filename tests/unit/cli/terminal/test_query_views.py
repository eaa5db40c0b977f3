"""Answers of queries: what a spreadsheet or a terminal would obey is shown as text."""

from __future__ import annotations

import csv
import io

import pytest

from orchestrator.cli.terminal.query_views import render_csv
from orchestrator.insight.query import QueryResult


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("dev/net", "dev/net"),
        ("a-b=c@d", "a-b=c@d"),
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "\\u000d=1"),
        ("\x1b]0;x\x07", "\\u001b]0;x\\u0007"),
        ("two\nlines", "two\nlines"),
        (-1, "-1"),
        (-0.5, "-0.5"),
        (None, ""),
    ],
)
def test_a_cell_is_text(value: object, cell: str) -> None:
    text = render_csv(QueryResult(("=column",), [(value, "end")]))
    assert list(csv.reader(io.StringIO(text))) == [["'=column"], [cell, "end"]]
