"""The `--json` documents of a project, its findings, and affected stacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from orchestrator.repository.affected import Affected
from orchestrator.repository.model import Edge, Finding, Module, Project, Stack


def project_document(project: Project, stacks: Collection[str]) -> dict[str, Any]:
    """`infra list --json`."""
    edges = [edge for edge in project.edges if edge.target in stacks or edge.source in stacks]
    return {
        "run": None,
        "root": str(project.root),
        "commit": project.commit,
        "environments": [_environment(project, name, stacks) for name in project.environments],
        "stacks": [_stack(project.stacks[stack]) for stack in project.stacks if stack in stacks],
        "modules": [_module(module) for module in project.modules.values()],
        "edges": [_edge_document(edge) for edge in edges],
    }


def graph_document(project: Project, waves: Sequence[Sequence[str]], edges: Sequence[Edge]) -> dict[str, Any]:
    """`infra graph --format json`; a wave holds stacks that may run together."""
    stacks = [
        {"id": id_, "environment": project.stacks[id_].environment, "wave": number}
        for number, wave in enumerate(waves, 1)
        for id_ in wave
    ]
    return {"run": None, "stacks": stacks, "edges": [_edge_document(edge) for edge in edges]}


def findings_document(project: Project, findings: Sequence[Finding]) -> dict[str, Any]:
    """`infra validate --json`; errors among the findings stand in `errors` as well."""
    stacks = [{"id": stack.id, "environment": stack.environment} for stack in project.stacks.values()]
    return {"run": None, "stacks": stacks, **findings_fields(findings)}


def findings_fields(findings: Sequence[Finding], kind: str = "ProjectError") -> dict[str, Any]:
    """The fields `findings` and `errors`; findings of severity error are in both, with class `kind`."""
    return {
        "findings": [finding_document(finding) for finding in findings],
        "errors": [_finding_error(finding, kind) for finding in findings if finding.severity == "error"],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as it stands in every `--json`."""
    return {
        "severity": finding.severity,
        "rule": finding.code,
        "message": finding.message,
        "advice": finding.advice,
        "file": finding.file,
        "line": finding.line,
        "stack": finding.stack,
    }


def _finding_error(finding: Finding, kind: str = "ProjectError") -> dict[str, Any]:
    """A finding as an entry of the document's `errors`."""
    return {
        "class": kind,
        "message": finding.message,
        "advice": finding.advice,
        "file": finding.file,
        "line": finding.line,
        "key": None,
        "stack": finding.stack,
    }


def affected_document(project: Project, affected: Affected) -> dict[str, Any]:
    """`infra affected --json`."""
    return {
        "run": None,
        "base": affected.base,
        "commit": project.commit,
        "stacks": [
            {
                "id": stack.id,
                "environment": stack.environment,
                "change": stack.change,
                "reasons": [list(chain) for chain in stack.reasons],
                "renamed_from": stack.renamed_from or None,
            }
            for stack in affected.stacks
        ],
        "dependents": [
            {"id": id_, "environment": project.stacks[id_].environment, "after": list(after)}
            for id_, after in affected.dependents.items()
        ],
        "deleted": [
            {"id": stack.id, "environment": stack.environment, "path": stack.path, "state": stack.state}
            for stack in affected.deleted
        ],
    }


def _edge_document(edge: Edge) -> dict[str, Any]:
    """One edge; `outputs` is null where any output may be read."""
    return {
        "source": edge.source,
        "target": edge.target,
        "kind": edge.kind,
        "name": edge.name,
        "outputs": None if edge.outputs is None else sorted(edge.outputs),
        "optional": sorted(edge.optional),
        "file": edge.file,
        "line": edge.line,
    }


def _environment(project: Project, name: str, stacks: Collection[str]) -> dict[str, Any]:
    return {
        "name": name,
        "protected": project.config.is_protected(name, project.order),
        "ordered": name in project.order.names,
        "stacks": [stack.id for stack in project.of(name) if stack.id in stacks],
    }


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "id": stack.id,
        "environment": stack.environment,
        "name": stack.name,
        "path": stack.path,
        "shared": stack.shared,
        "backend": stack.backend.kind,
        "state": stack.state,
        "var_files": list(stack.var_files),
        "depends_on": list(stack.depends_on),
        "modules": list(stack.modules),
        "lock_file": stack.lock_file,
    }


def _module(module: Module) -> dict[str, Any]:
    return {"path": module.path, "calls": list(module.calls), "used": module.used}
