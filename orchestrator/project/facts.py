"""What one Terraform file says that matters here, and what the files of one directory say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from orchestrator.project.text import Text

NOTHING: Mapping[str, Any] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """The empty mapping that every fact without entries shares."""
    return NOTHING


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A `module` block. `source` is None in an override file that leaves it out.

    `arguments` are those that are strings, `given` the names of all.
    """

    name: str
    source: Text | None
    line: int | None
    arguments: Mapping[str, Text] = field(default_factory=nothing)
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BackendBlock:
    """A `backend` or `cloud` block (`kind` "cloud"): its string attributes, and whether it has none."""

    kind: str
    attributes: Mapping[str, Text]
    empty: bool
    line: int | None


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A `terraform_remote_state`. `config` is None when it is no object; `defaults` names outputs."""

    name: str
    backend: Text | None
    config: Mapping[str, Text] | None
    workspace: Text | None
    defaults: frozenset[str]
    line: int | None


@dataclass(frozen=True, slots=True)
class OutputUse:
    """A use of `data.terraform_remote_state.NAME.outputs.OUTPUT`; `output` None means any of them.

    `optional` is true inside `try` or `can`, where the output may be missing.
    """

    name: str
    output: str | None
    optional: bool


@dataclass(frozen=True, slots=True)
class PathUse:
    """A path that the code reads. `pattern` is the second argument of `fileset`.

    `function` is empty for a plain string (`source = "${path.module}/x.zip"`), whose path a provider reads.
    """

    function: str
    path: Text
    line: int | None
    pattern: Text | None = None


@dataclass(frozen=True, slots=True)
class Types:
    """Resource, data source and ephemeral types, and the providers that they come from."""

    resources: frozenset[str] = frozenset()
    data_sources: frozenset[str] = frozenset()
    ephemeral: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()

    def __or__(self, other: Types) -> Types:
        return Types(
            self.resources | other.resources,
            self.data_sources | other.data_sources,
            self.ephemeral | other.ephemeral,
            self.providers | other.providers,
        )


NO_TYPES = Types()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file.

    `broken` is the line and the text of the first thing that does not parse. `settings` are the `terraform`
    blocks and module addresses as they are written: what `init` looks at.
    """

    calls: tuple[ModuleCall, ...] = ()
    backend: BackendBlock | None = None
    required_version: tuple[str, ...] = ()
    required_providers: Mapping[str, str] = field(default_factory=nothing)
    remote_states: tuple[RemoteState, ...] = ()
    outputs: tuple[OutputUse, ...] = ()
    paths: tuple[PathUse, ...] = ()
    locals: Mapping[str, Text] = field(default_factory=nothing)
    variables: Mapping[str, Text] = field(default_factory=nothing)
    types: Types = NO_TYPES
    broken: tuple[int | None, str] | None = None
    settings: tuple[str, ...] = ()


@dataclass
class DirFacts:
    """The files of one directory, override files merged in as Terraform does. Not changed once it is merged.

    `at` has the file that an entry came from, by kind and name: `("module", "vpc")`.
    """

    path: str
    files: list[str] = field(default_factory=list)
    calls: dict[str, ModuleCall] = field(default_factory=dict)
    backend: BackendBlock | None = None
    required_version: list[str] = field(default_factory=list)
    required_providers: dict[str, str] = field(default_factory=dict)
    remote_states: dict[str, RemoteState] = field(default_factory=dict)
    outputs: list[OutputUse] = field(default_factory=list)
    paths: list[tuple[str, PathUse]] = field(default_factory=list)
    locals: dict[str, Text] = field(default_factory=dict)
    variables: dict[str, Text] = field(default_factory=dict)
    types: Types = NO_TYPES
    broken: list[tuple[str, int | None, str]] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    at: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, name: str, facts: FileFacts) -> None:
        """Merge one file in. Override files come last, as Terraform reads them."""
        self.files.append(name)
        for call in facts.calls:
            self.calls[call.name] = _merge_call(self.calls.get(call.name), call)
            if call.source or ("module", call.name) not in self.at:
                self.at["module", call.name] = name
        for state in facts.remote_states:
            self.remote_states[state.name] = _merge_state(self.remote_states.get(state.name), state)
            self.at.setdefault(("remote_state", state.name), name)
        if facts.backend:
            self.backend = facts.backend
            self.at["backend", ""] = name
        if facts.broken:
            self.broken.append((name, *facts.broken))
        if facts.types is not NO_TYPES:
            self.types = self.types | facts.types
        self.settings.extend(facts.settings)
        self.required_version.extend(facts.required_version)
        self.required_providers.update(facts.required_providers)
        self.outputs.extend(facts.outputs)
        self.paths.extend((name, use) for use in facts.paths)
        self.locals.update(facts.locals)
        self.variables.update(facts.variables)


def _merge_call(base: ModuleCall | None, over: ModuleCall) -> ModuleCall:
    if base is None:
        return over
    return replace(
        base,
        source=over.source or base.source,
        line=over.line if over.source else base.line,
        arguments={**{k: v for k, v in base.arguments.items() if k not in over.given}, **over.arguments},
        given=base.given | over.given,
    )


def _merge_state(base: RemoteState | None, over: RemoteState) -> RemoteState:
    if base is None:
        return over
    return replace(
        base,
        backend=over.backend or base.backend,
        config=over.config or base.config,
        workspace=over.workspace or base.workspace,
        defaults=over.defaults or base.defaults,
    )
