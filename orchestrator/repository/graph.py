"""A directed graph without cycles: order, waves, what comes before and after a node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import TypeVar

from orchestrator.errors import ProjectError

Node = TypeVar("Node", bound=Hashable)

# For each node, those that must come before it.
Needs = Mapping[Node, Collection[Node]]


def waves(needs: Needs[Node], on_cycle: Callable[[list[Node]], Exception] | None = None) -> list[list[Node]]:
    """Nodes in groups that may run together, prerequisites in an earlier group.

    Inside a group the order of `needs` holds. A cycle raises what `on_cycle` makes of it.
    """
    nodes = list(needs)
    unmet = {node: {need for need in needs[node] if need in needs} for node in nodes}
    after = dependants(needs)
    groups: list[list[Node]] = []
    ready = [node for node in nodes if not unmet[node]]
    rank = {node: index for index, node in enumerate(nodes)}
    done = 0
    while ready:
        groups.append(ready)
        done += len(ready)
        following = []
        for node in ready:
            for next_node in after[node]:
                unmet[next_node].discard(node)
                if not unmet[next_node]:
                    following.append(next_node)
        ready = sorted(set(following), key=rank.__getitem__)
    if done < len(nodes):
        cycle = find_cycle(needs)
        raise (on_cycle or _cycle_error)(cycle or [])
    return groups


def order(needs: Needs[Node]) -> list[Node]:
    """Every node, each after its prerequisites."""
    return [node for group in waves(needs) for node in group]


def dependants(needs: Needs[Node]) -> dict[Node, list[Node]]:
    """The same edges the other way round."""
    after: dict[Node, list[Node]] = {node: [] for node in needs}
    for node, before in needs.items():
        for need in before:
            if need in after:
                after[need].append(node)
    return after


def reachable(needs: Needs[Node], start: Iterable[Node]) -> set[Node]:
    """`start` and all that they need, directly or not; with `dependants(needs)` all that needs them."""
    nodes: set[Node] = set()
    todo = [node for node in start if node in needs]
    while todo:
        node = todo.pop()
        if node not in nodes:
            nodes.add(node)
            todo.extend(need for need in needs[node] if need in needs)
    return nodes


def restrict(needs: Needs[Node], nodes: Collection[Node]) -> dict[Node, set[Node]]:
    """The graph of some nodes alone; one that needs another by way of nodes left out still needs it."""
    restricted: dict[Node, set[Node]] = {}
    chosen = set(nodes)
    for node in needs:
        if node in chosen:
            restricted[node] = _nearest(needs, node, chosen)
    return restricted


def _nearest(needs: Needs[Node], node: Node, nodes: set[Node]) -> set[Node]:
    """The closest wanted nodes above `node`."""
    nearest: set[Node] = set()
    visited: set[Node] = set()
    todo = list(needs[node])
    while todo:
        need = todo.pop()
        if need in visited or need not in needs:
            continue
        visited.add(need)
        if need in nodes:
            nearest.add(need)
        else:
            todo.extend(needs[need])
    return nearest - {node}


def find_cycle(needs: Needs[Node]) -> list[Node] | None:
    """One cycle as a path that ends where it begins, in the direction of the work; None without one."""
    state: dict[Node, int] = {}
    for start in needs:
        if start in state:
            continue
        path: list[Node] = []
        todo: list[tuple[Node, bool]] = [(start, False)]
        while todo:
            node, leaving = todo.pop()
            if leaving:
                state[node] = 2
                path.pop()
                continue
            if state.get(node) == 2:
                continue
            if state.get(node) == 1:
                cycle = [*path[path.index(node) :], node]
                return _turned(cycle)
            state[node] = 1
            path.append(node)
            todo.append((node, True))
            todo.extend((need, False) for need in sorted(needs[node], key=str) if need in needs)
    return None


def _turned(cycle: list[Node]) -> list[Node]:
    """The cycle in the direction of the work from its least node on, so that it always reads the same."""
    ring = cycle[:-1][::-1]
    first = min(range(len(ring)), key=lambda index: str(ring[index]))
    turned = ring[first:] + ring[:first]
    return [*turned, turned[0]]


def _cycle_error(cycle: list[Node]) -> ProjectError:
    """A cycle in words."""
    return ProjectError(
        f"These wait for each other: {' → '.join(str(node) for node in cycle)}.",
        advice="Break the circle: let one of them do without the other's outputs.",
    )
