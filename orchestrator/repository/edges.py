"""Finds the dependencies between stacks: remote states in the code, and `depends_on` in infra.yaml."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config import DEFAULT_WORKSPACE
from orchestrator.repository.discovery import nearest
from orchestrator.repository.facts import RemoteState
from orchestrator.repository.hcl.text import NameScope, Text, literal, resolve
from orchestrator.repository.model import Edge, Finding, ForeignState, Severity, Stack
from orchestrator.repository.source import Source
from orchestrator.repository.variables import instances, module_path
from orchestrator.state.backends import WORKSPACE_FOLDER, backend_kind, gcs_url, local_workspace
from orchestrator.state.location import Location


@dataclass(frozen=True)
class _EdgeSource:
    """A remote state, the stack that reads it, and the file that says so."""

    stack: Stack
    state: RemoteState
    file: str


@dataclass
class EdgeFinder:
    """Finds the edges of a project; what it cannot resolve becomes a finding."""

    source: Source
    stacks: Mapping[str, Stack]
    scopes: Mapping[str, NameScope]

    def __post_init__(self) -> None:
        self.findings: list[Finding] = []
        self.foreign: list[ForeignState] = []
        self._reading: dict[str, bool] = {}
        self._owners: dict[str, str] = {}
        self._prefixes: dict[str, list[str]] = {}
        for id_, stack in self.stacks.items():
            if stack.state is not None:
                self._owners.setdefault(stack.state, id_)
                self._prefixes.setdefault(_without_bucket(stack.state), []).append(id_)

    def find(self) -> tuple[Edge, ...]:
        """Every edge, by target."""
        edges: dict[tuple[str, str, str, str], Edge] = {}
        for stack in self.stacks.values():
            for edge in (*self._remote_states(stack), *self._depends_on(stack)):
                key = (edge.source, edge.target, edge.kind, edge.name)
                edges[key] = _merge_edges(edges[key], edge) if key in edges else edge
        return tuple(edges.values())

    def owner_of(self, stack: Stack, folder: str, name: str, scope: NameScope) -> str | None:
        """The stack whose state a remote state in a folder of `stack` reads; None when unknown."""
        state = self.source.directory(folder).remote_states.get(name)
        return self._owner(_EdgeSource(stack, state, folder), scope, folder) if state else None

    def _depends_on(self, stack: Stack) -> Iterator[Edge]:
        for name in stack.depends_on:
            if name in self.stacks and name != stack.id:
                yield Edge(name, stack.id, "depends_on", file="infra.yaml")
                continue
            wrong = "is itself" if name == stack.id else "is no stack"
            self.findings.append(
                Finding(
                    "error",
                    "depends-on",
                    f"{stack.id} depends on {name}, which {wrong}.",
                    nearest(name, list(self.stacks)) or "`infra list` shows the stacks.",
                    "infra.yaml",
                    stack=stack.id,
                )
            )

    def _remote_states(self, stack: Stack) -> Iterator[Edge]:
        folder = self.source.real(stack.path)
        if not self._reads(folder):
            return
        for at, scope in instances(self.source, folder, self.scopes[stack.id], self._reads):
            facts = self.source.directory(at)
            for state in facts.remote_states.values():
                file = posixpath.join(at, facts.at["remote_state", state.name])
                owner = self._owner(_EdgeSource(stack, state, file), scope, at)
                if owner is not None and owner != stack.id:
                    outputs, optional = self._outputs(at, state)
                    yield Edge(
                        owner, stack.id, "remote_state", state.name, outputs, optional, file, state.line
                    )

    def _reads(self, folder: str) -> bool:
        """True when a directory, or a module that it reaches, has a remote state."""
        if folder not in self._reading:
            directories = (folder, *self.source.reached(folder))
            self._reading[folder] = any(
                self.source.directory(directory).remote_states for directory in directories
            )
        return self._reading[folder]

    def _outputs(self, folder: str, state: RemoteState) -> tuple[frozenset[str] | None, frozenset[str]]:
        """The outputs that are read, None for all, and those that may be missing."""
        uses = [use for use in self.source.directory(folder).outputs if use.name == state.name]
        named = {use.output for use in uses if use.output is not None}
        must = {use.output for use in uses if use.output is not None and not use.optional}
        every = any(use.output is None for use in uses)
        return None if every else frozenset(named), frozenset(named - must) | state.defaults

    def _owner(self, source: _EdgeSource, scope: NameScope, at: str) -> str | None:
        """The stack that owns the state; adds a finding when the owner is unknown."""
        state = source.state
        kind = literal(resolve(state.backend, scope)) if state.backend else None
        workspace = literal(resolve(state.workspace, scope)) if state.workspace else DEFAULT_WORKSPACE
        config = {key: resolve(text, scope) for key, text in (state.config or {}).items()}
        backend = backend_kind(kind) if kind is not None else None
        if backend and not backend.is_readable:
            self._add_finding(
                source, "info", "remote-state-kind", f"lies in {kind}, where no stack here has its state."
            )
            return None
        bucket, prefix = literal(config.get("bucket")), literal(config.get("prefix", ("",)))
        url: str | None = None
        is_remote = backend is not None and not backend.is_on_this_machine
        if backend and not is_remote and ("path" in config or workspace != DEFAULT_WORKSPACE):
            url = self._local_url(at, config, workspace, source.stack)
        elif is_remote and bucket is not None and prefix is not None:
            url = gcs_url(bucket, prefix, workspace or DEFAULT_WORKSPACE)
        elif is_remote and bucket is None and prefix and workspace is not None:
            return self._by_prefix(source, prefix, workspace)
        if url is None or workspace is None or state.config is None:
            text = "cannot be determined from the code: it may belong to a stack here."
            self._add_finding(source, "warning", "remote-state-unknown", text)
            return None
        if url not in self._owners:
            if is_remote:
                outputs, optional = self._outputs(at, state)
                self.foreign.append(ForeignState(source.stack.id, state.name, url, outputs, optional))
            self._add_finding(source, "info", "remote-state-foreign", f"is {url}, which is of no stack here.")
            return None
        return self._owners[url]

    def _local_url(
        self, at: str, config: Mapping[str, Text], workspace: str | None, stack: Stack
    ) -> str | None:
        """The path of a local state that is read; a named workspace lies in `workspace_dir`."""
        root = self.source.real(stack.path)
        if workspace in (None, DEFAULT_WORKSPACE):
            return module_path(at, config["path"], root)
        directory = literal(config.get("workspace_dir", (WORKSPACE_FOLDER,)))
        return module_path(at, (local_workspace(directory, str(workspace)),), root) if directory else None

    def _by_prefix(self, source: _EdgeSource, prefix: str, workspace: str) -> str | None:
        """The one stack with this prefix, where only the bucket cannot be determined."""
        owners = self._prefixes.get(_without_bucket(gcs_url("", prefix, workspace)), [])
        if len(owners) == 1:
            text = f"names an unknown bucket; its prefix matches the state of {owners[0]}."
            self._add_finding(source, "info", "remote-state-bucket", text)
            return owners[0]
        text = f"names an unknown bucket, and its prefix {prefix} matches no single stack of this project."
        self._add_finding(source, "warning", "remote-state-unknown", text)
        return None

    def _add_finding(self, source: _EdgeSource, severity: Severity, code: str, text: str) -> None:
        stack, state = source.stack, source.state
        message = f"The remote state {state.name!r} of {stack.id} {text}"
        advice = (
            ""
            if severity == "info"
            else (f"If it belongs to one, say so: `depends_on` of {stack.id} under `stacks:` in infra.yaml.")
        )
        self.findings.append(Finding(severity, code, message, advice, source.file, state.line, stack.id))


def _without_bucket(url: str) -> str:
    """The object's name in a `gs://` URL; a path stays what it is."""
    return Location.parse(url).name


def _merge_edges(edge: Edge, other: Edge) -> Edge:
    """Two edges between the same stacks as one: the outputs of both, optional only where both say so."""
    every = edge.outputs is None or other.outputs is None
    must = ((edge.outputs or frozenset()) - edge.optional) | ((other.outputs or frozenset()) - other.optional)
    return Edge(
        edge.source,
        edge.target,
        edge.kind,
        edge.name,
        None if every else (edge.outputs or frozenset()) | (other.outputs or frozenset()),
        (edge.optional | other.optional) - must,
        edge.file,
        edge.line,
    )
