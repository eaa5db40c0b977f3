"""Stacks, edges and the graph, as they are printed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from orchestrator.cli.terminal.project_views import edge_words
from orchestrator.cli.terminal.tables import make_table, print_renderables
from orchestrator.repository.model import Edge

LOCATION = "gs://acme-terraform-state-of-the-platform/dev/network/default.tfstate"


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "dev/network"),
        (1, "dev/network (o0000)"),
        (3, "dev/network (o0000, o0001, o0002)"),
        (1_000, "dev/network (o0000, o0001, o0002 and 997 more)"),
        (2_000, "dev/network (o0000, o0001, o0002 and 1,997 more)"),
    ],
)
def test_of_many_outputs_the_first_are_named(count: int, words: str) -> None:
    outputs = frozenset(f"o{number:04}" for number in range(count))
    assert edge_words(Edge("dev/network", "dev/app", "remote_state", outputs=outputs)) == words


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_a_location_is_never_broken(width: int) -> None:
    table = make_table("stack", "reads", "state", whole=("stack", "state"))
    table.add_row(Text("dev/app"), Text("dev/network (id) and dev/database (name)"), Text(LOCATION))
    out = io.StringIO()
    print_renderables(Console(file=out, width=width, force_terminal=True, color_system=None), [table])
    assert LOCATION in out.getvalue()
    lines = out.getvalue().splitlines()
    assert all(len(line.rstrip()) <= max(width, len(f"  state: {LOCATION}")) for line in lines)
    assert sum("dev/database" in line for line in lines) == 1
