"""Renders the graph of a project as Mermaid or as DOT for Graphviz."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from orchestrator.repository.model import Edge, Project


def select_edges(project: Project, stacks: Collection[str]) -> list[Edge]:
    """The edges between the given stacks, one for each pair; a remote state is preferred to `depends_on`."""
    edges: dict[tuple[str, str], Edge] = {}
    for edge in project.edges:
        if edge.source in stacks and edge.target in stacks:
            ends = (edge.source, edge.target)
            if ends not in edges or edges[ends].kind == "depends_on":
                edges[ends] = edge
    return list(edges.values())


def render_mermaid(project: Project, stacks: Collection[str]) -> str:
    """A Mermaid flowchart: environments as boxes, an arrow from a stack to those that come after it."""
    return "\n".join(_mermaid(project, stacks)) + "\n"


def _mermaid(project: Project, stacks: Collection[str]) -> Iterator[str]:
    # Mermaid's own ids are plain words, so that no stack's name can be read as syntax.
    ids = {stack: f"s{index}" for index, stack in enumerate(project.stacks)}
    yield "flowchart LR"
    for index, environment in enumerate(project.environments):
        members = [stack for stack in project.of(environment) if stack.id in stacks]
        if not members:
            continue
        yield f'  subgraph e{index}["{_entities(environment)}"]'
        yield from (f'    {ids[stack.id]}["{_entities(stack.name or stack.id)}"]' for stack in members)
        yield "  end"
    for edge in select_edges(project, stacks):
        arrow = "-->" if edge.kind == "remote_state" else "-.->"
        yield f"  {ids[edge.source]} {arrow} {ids[edge.target]}"


def render_dot(project: Project, stacks: Collection[str]) -> str:
    """A Graphviz digraph: one cluster for each environment."""
    return "\n".join(_dot(project, stacks)) + "\n"


def _dot(project: Project, stacks: Collection[str]) -> Iterator[str]:
    yield "digraph infra {"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for index, environment in enumerate(project.environments):
        members = [stack for stack in project.of(environment) if stack.id in stacks]
        if not members:
            continue
        yield f"  subgraph cluster_{index} {{"
        yield f"    label={_quoted(environment)};"
        for stack in members:
            yield f"    {_quoted(stack.id)} [label={_quoted(stack.name or stack.id)}];"
        yield "  }"
    for edge in select_edges(project, stacks):
        style = "" if edge.kind == "remote_state" else " [style=dashed]"
        yield f"  {_quoted(edge.source)} -> {_quoted(edge.target)}{style};"
    yield "}"


def _entities(text: str) -> str:
    """Text inside a quoted Mermaid label."""
    special = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(special.get(char, char) for char in text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
