"""Order, waves and cycles, against brute force."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ProjectError
from orchestrator.repository import graph

NODES = "abcdefg"

edges = st.sets(
    st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda pair: pair[0] != pair[1])
)


def needs_of(pairs: set[tuple[str, str]]) -> dict[str, set[str]]:
    return {node: {need for other, need in pairs if other == node} for node in NODES}


def closure(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    needs_by_node = {node: set(needs[node]) for node in needs}
    for middle in needs:
        for node in needs:
            if middle in needs_by_node[node]:
                needs_by_node[node] |= needs_by_node[middle]
    return needs_by_node


@given(edges)
def test_waves_put_everything_after_what_it_needs_or_there_is_a_cycle(pairs: set[tuple[str, str]]) -> None:
    needs = needs_of(pairs)
    cyclic = any(node in above for node, above in closure(needs).items())
    cycle = graph.find_cycle(needs)
    assert cyclic == (cycle is not None)
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        assert all(before in needs[after] for before, after in pairwise(cycle))
        with pytest.raises(ProjectError, match=" → ".join(cycle)):
            graph.waves(needs)
        return
    waves = graph.waves(needs)
    numbers = {node: number for number, wave in enumerate(waves) for node in wave}
    assert sorted(numbers) == sorted(NODES)
    for node in NODES:
        # As early as can be: right behind the last of its prerequisites.
        assert numbers[node] == max((numbers[need] + 1 for need in needs[node]), default=0)
    assert graph.order(needs) == [node for wave in waves for node in wave]


@given(edges, st.sampled_from(NODES))
def test_reachable_is_the_closure(pairs: set[tuple[str, str]], start: str) -> None:
    needs = needs_of(pairs)
    assert graph.reachable(needs, [start]) == closure(needs)[start] | {start}
    after = graph.dependants(needs)
    expected = {node for node in NODES if start in closure(needs)[node]} | {start}
    assert graph.reachable(after, [start]) == expected


@given(edges, st.sets(st.sampled_from(NODES)))
def test_a_part_of_the_graph_keeps_its_order(pairs: set[tuple[str, str]], subset: set[str]) -> None:
    # Edges from later letters to earlier ones only, so that there is no cycle.
    needs = needs_of({(max(pair), min(pair)) for pair in pairs})
    part = graph.restrict(needs, subset)
    assert set(part) == subset
    above = closure(needs)
    part_above = closure({**{node: set() for node in NODES}, **part})
    for node in subset:
        assert part_above[node] == above[node] & subset


def test_needs_that_are_no_nodes_are_left_out() -> None:
    assert graph.waves({"a": {"elsewhere"}, "b": {"a"}}) == [["a"], ["b"]]


def test_ten_thousand_in_a_row() -> None:
    needs = {number: {number - 1} if number else set() for number in range(10_000)}
    assert len(graph.waves(needs)) == 10_000
    needs[0] = {9_999}
    assert graph.find_cycle(needs) is not None
