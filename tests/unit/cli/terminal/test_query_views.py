"""Answers of queries: what a spreadsheet or a terminal would obey is shown as text."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from orchestrator.cli.terminal.query_views import render_csv, result_view
from orchestrator.cli.terminal.tables import print_renderables
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


def test_names_are_not_broken_at_80_columns() -> None:
    """People copy run ids and addresses: without room for a column each row is a block."""
    run, address = "20261201T054218353Z-446d8d", 'module.network.google_compute_subnetwork.by_region["eu"]'
    columns = ("run", "stack", "address")
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    print_renderables(console, result_view(QueryResult(columns, [(run, "prod/network", address)])))
    assert run in out.getvalue()
    assert address in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80
