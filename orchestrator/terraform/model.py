"""The inputs and results of Terraform commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from orchestrator.terraform.binary import Binary

Ended = Literal["exited", "deadline", "interrupted"]


@dataclass(frozen=True)
class CommandTimeouts:
    """Seconds that commands may take. `unlock` is for a lock's release alone, which can hang for long.

    `finish` is what an apply past its deadline gets, after its interrupt, to end what it has begun.
    """

    init: float = 600.0
    plan: float = 1200.0
    apply: float = 7200.0
    unlock: float = 60.0
    quick: float = 300.0
    finish: float = 300.0


@dataclass(frozen=True)
class Workdir:
    """Where one stack is worked on.

    `root` is the root module's folder, `data_dir` its TF_DATA_DIR, `run_dir` a folder of this run alone
    (0700). `env` is the child environment; TF_DATA_DIR is added to it by the client. `binary` is the
    Terraform to run, the client's own where it is None.
    """

    root: Path
    data_dir: Path
    run_dir: Path
    env: Mapping[str, str] = field(repr=False)
    timeouts: CommandTimeouts = CommandTimeouts()
    binary: Binary | None = None

    @property
    def title(self) -> str:
        """The stack's id: the run's folder is named by it, percent-encoded."""
        return unquote(self.run_dir.name)


# What each option of a plan says of itself.
_PARTIAL = {"partial": True}
_COMPLETE = {"partial": False}


@dataclass(frozen=True)
class PlanOptions:
    """The options of a plan. `variables` are `name=value`, in order.

    Each field says beside it whether using it makes the plan partial: one after whose apply the stack is not
    simply what the code says.
    """

    destroy: bool = field(default=False, metadata=_COMPLETE)
    refresh_only: bool = field(default=False, metadata=_PARTIAL)
    targets: tuple[str, ...] = field(default=(), metadata=_PARTIAL)
    replaces: tuple[str, ...] = field(default=(), metadata=_PARTIAL)
    # Values of this run alone: the next plan has others.
    variables: tuple[str, ...] = field(default=(), repr=False, metadata=_PARTIAL)
    given_var_files: tuple[Path, ...] = field(default=(), metadata=_PARTIAL)
    # The files that infra.yaml names: part of what the code says.
    var_files: tuple[Path, ...] = field(default=(), metadata=_COMPLETE)
    parallelism: int | None = field(default=None, metadata=_COMPLETE)
    lock: bool = field(default=False, metadata=_COMPLETE)
    # Without a refresh nobody looked at what the real resources are.
    refresh: bool = field(default=True, metadata=_PARTIAL)

    @property
    def is_partial(self) -> bool:
        """True when an option in use makes the plan partial: the ledger then does not record the commit."""
        return any(
            option.metadata["partial"] and getattr(self, option.name) != option.default
            for option in fields(self)
        )


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning of Terraform's. `file` is relative to `root`, the root module; `line` is 1-based.

    Of a command whose output is text the `detail` has the lines of code too.
    """

    severity: str
    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int = 0
    snippet: str = ""
    root: str = ""


@dataclass(frozen=True)
class LockHolder:
    """Who holds a state's lock, as Terraform tells it. `id` is what `force-unlock` wants."""

    id: str = ""
    path: str = ""
    operation: str = ""
    who: str = ""
    version: str = ""
    created: str = ""
    info: str = ""

    def __str__(self) -> str:
        parts = [self.who or "somebody"]
        parts += [f"since {self.created}"] if self.created else []
        parts += [f"({self.operation})"] if self.operation else []
        return " ".join(parts)


@dataclass(frozen=True)
class PlanOutcome:
    """A plan that was made. `text` is Terraform's own diff, raw: it must be masked before it is shown.

    `peak_memory` is that of the largest process in KiB, see `Completed`.
    """

    changed: bool
    plan_file: Path
    text: bytes = field(repr=False)
    seconds: float
    diagnostics: tuple[Diagnostic, ...] = ()
    peak_memory: int = 0


@dataclass(frozen=True)
class AppliedResource:
    """A resource that an apply finished with. `id_value` may be empty (deletes, resources with no id)."""

    address: str
    action: str
    id_key: str = ""
    id_value: str = ""


@dataclass(frozen=True)
class ApplyOutcome:
    """What an apply did, from its journal; a failed apply is an outcome too.

    `unfinished` are addresses that were begun and neither finished nor failed. `rescued` is where the state
    was kept that Terraform could not save. `outputs` has name → {value, type, sensitive}; a sensitive one
    has no value here.
    """

    ok: bool
    returncode: int
    ended: Ended
    journal: Path
    seconds: float = 0.0
    peak_memory: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    created: int = 0
    updated: int = 0
    deleted: int = 0
    imported: int = 0
    finished: tuple[AppliedResource, ...] = ()
    failed: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    outputs: Mapping[str, Mapping[str, Any]] | None = field(default=None, repr=False)
    locked: LockHolder | None = None
    rescued: Path | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many resources it created, updated, replaced, deleted and imported; a replace counts once."""
        created = {applied.address for applied in self.finished if applied.action == "create"}
        replaced = sum(applied.address in created for applied in self.finished if applied.action == "delete")
        return {
            "create": self.created - replaced,
            "update": self.updated,
            "replace": replaced,
            "delete": self.deleted - replaced,
            "import": self.imported,
        }
