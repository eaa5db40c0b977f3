"""Which plans may still change when others are applied: they read outputs that move."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.project.model import Project
from orchestrator.report.model import StackReport


def provisional(
    project: Project, reports: Mapping[str, StackReport], elsewhere: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """For each stack the upstreams in this change whose applies may still change its plan.

    A planned change of an output moves those that read it. What they become is known once that is applied, so
    all that read one of them may move too. `elsewhere` are stacks that change and whose plans are not at
    hand: unsure counts as yes.
    """
    edges = [edge for edge in project.edges if edge.kind == "remote_state"]
    found: dict[str, set[str]] = {}
    for edge in edges:
        report = reports.get(edge.source)
        if edge.source in elsewhere or (report and _moves(report, edge.outputs)):
            found.setdefault(edge.target, set()).add(edge.source)
    grown = True
    while grown:
        grown = False
        for edge in edges:
            if edge.source in found and edge.source not in found.get(edge.target, ()):
                found.setdefault(edge.target, set()).add(edge.source)
                grown = True
    return {id_: tuple(sorted(sources)) for id_, sources in sorted(found.items())}


def _moves(report: StackReport, read: frozenset[str] | None) -> bool:
    """Whether a plan changes an output that is read; one that has to wait has no outputs yet."""
    if report.result == "waiting":
        return True
    return (
        report.result == "changed"
        and bool(report.outputs)
        and (read is None or not read.isdisjoint(report.outputs))
    )
