"""Which stack reads which: remote states in the code, and `depends_on` in infra.yaml."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config import DEFAULT_WORKSPACE
from orchestrator.project.discovery import nearest
from orchestrator.project.model import Edge, Finding, ForeignState, Severity, Stack
from orchestrator.project.states import WORKSPACE_FOLDER, gcs_url, local_workspace
from orchestrator.repository.facts import RemoteState
from orchestrator.repository.hcl.text import Scope, Text, literal, resolve
from orchestrator.repository.source import Source
from orchestrator.repository.variables import instances, module_path


@dataclass(frozen=True)
class _Asked:
    """A remote state, the stack that reads it, and the file that says so."""

    stack: Stack
    state: RemoteState
    file: str


@dataclass
class Edges:
    """Collects the edges of a project, and what cannot be told on the way."""

    source: Source
    stacks: Mapping[str, Stack]
    scopes: Mapping[str, Scope]

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
        found: dict[tuple[str, str, str, str], Edge] = {}
        for stack in self.stacks.values():
            for edge in (*self._remote_states(stack), *self._depends_on(stack)):
                key = (edge.source, edge.target, edge.kind, edge.name)
                found[key] = _both(found[key], edge) if key in found else edge
        return tuple(found.values())

    def owner_of(self, stack: Stack, folder: str, name: str, scope: Scope) -> str | None:
        """The stack whose state a remote state in a folder of `stack` reads; None when it cannot be told."""
        state = self.source.directory(folder).remote_states.get(name)
        return self._owner(_Asked(stack, state, folder), scope, folder) if state else None

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
                owner = self._owner(_Asked(stack, state, file), scope, at)
                if owner is not None and owner != stack.id:
                    outputs, optional = self._outputs(at, state)
                    yield Edge(
                        owner, stack.id, "remote_state", state.name, outputs, optional, file, state.line
                    )

    def _reads(self, folder: str) -> bool:
        """True when a directory, or a module that it reaches, has a remote state."""
        if folder not in self._reading:
            directories = (folder, *self.source.reached(folder))
            self._reading[folder] = any(self.source.directory(one).remote_states for one in directories)
        return self._reading[folder]

    def _outputs(self, folder: str, state: RemoteState) -> tuple[frozenset[str] | None, frozenset[str]]:
        """The outputs that are read, None for all, and those that may be missing."""
        uses = [use for use in self.source.directory(folder).outputs if use.name == state.name]
        named = {use.output for use in uses if use.output is not None}
        must = {use.output for use in uses if use.output is not None and not use.optional}
        every = any(use.output is None for use in uses)
        return None if every else frozenset(named), frozenset(named - must) | state.defaults

    def _owner(self, asked: _Asked, scope: Scope, at: str) -> str | None:
        """The stack whose state it is; a finding when that cannot be told."""
        state = asked.state
        kind = literal(resolve(state.backend, scope)) if state.backend else None
        workspace = literal(resolve(state.workspace, scope)) if state.workspace else DEFAULT_WORKSPACE
        config = {key: resolve(text, scope) for key, text in (state.config or {}).items()}
        if kind is not None and kind not in ("gcs", "local"):
            self._tell(
                asked, "info", "remote-state-kind", f"lies in {kind}, where no stack here has its state."
            )
            return None
        bucket, prefix = literal(config.get("bucket")), literal(config.get("prefix", ("",)))
        url: str | None = None
        if kind == "local" and ("path" in config or workspace != DEFAULT_WORKSPACE):
            url = self._local_url(at, config, workspace, asked.stack)
        elif kind == "gcs" and bucket is not None and prefix is not None:
            url = gcs_url(bucket, prefix, workspace or DEFAULT_WORKSPACE)
        elif kind == "gcs" and bucket is None and prefix and workspace is not None:
            return self._by_prefix(asked, prefix, workspace)
        if url is None or workspace is None or state.config is None:
            text = "cannot be told from the code: it may belong to a stack here."
            self._tell(asked, "warning", "remote-state-unknown", text)
            return None
        if url not in self._owners:
            if kind == "gcs":
                outputs, optional = self._outputs(at, state)
                self.foreign.append(ForeignState(asked.stack.id, state.name, url, outputs, optional))
            self._tell(asked, "info", "remote-state-foreign", f"is {url}, which is of no stack here.")
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

    def _by_prefix(self, asked: _Asked, prefix: str, workspace: str) -> str | None:
        """The one stack with this prefix, where only the bucket cannot be told."""
        owners = self._prefixes.get(_without_bucket(gcs_url("", prefix, workspace)), [])
        if len(owners) == 1:
            text = f"names a bucket that cannot be told; by its prefix it is taken for that of {owners[0]}."
            self._tell(asked, "info", "remote-state-bucket", text)
            return owners[0]
        text = f"names a bucket that cannot be told, and its prefix {prefix} is that of no single stack here."
        self._tell(asked, "warning", "remote-state-unknown", text)
        return None

    def _tell(self, asked: _Asked, severity: Severity, code: str, text: str) -> None:
        stack, state = asked.stack, asked.state
        message = f"The remote state {state.name!r} of {stack.id} {text}"
        advice = (
            ""
            if severity == "info"
            else (f"If it belongs to one, say so: `depends_on` of {stack.id} under `stacks:` in infra.yaml.")
        )
        self.findings.append(Finding(severity, code, message, advice, asked.file, state.line, stack.id))


def _without_bucket(url: str) -> str:
    """The object's name in a `gs://` URL; a path stays what it is."""
    return url.removeprefix("gs://").partition("/")[2] if url.startswith("gs://") else url


def _both(one: Edge, other: Edge) -> Edge:
    """Two edges between the same stacks as one: the outputs of both, optional only where both say so."""
    every = one.outputs is None or other.outputs is None
    must = ((one.outputs or frozenset()) - one.optional) | ((other.outputs or frozenset()) - other.optional)
    return Edge(
        one.source,
        one.target,
        one.kind,
        one.name,
        None if every else (one.outputs or frozenset()) | (other.outputs or frozenset()),
        (one.optional | other.optional) - must,
        one.file,
        one.line,
    )
