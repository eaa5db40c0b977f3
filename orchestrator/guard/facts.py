"""The facts about one Terraform file that the guard checks.

Unlike `ModuleFacts` nothing is merged, guessed or left out: what cannot be determined is marked as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.guard.settings import Setting
from orchestrator.repository.facts import FILE_FUNCTIONS
from orchestrator.repository.hcl.text import Text

# Functions whose argument is a path; `provider::local::direxists` says which folders a machine has.
PATH_FUNCTIONS = FILE_FUNCTIONS | {"direxists"}


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """Something with a name, at a line: a provisioner, a key provider."""

    name: str
    line: int | None
    of: str = ""


@dataclass(frozen=True, slots=True)
class RequiredProvider:
    """A provider in `required_providers`; `source` is None when it cannot be determined."""

    name: str
    source: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class ProviderBlock:
    """A provider block, by the provider's local name, with all of its settings."""

    name: str
    settings: tuple[Setting, ...]
    line: int | None


@dataclass(frozen=True, slots=True)
class ResourceBlock:
    """A resource, data source, ephemeral resource or action, and its provider's local name.

    `settings` are those of types whose settings are checked; an `import` block has the type that it is for.
    """

    kind: str
    type: str
    provider: str
    line: int | None
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleCallFact:
    """A module call with a source."""

    name: str
    source: Text
    line: int | None


@dataclass(frozen=True, slots=True)
class StateStore:
    """A backend block (`name` empty) or a remote state, and how it is configured.

    `kind` is None where an override file leaves it out; `settings` is None when its keys are unknown.
    """

    name: str
    kind: Text | None
    settings: Mapping[str, Text] | None
    line: int | None


@dataclass(frozen=True, slots=True)
class FileRead:
    """A call of a function that reads files, or a text that is rendered with such functions.

    `function` is then `templatestring`, or the type of the block that holds the text.
    """

    function: str
    path: Text
    line: int | None
    pattern: Text | None = None


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """One file. `unreadable` says why, and at which line, what it holds cannot be known."""

    required: tuple[RequiredProvider, ...] = ()
    resources: tuple[ResourceBlock, ...] = ()
    configured: tuple[ProviderBlock, ...] = ()
    calls: tuple[ModuleCallFact, ...] = ()
    backends: tuple[StateStore, ...] = ()
    states: tuple[StateStore, ...] = ()
    provisioners: tuple[NamedBlock, ...] = ()
    encryptions: tuple[NamedBlock, ...] = ()
    metas: tuple[NamedBlock, ...] = ()
    reads: tuple[FileRead, ...] = ()
    unreadable: tuple[int | None, str] | None = None


@dataclass
class FactCollector:
    """A mutable `CodeFacts`, used while a file is read."""

    required: list[RequiredProvider] = field(default_factory=list)
    resources: list[ResourceBlock] = field(default_factory=list)
    configured: list[ProviderBlock] = field(default_factory=list)
    calls: list[ModuleCallFact] = field(default_factory=list)
    backends: list[StateStore] = field(default_factory=list)
    states: list[StateStore] = field(default_factory=list)
    provisioners: list[NamedBlock] = field(default_factory=list)
    encryptions: list[NamedBlock] = field(default_factory=list)
    metas: list[NamedBlock] = field(default_factory=list)
    reads: list[FileRead] = field(default_factory=list)
    unreadable: tuple[int | None, str] | None = None

    def facts(self) -> CodeFacts:
        """The collected facts, frozen."""
        return CodeFacts(
            tuple(self.required),
            tuple(self.resources),
            tuple(self.configured),
            tuple(self.calls),
            tuple(self.backends),
            tuple(self.states),
            tuple(self.provisioners),
            tuple(self.encryptions),
            tuple(self.metas),
            tuple(self.reads),
            self.unreadable,
        )
