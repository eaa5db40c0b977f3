"""Which names differ, and what is shown of them."""

from __future__ import annotations

import pytest

from orchestrator.cli.parity import cut_values
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
