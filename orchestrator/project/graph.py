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
    known = list(needs)
    left = {node: {need for need in needs[node] if need in needs} for node in known}
    after = dependants(needs)
    groups: list[list[Node]] = []
    ready = [node for node in known if not left[node]]
    rank = {node: index for index, node in enumerate(known)}
    done = 0
    while ready:
        groups.append(ready)
        done += len(ready)
        following = []
        for node in ready:
            for next_node in after[node]:
                left[next_node].discard(node)
                if not left[next_node]:
                    following.append(next_node)
        ready = sorted(set(following), key=rank.__getitem__)
    if done < len(known):
        cycle = find_cycle(needs)
        raise (on_cycle or cycle_error)(cycle or [])
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
    found: set[Node] = set()
    todo = [node for node in start if node in needs]
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo.extend(need for need in needs[node] if need in needs)
    return found


def restrict(needs: Needs[Node], nodes: Collection[Node]) -> dict[Node, set[Node]]:
    """The graph of some nodes alone; one that needs another by way of nodes left out still needs it."""
    kept: dict[Node, set[Node]] = {}
    wanted = set(nodes)
    for node in needs:
        if node in wanted:
            kept[node] = _nearest(needs, node, wanted)
    return kept


def _nearest(needs: Needs[Node], node: Node, wanted: set[Node]) -> set[Node]:
    """The closest wanted nodes above `node`."""
    found: set[Node] = set()
    seen: set[Node] = set()
    todo = list(needs[node])
    while todo:
        need = todo.pop()
        if need in seen or need not in needs:
            continue
        seen.add(need)
        if need in wanted:
            found.add(need)
        else:
            todo.extend(needs[need])
    return found - {node}


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


def cycle_error(cycle: list[Node]) -> ProjectError:
    """A cycle in words."""
    return ProjectError(
        f"These wait for each other: {' → '.join(str(node) for node in cycle)}.",
        advice="Break the circle: let one of them do without the other's outputs.",
    )
