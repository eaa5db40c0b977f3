"""How the commands that look at a project print it: tables and trees, plain off a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from orchestrator.cli.terminal.tables import make_table
from orchestrator.report.words import plural
from orchestrator.repository.affected import Affected, AffectedStack
from orchestrator.repository.model import Edge, Finding, Project

SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
# Chains shown for one stack before the rest is only counted.
MOST_CHAINS = 10
# Outputs of one edge, and upstreams of one stack, that are named before the rest is only counted.
MOST_OUTPUTS = 3
MOST_UPSTREAMS = 5


def project_view(project: Project, stacks: Collection[str]) -> Iterator[RenderableType]:
    """`infra list`: a table of stacks for each environment, then the modules."""
    for name in project.environments:
        members = [stack for stack in project.of(name) if stack.id in stacks]
        if not members:
            continue
        yield _environment_line(project, name)
        table = make_table("stack", "reads", "state", whole=("stack", "state"))
        for stack in members:
            state = stack.state or f"{stack.backend.kind}, cannot be told"
            label = Text(stack.id)
            if stack.shared:
                label.append(f" in {stack.path or '.'}", style="dim")
            table.add_row(label, _reads(project, stack.id), Text(state, style="dim"))
        yield table
        yield Text("")
    if project.modules:
        table = make_table("module", "calls", "", whole=("module",))
        for module in project.modules.values():
            unused = "" if module.used else "no stack uses it"
            calls = _first_names(module.calls, MOST_UPSTREAMS)
            table.add_row(Text(module.path), Text(calls), Text(unused, style="dim"))
        yield table
        yield Text("")
    parts = (
        plural(len(project.environments), "environment"),
        plural(len(project.stacks), "stack"),
        plural(len(project.modules), "module"),
        plural(len(project.edges), "edge"),
    )
    yield Text(", ".join(parts))


def _environment_line(project: Project, name: str) -> Text:
    """An environment's name with what is special about it."""
    notes = []
    if project.config.is_protected(name, project.order):
        notes.append("protected")
    if name in project.order.unordered:
        notes.append("no place in the promotion order")
    line = Text(name, style="bold")
    return line.append(f"  ({', '.join(notes)})" if notes else "", style="not bold dim")


def _reads(project: Project, stack: str) -> Text:
    edges = [edge_words(edge) for edge in project.edges if edge.target == stack]
    return Text(_first_names(edges, MOST_UPSTREAMS))


def edge_words(edge: Edge) -> str:
    """`dev/network (id, name)`; `dev/network (all outputs)`; `dev/network` for a mere order."""
    if edge.kind == "depends_on":
        return f"{edge.source} (depends_on)"
    outputs = "all outputs" if edge.outputs is None else _first_names(sorted(edge.outputs), MOST_OUTPUTS)
    return f"{edge.source} ({outputs})" if outputs else edge.source


def _first_names(names: Sequence[str], most: int) -> str:
    """`a, b, c`; of more than `most` names the first, and how many follow."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def graph_view(
    project: Project, waves: Sequence[Sequence[str]], edges: Sequence[Edge]
) -> Iterator[RenderableType]:
    """`infra graph`: each environment as a tree, a stack below those that it comes after."""
    wave_of = {stack: number for number, wave in enumerate(waves, 1) for stack in wave}
    below: dict[str, list[Edge]] = {stack: [] for stack in wave_of}
    parent: dict[str, Edge] = {}
    for edge in edges:
        # A stack hangs below the upstream that is done last; the others are named behind it.
        best = parent.get(edge.target)
        if best is None or wave_of[edge.source] > wave_of[best.source]:
            parent[edge.target] = edge
    for edge in parent.values():
        below[edge.source].append(edge)
    for name in project.environments:
        members = [stack for stack in wave_of if project.stacks[stack].environment == name]
        if not members:
            continue
        tree = Tree(_environment_line(project, name), guide_style="dim")
        for stack in members:
            if stack not in parent:
                _branch(tree, stack, None, below, edges)
        if tree.children:
            yield tree
    yield Text(
        f"{plural(len(wave_of), 'stack')} in {plural(len(waves), 'wave')}: "
        "those of one wave may run together."
    )


def _branch(
    tree: Tree, stack: str, edge: Edge | None, below: dict[str, list[Edge]], edges: Sequence[Edge]
) -> None:
    todo = [(tree, stack, edge)]
    while todo:
        above, name, by = todo.pop(0)
        label = Text(name)
        if by is not None:
            words = edge_words(by).partition(" ")[2]
            label.append(f"  {words}" if words else "", style="dim")
            sources = [edge.source for edge in edges if edge.target == name and edge.source != by.source]
            also = _first_names(sources, MOST_UPSTREAMS)
            label.append(f"  also after {also}" if also else "", style="dim")
        node = above.add(label)
        todo.extend((node, edge.target, edge) for edge in below[name])


def findings_view(project: Project, findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """`infra validate`: each finding with its place and what to do, then the verdict."""
    for finding in findings:
        location = f"{finding.file}:{finding.line}" if finding.file and finding.line else finding.file or ""
        line = Text(finding.severity, style=SEVERITY_STYLES[finding.severity])
        line.append(f" {location}:" if location else ":", style="bold")
        line.append(f" {finding.message}", style="not bold default")
        line.append(f"  [{finding.code}]", style="not bold dim")
        yield line
        if finding.advice:
            yield Text(f"  {finding.advice}", style="dim")
    numbers = [
        plural(sum(finding.severity == severity for finding in findings), word)
        for severity, word in (("error", "error"), ("warning", "warning"), ("info", "note"))
    ]
    bad = any(finding.severity == "error" for finding in findings)
    style = "bold red" if bad else "green"
    yield Text(f"{plural(len(project.stacks), 'stack')}: {', '.join(numbers)}.", style=style)


def affected_view(affected: Affected, *, why: bool) -> Iterator[RenderableType]:
    """`infra affected`: stacks that differ, with `why` their chains, then who follows and what is gone."""
    against = f"commit {affected.base[:10]}" if affected.base else "nothing, since there is no commit yet"
    if not (affected.stacks or affected.deleted):
        yield Text(f"No stack is affected, compared with {against}.")
        return
    for changed in affected.stacks:
        line = Text(changed.id, style="bold")
        what = f"renamed from {changed.renamed_from}" if changed.renamed_from else changed.change
        yield line.append(f"  {what}", style="not bold dim")
        if why:
            yield from _chains(changed)
    for id_, after in affected.dependents.items():
        line = Text(id_)
        yield line.append(f"  may change after {', '.join(after)}", style="dim")
    for stack in affected.deleted:
        line = Text(stack.id, style="red")
        yield line.append("  deleted: what it made is to be destroyed", style="dim")
    yield Text("")
    yield Text(f"{_affected_counts(affected)}, compared with {against}.")


def _affected_counts(affected: Affected) -> str:
    """How many stacks of each kind are listed."""
    counts = [f"{plural(len(affected.stacks), 'stack')} affected"] if affected.stacks else []
    counts += [f"{len(affected.dependents)} may change after them"] if affected.dependents else []
    counts += [f"{plural(len(affected.deleted), 'stack')} deleted"] if affected.deleted else []
    return ", ".join(counts)


def _chains(stack: AffectedStack) -> Iterator[RenderableType]:
    for chain in stack.reasons[:MOST_CHAINS]:
        yield Text(f"  {' → '.join(chain)}")
    if len(stack.reasons) > MOST_CHAINS:
        yield Text(f"  … and {len(stack.reasons) - MOST_CHAINS} more (all with --json)", style="dim")
