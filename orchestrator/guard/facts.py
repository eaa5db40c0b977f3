"""What the guard must know of one Terraform file, whatever the file is called and however it is written.

Unlike `FileFacts` nothing is merged, guessed or left out: what cannot be told is said to be so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.guard.settings import Setting
from orchestrator.repository.hcl.text import Text


@dataclass(frozen=True, slots=True)
class Named:
    """Something with a name, at a line: a provisioner, a key provider."""

    name: str
    line: int | None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Required:
    """A provider in `required_providers`; `source` is None when it cannot be told."""

    name: str
    source: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Configured:
    """A provider block, by the provider's local name, with all of its settings."""

    name: str
    settings: tuple[Setting, ...]
    line: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """A resource, data source, ephemeral resource or action, and its provider's local name.

    `settings` are those of types whose settings are judged; an `import` block has the type that it is for.
    """

    kind: str
    type: str
    provider: str
    line: int | None
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """A module call with a source."""

    name: str
    source: Text
    line: int | None


@dataclass(frozen=True, slots=True)
class Store:
    """A backend block (`name` empty) or a remote state, and how it is configured.

    `kind` is None where an override file leaves it out; `settings` is None when its keys cannot be told.
    """

    name: str
    kind: Text | None
    settings: Mapping[str, Text] | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Read:
    """A call of a function that reads files."""

    function: str
    path: Text
    line: int | None
    pattern: Text | None = None


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """One file. `unreadable` says why, and at which line, what it holds cannot be known."""

    required: tuple[Required, ...] = ()
    held: tuple[Held, ...] = ()
    configured: tuple[Configured, ...] = ()
    calls: tuple[Called, ...] = ()
    backends: tuple[Store, ...] = ()
    states: tuple[Store, ...] = ()
    provisioners: tuple[Named, ...] = ()
    encryptions: tuple[Named, ...] = ()
    metas: tuple[Named, ...] = ()
    reads: tuple[Read, ...] = ()
    unreadable: tuple[int | None, str] | None = None


@dataclass
class Gathered:
    """The same while a file is being read."""

    required: list[Required] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    configured: list[Configured] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)
    backends: list[Store] = field(default_factory=list)
    states: list[Store] = field(default_factory=list)
    provisioners: list[Named] = field(default_factory=list)
    encryptions: list[Named] = field(default_factory=list)
    metas: list[Named] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    unreadable: tuple[int | None, str] | None = None

    def facts(self) -> CodeFacts:
        """Frozen."""
        return CodeFacts(
            tuple(self.required),
            tuple(self.held),
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
