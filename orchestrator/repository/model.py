"""The project model: environments, stacks, modules, edges and findings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from orchestrator.config import DEFAULT_WORKSPACE, Config, Order
from orchestrator.errors import ProjectError
from orchestrator.repository import graph
from orchestrator.repository.facts import ProviderTypes
from orchestrator.state.backends import backend_kind
from orchestrator.state.location import Location

if TYPE_CHECKING:
    from orchestrator.repository.fingerprint import Coverage
    from orchestrator.repository.git import Repository
    from orchestrator.repository.tree import Tree

# File systems allow 255 bytes in a name; what infra appends to one must fit as well.
LONGEST_NAME = 180

Severity = Literal["error", "warning", "info"]

# Arguments without which Terraform's `init` ends, whatever the environment holds.


def environment_of(stack: str, environments: Iterable[str]) -> str:
    """The environment in a stack id, also of a deleted stack; empty for any other word."""
    names = [name for name in environments if stack == name or stack.startswith(f"{name}/")]
    return max(names, key=len, default="")


def encode_id(stack: str) -> str:
    """A stack id as one file name below `.infra/`."""
    name = quote(stack, safe="", errors="surrogateescape")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:LONGEST_NAME]}~{sha256(stack.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


@dataclass(frozen=True)
class Backend:
    """The backend that a stack declares.

    `kind` is Terraform's word ("gcs", "local", "cloud", …). `declared` is false without a backend block,
    `empty` true for a block without attributes, which takes its settings from infra.yaml. `attributes` are
    those that can be told, `keys` the names of all that it has.
    """

    kind: str
    declared: bool
    empty: bool
    attributes: Mapping[str, str] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stack:
    """A root module in one environment.

    `path` and `var_files` are relative to the project's root, with slashes. `backend_config` is what
    infra.yaml adds to its backend block, a local path from the project's root; `backend_file` is the file
    from which it comes, None for another source. `state` is `gs://BUCKET/PREFIX/default.tfstate`, or the path
    of a local state from the project's root (absolute when configured so), or None when unknown. `passed_env`
    are names of variables that Terraform may see, `reads` paths that infra.yaml says it reads. `providers`
    maps the local names that the root requires to their sources, `modules` are the paths that it calls.
    `lock_file` is the path of `.terraform.lock.hcl`, None when there is none. `workspace` is the Terraform
    workspace in which every command of the stack runs. `ephemeral_variables` are variables of the root whose
    values no plan file holds. `moved_from` is where infra.yaml says that the state was before, written as
    `state` is.
    """

    id: str
    environment: str
    name: str
    path: str
    shared: bool
    backend: Backend
    backend_config: Mapping[str, str]
    state: str | None
    var_files: tuple[str, ...]
    passed_env: tuple[str, ...]
    depends_on: tuple[str, ...]
    reads: tuple[str, ...]
    required_version: tuple[str, ...]
    providers: Mapping[str, str]
    modules: tuple[str, ...]
    lock_file: str | None
    workspace: str = DEFAULT_WORKSPACE
    ephemeral_variables: tuple[str, ...] = ()
    moved_from: str | None = None
    backend_file: str | None = None


@dataclass(frozen=True)
class Module:
    """A directory that is called as a module, or lies below the modules' root. `calls` are paths too."""

    path: str
    calls: tuple[str, ...]
    used: bool


@dataclass(frozen=True)
class Edge:
    """`target` comes after `source`: it reads the source's outputs, or infra.yaml says so.

    `name` is the remote state's. `outputs` are those that are read, None for all of them; `optional` those
    that may be missing (inside `try`, or with a default).
    """

    source: str
    target: str
    kind: Literal["remote_state", "depends_on"]
    name: str = ""
    outputs: frozenset[str] | None = frozenset()
    optional: frozenset[str] = frozenset()
    file: str | None = None
    line: int | None = None

    @property
    def words(self) -> str:
        """The edge as a sentence with file and line."""
        verb = "reads" if self.kind == "remote_state" else "depends on"
        location = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.target} {verb} {self.source} ({location})"


@dataclass(frozen=True)
class ForeignState:
    """A state in a bucket that `target` reads and that belongs to no stack here; `outputs` as in an edge."""

    target: str
    name: str
    url: str
    outputs: frozenset[str] | None
    optional: frozenset[str]


@dataclass(frozen=True)
class Finding:
    """A finding of `infra validate`. `code` is stable; `stack` is the one concerned, if it is one.

    `listed` is the entry of a list below `guard` in infra.yaml that would accept it: key and value.
    """

    severity: Severity
    code: str
    message: str
    advice: str = ""
    file: str | None = None
    line: int | None = None
    stack: str | None = None
    listed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Project:
    """A project as one tree of files has it. Everything is in a fixed order, stacks in promotion order.

    `findings` are those that reading found; `validate.check` adds the rest.
    """

    root: Path
    config: Config
    order: Order
    stacks: Mapping[str, Stack]
    modules: Mapping[str, Module]
    edges: tuple[Edge, ...]
    foreign: tuple[ForeignState, ...]
    findings: tuple[Finding, ...]
    repository: Repository = field(repr=False)
    tree: Tree = field(repr=False)
    coverage: Coverage = field(repr=False)

    @property
    def trunk_branch(self) -> str:
        """The name of trunk's branch, without `refs/…`; GitError where the clone has none."""
        ref = self.repository.trunk(self.config.trunk)
        return ref.removeprefix("refs/remotes/origin/").removeprefix("refs/heads/")

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments in promotion order; those without a place in it come last."""
        return self.order.all

    @property
    def environments_without_stacks(self) -> tuple[str, ...]:
        """The environments that infra.yaml names and that have no stack here, in the order of infra.yaml."""
        return tuple(name for name in self.config.environments if name not in self.order.all)

    @cached_property
    def commit(self) -> str | None:
        """The commit of the project, or of its working tree's HEAD; None before the first commit."""
        return self.tree.commit or self.repository.head()

    def of(self, environment: str) -> tuple[Stack, ...]:
        """The stacks of an environment."""
        return tuple(stack for stack in self.stacks.values() if stack.environment == environment)

    def fingerprint(self, stack: str) -> str:
        """The hash of all that the stack's plan reads here, 64 hexadecimal digits."""
        return self.coverage.fingerprint(self.stacks[stack])

    def init_key(self, stack: str) -> str:
        """A hash of what `terraform init` looks at: settings, module addresses, providers, the lock file."""
        return self.coverage.init_key(self.stacks[stack])

    def files(self, stack: str) -> Mapping[str, str]:
        """What the fingerprint covers: paths from the root, with the hash of each content."""
        return self.coverage.files(self.stacks[stack])

    def types(self, stacks: Iterable[str]) -> ProviderTypes:
        """The resource and data source types that stacks use, modules included, with provider sources."""
        return self.coverage.types([self.stacks[stack] for stack in stacks])

    def upstreams(self, stack: str) -> tuple[Edge, ...]:
        """The edges by which a stack reads others' outputs."""
        return tuple(edge for edge in self.edges if edge.target == stack and edge.kind == "remote_state")

    def prerequisites(self) -> dict[str, set[str]]:
        """For each stack, those that must be done before it."""
        needs: dict[str, set[str]] = {stack: set() for stack in self.stacks}
        for edge in self.edges:
            needs[edge.target].add(edge.source)
        return needs

    def waves(self, stacks: Collection[str]) -> list[list[str]]:
        """Some stacks in groups that may run together; ProjectError when they wait for each other."""
        cycle = self.cycle(stacks)
        if cycle:
            raise _as_error(cycle)
        return graph.waves(graph.restrict(self.prerequisites(), stacks))

    def cycle(self, stacks: Collection[str]) -> Finding | None:
        """A finding for a dependency cycle of the stacks or their prerequisites, with each edge's file."""
        needs = self.prerequisites()
        behind = graph.reachable(needs, stacks)
        cycle = graph.find_cycle({stack: needs[stack] for stack in needs if stack in behind})
        if cycle is None:
            return None
        by_ends = {(edge.source, edge.target): edge for edge in self.edges}
        edges = [by_ends[ends] for ends in pairwise(cycle)]
        steps = "; ".join(edge.words for edge in edges)
        return Finding(
            "error",
            "cycle",
            f"These stacks wait for each other: {' → '.join(cycle)}: {steps}.",
            "Break the circle: move what both need to a stack of its own.",
            edges[0].file,
            edges[0].line,
        )

    def require(self, stacks: Iterable[str]) -> None:
        """Raise the first error that concerns one of `stacks`, such as a file that does not parse."""
        ids = dict.fromkeys(stacks)
        findings = [finding for finding in self.findings if finding.stack in ids]
        for stack in ids:
            findings.extend(self.coverage.problems(self.stacks[stack]))
            lacking = missing_settings(self.stacks[stack])
            findings.extend([lacking] if lacking else [])
            findings.extend(self.state_conflicts(self.stacks[stack]))
            findings.extend(self.missing_var_files(self.stacks[stack]))
        cycle = self.cycle(ids)
        for finding in [*findings, *([cycle] if cycle else [])]:
            if finding.severity == "error":
                raise _as_error(finding)

    def require_some(self, stacks: Iterable[str]) -> None:
        """The same, but stacks that share a state stop only where there are no others.

        Their plans refuse them (`require_own_state`), and the others go on.
        """
        ids = dict.fromkeys(stacks)
        sound = [id_ for id_ in ids if not self.state_conflicts(self.stacks[id_])]
        self.require(sound or ids)

    def require_own_state(self, stack: Stack) -> None:
        """Raise ProjectError for a stack that shares its state with another one."""
        for finding in self.state_conflicts(stack):
            raise _as_error(finding)

    def missing_var_files(self, stack: Stack) -> list[Finding]:
        """The errors of variable files that infra.yaml names and that do not exist.

        A file that Git ignores counts in a checkout: its secrets are nobody else's.
        """
        advice = "Paths of `var_files` start at the folder of infra.yaml."
        return [
            Finding(
                "error",
                "var-file",
                f"{stack.id} uses the variable file {path}, which does not exist.",
                advice,
                "infra.yaml",
                stack=stack.id,
            )
            for path in stack.var_files
            if self.tree.find(path) is None
            and not (self.tree.commit is None and (self.root / path).is_file())
        ]

    def state_conflicts(self, stack: Stack) -> list[Finding]:
        """The errors of a stack that shares its state, or its previous state, with another stack."""
        return [*self._shared_state(stack), *self._shared_move(stack)]

    def _shared_move(self, stack: Stack) -> list[Finding]:
        url = stack.moved_from
        if url is None:
            return []
        ids = [
            other.id
            for other in self.stacks.values()
            if other != stack and url in (other.state, other.moved_from)
        ]
        if ids:
            message = f"{stack.id} takes over the state of {', '.join(ids)}: {url}."
            advice = "A state belongs to one stack. Correct `moved_from` in infra.yaml."
        elif not (stack.state and Location.parse(stack.state).is_remote):
            message = f"{stack.id} has `moved_from`, and its state is not in a bucket."
            advice = f"`infra run {stack.id} -- init -migrate-state` moves a state between kinds of backends."
        else:
            return []
        return [Finding("error", "state-moved-from", message, advice, "infra.yaml", stack=stack.id)]

    @cached_property
    def _ids_by_state(self) -> Mapping[str, tuple[str, ...]]:
        """The stacks that have the same state, by what is equal for them."""
        ids: dict[str, tuple[str, ...]] = {}
        for stack in self.stacks.values():
            key = state_key(stack)
            if key is not None:
                ids[key] = (*ids.get(key, ()), stack.id)
        return ids

    def _shared_state(self, stack: Stack) -> list[Finding]:
        """The error of two stacks with the same state: each would destroy the resources of the other."""
        key = state_key(stack)
        ids = [id_ for id_ in self._ids_by_state.get(key, ()) if id_ != stack.id] if key else []
        if not ids:
            return []
        message = f"{stack.id} shares its state with {', '.join(ids)}: {stack.state or key}."
        advice = "Each would destroy what the other made. Give each a state of its own: `infra validate`."
        return [Finding("error", "state-shared", message, advice, stack.path, stack=stack.id)]


def state_key(stack: Stack) -> str | None:
    """What is equal for two stacks with the same state; None where that cannot be determined.

    Where the backend's states cannot be located, two environments of one root share one unless their settings
    or their workspaces differ.
    """
    if stack.state is not None or not (stack.shared and stack.backend.declared):
        return stack.state
    settings = ", ".join(f"{key}={value}" for key, value in sorted(stack.backend_config.items()))
    folder = stack.path or "the top folder"
    return f"the workspace {stack.workspace} of {folder} ({stack.backend.kind}: {settings or 'no settings'})"


def missing_settings(stack: Stack) -> Finding | None:
    """The error of a backend block that leaves settings open which infra.yaml does not give."""
    kind = backend_kind(stack.backend.kind)
    lacking = [
        key for key in kind.required_keys if key not in stack.backend.keys | stack.backend_config.keys()
    ]
    if stack.backend_file is not None or not stack.backend.declared:
        return None
    if stack.backend.empty and not stack.backend_config and not kind.has_defaults:
        message = f"{stack.id} has an empty {kind.name} backend, and infra.yaml gives no settings."
    elif lacking:
        names = " and ".join(f"`{key}`" for key in lacking)
        message = f"{stack.id} has a {kind.name} backend without {names}, and infra.yaml gives no settings."
    else:
        return None
    advice = f"Set `backend: {{{kind.name}: …}}` in infra.yaml, or write them in the block."
    return Finding("error", "backend-settings", message, advice, stack.path, stack=stack.id)


def _as_error(finding: Finding) -> ProjectError:
    """A finding as the error that stops a command."""
    return ProjectError(
        finding.message, advice=finding.advice, file=finding.file, line=finding.line, stack=finding.stack
    )
