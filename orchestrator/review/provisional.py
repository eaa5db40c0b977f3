"""Finds plans that may still change when upstreams are applied, since they read outputs that change."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.report.model import StackReport
from orchestrator.repository.model import Project


def find_provisional(
    project: Project, reports: Mapping[str, StackReport], elsewhere: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """For each stack, the upstreams in this change whose applies may still change its plan.

    A planned change of an output affects its readers, and in turn the readers of those. `elsewhere` are
    changed stacks whose plans are not available: they count as changing their outputs.
    """
    edges = [edge for edge in project.edges if edge.kind == "remote_state"]
    upstreams: dict[str, set[str]] = {}
    for edge in edges:
        report = reports.get(edge.source)
        if edge.source in elsewhere or (report and _moves(report, edge.outputs)):
            upstreams.setdefault(edge.target, set()).add(edge.source)
    has_grown = True
    while has_grown:
        has_grown = False
        for edge in edges:
            if edge.source in upstreams and edge.source not in upstreams.get(edge.target, ()):
                upstreams.setdefault(edge.target, set()).add(edge.source)
                has_grown = True
    return {id_: tuple(sorted(sources)) for id_, sources in sorted(upstreams.items())}


def _moves(report: StackReport, read: frozenset[str] | None) -> bool:
    """Whether a plan changes an output that is read; a waiting stack has no outputs yet."""
    if report.result == "waiting":
        return True
    return (
        report.result == "changed"
        and bool(report.outputs)
        and (read is None or not read.isdisjoint(report.outputs))
    )
