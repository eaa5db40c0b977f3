"""Which names differ, and what is shown of them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orchestrator.cli.parity import cut_values, parity_view
from orchestrator.cli.terminal.tables import print_renderables
from orchestrator.report.parity import Difference, StackParity, find_differences


def test_only_names_that_differ_are_given_in_order() -> None:
    values = {"dev": {"b": "1", "a": "x", "same": "s"}, "prod": {"b": "2", "same": "s"}}
    assert list(find_differences("variable", values)) == [
        Difference("variable", "a", {"dev": "x", "prod": None}),
        Difference("variable", "b", {"dev": "1", "prod": "2"}),
    ]


def test_secrets_that_differ_are_reported_without_their_values() -> None:
    compared = {"dev": {"token": "s1", "same": "s"}, "prod": {"token": "s2", "same": "s"}}
    hidden_values = {
        environment: dict.fromkeys(values, "(hidden)") for environment, values in compared.items()
    }
    (difference,) = find_differences("variable", compared, hidden_values)
    assert difference == Difference(
        "variable", "token", {"dev": "(hidden)", "prod": "(hidden)"}, is_hidden=True
    )


def test_what_was_not_seen_is_never_equal() -> None:
    assert StackParity("net", ("dev", "prod"), (), (), {}).is_equal
    assert not StackParity("net", ("dev", "prod"), (), (), {"prod": "its state: no rights"}).is_equal
    assert not StackParity("net", ("dev",), ("prod",), (), {}).is_equal


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        (["a", None, "b" * 48], ["a", "-", "b" * 48]),
        (["x" * 60 + "1", "x" * 60 + "2"], ["…" + "x" * 12 + "1", "…" + "x" * 12 + "2"]),
        (["1" + "x" * 60, None], ["1" + "x" * 47 + "…", "-"]),
    ],
)
def test_long_values_are_cut_to_where_they_differ(values: list[str | None], cut: list[str]) -> None:
    assert cut_values(values) == cut


def test_an_address_is_not_broken_at_80_columns() -> None:
    address = "google_compute_subnetwork.by_region"
    pending = "it was never applied by infra"
    differences = (
        Difference("resource", address, {"dev": "there", "staging": None, "prod": None}),
        Difference("pending", "changes", {"dev": "up to date", "staging": pending, "prod": pending}),
    )
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    print_renderables(
        console, parity_view([StackParity("net", ("dev", "staging", "prod"), (), differences, {})])
    )
    assert address in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80
