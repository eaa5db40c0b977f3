"""How the commands that look at a project print it: tables and trees, plain off a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from orchestrator.project.affected import Affected, AffectedStack
from orchestrator.project.model import Edge, Finding, Project

if TYPE_CHECKING:
    from orchestrator.cli.context import App

# Wide enough for any table: who reads a file or a pipe wants one line for one thing.
WIDE = 10_000
SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
# Chains shown for one stack before the rest is only counted.
MOST_CHAINS = 10


def show(app: App, pieces: Iterator[RenderableType]) -> None:
    """Print to standard output."""
    console: Console = app.console()
    if not console.is_terminal:
        console.width = WIDE
    for piece in pieces:
        console.print(piece)


def count(number: int, word: str) -> str:
    """`1 stack`, `2 stacks`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def grid(*columns: str) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def project_view(project: Project, stacks: Collection[str]) -> Iterator[RenderableType]:
    """`infra list`: a table of stacks for each environment, then the modules."""
    for name in project.environments:
        members = [stack for stack in project.of(name) if stack.id in stacks]
        if not members:
            continue
        yield environment_line(project, name)
        table = grid("stack", "reads", "state")
        table.columns[0].no_wrap = True
        for stack in members:
            state = stack.state or f"{stack.backend.kind}, cannot be told"
            label = Text(stack.id)
            if stack.shared:
                label.append(f" in {stack.path or '.'}", style="dim")
            table.add_row(label, _reads(project, stack.id), Text(state, style="dim"))
        yield table
        yield Text("")
    if project.modules:
        table = grid("module", "calls", "")
        for module in project.modules.values():
            unused = "" if module.used else "no stack uses it"
            table.add_row(Text(module.path), Text(", ".join(module.calls)), Text(unused, style="dim"))
        yield table
        yield Text("")
    parts = (
        count(len(project.environments), "environment"),
        count(len(project.stacks), "stack"),
        count(len(project.modules), "module"),
        count(len(project.edges), "edge"),
    )
    yield Text(", ".join(parts))


def environment_line(project: Project, name: str) -> Text:
    """An environment's name with what is special about it."""
    notes = []
    if project.config.is_protected(name, project.order):
        notes.append("protected")
    if name in project.order.unordered:
        notes.append("no place in the promotion order")
    line = Text(name, style="bold")
    return line.append(f"  ({', '.join(notes)})" if notes else "", style="not bold dim")


def _reads(project: Project, stack: str) -> Text:
    return Text(", ".join(edge_words(edge) for edge in project.edges if edge.target == stack))


def edge_words(edge: Edge) -> str:
    """`dev/network (id, name)`; `dev/network (all outputs)`; `dev/network` for a mere order."""
    if edge.kind == "depends_on":
        return f"{edge.source} (depends_on)"
    outputs = "all outputs" if edge.outputs is None else ", ".join(sorted(edge.outputs))
    return f"{edge.source} ({outputs})" if outputs else edge.source


def graph_view(
    project: Project, waves: Sequence[Sequence[str]], edges: Sequence[Edge]
) -> Iterator[RenderableType]:
    """`infra graph`: each environment as a tree, a stack below those that it comes after."""
    place = {stack: number for number, wave in enumerate(waves, 1) for stack in wave}
    below: dict[str, list[Edge]] = {stack: [] for stack in place}
    parent: dict[str, Edge] = {}
    for edge in edges:
        # A stack hangs below the prerequisite that is done last; the others stand behind its name.
        best = parent.get(edge.target)
        if best is None or place[edge.source] > place[best.source]:
            parent[edge.target] = edge
    for edge in parent.values():
        below[edge.source].append(edge)
    for name in project.environments:
        members = [stack for stack in place if project.stacks[stack].environment == name]
        if not members:
            continue
        tree = Tree(environment_line(project, name), guide_style="dim")
        for stack in members:
            if stack not in parent:
                _branch(tree, stack, None, below, edges)
        if tree.children:
            yield tree
    yield Text(
        f"{count(len(place), 'stack')} in {count(len(waves), 'wave')}: those of one wave may run together."
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
            others = [one.source for one in edges if one.target == name and one.source != by.source]
            label.append(f"  also after {', '.join(others)}" if others else "", style="dim")
        node = above.add(label)
        todo.extend((node, one.target, one) for one in below[name])


def findings_view(project: Project, findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """`infra validate`: each finding with its place and what to do, then the verdict."""
    for one in findings:
        place = f"{one.file}:{one.line}" if one.file and one.line else one.file or ""
        line = Text(one.severity, style=SEVERITY_STYLES[one.severity])
        line.append(f" {place}:" if place else ":", style="bold")
        line.append(f" {one.message}", style="not bold default")
        line.append(f"  [{one.code}]", style="not bold dim")
        yield line
        if one.advice:
            yield Text(f"  {one.advice}", style="dim")
    numbers = [
        count(sum(one.severity == severity for one in findings), word)
        for severity, word in (("error", "error"), ("warning", "warning"), ("info", "note"))
    ]
    bad = any(one.severity == "error" for one in findings)
    style = "bold red" if bad else "green"
    yield Text(f"{count(len(project.stacks), 'stack')}: {', '.join(numbers)}.", style=style)


def affected_view(found: Affected, *, why: bool) -> Iterator[RenderableType]:
    """`infra affected`: stacks that differ, with `why` their chains, then who follows and what is gone."""
    against = f"commit {found.base[:10]}" if found.base else "nothing, since there is no commit yet"
    if not (found.stacks or found.deleted):
        yield Text(f"No stack is affected, compared with {against}.")
        return
    for one in found.stacks:
        line = Text(one.id, style="bold")
        what = f"renamed from {one.renamed_from}" if one.renamed_from else one.change
        yield line.append(f"  {what}", style="not bold dim")
        if why:
            yield from _chains(one)
    for id_, after in found.followers.items():
        line = Text(id_)
        yield line.append(f"  may change after {', '.join(after)}", style="dim")
    for stack in found.deleted:
        line = Text(stack.id, style="red")
        yield line.append("  deleted: what it made is to be destroyed", style="dim")
    yield Text("")
    yield Text(f"{_affected_counts(found)}, compared with {against}.")


def _affected_counts(found: Affected) -> str:
    """How many stacks of each kind are listed."""
    counts = [f"{count(len(found.stacks), 'stack')} affected"] if found.stacks else []
    counts += [f"{len(found.followers)} may change after them"] if found.followers else []
    counts += [f"{count(len(found.deleted), 'stack')} deleted"] if found.deleted else []
    return ", ".join(counts)


def _chains(stack: AffectedStack) -> Iterator[RenderableType]:
    for chain in stack.reasons[:MOST_CHAINS]:
        yield Text(f"  {' → '.join(chain)}")
    if len(stack.reasons) > MOST_CHAINS:
        yield Text(f"  … and {len(stack.reasons) - MOST_CHAINS} more (all with --json)", style="dim")
