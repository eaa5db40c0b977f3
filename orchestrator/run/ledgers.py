"""Which ledger a stack's memory is in: beside its state in the bucket, else in a folder of this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.project.model import Project, Stack
from orchestrator.run.states import States
from orchestrator.state.folder import Folder
from orchestrator.state.ledger import Ledger


class Ledgers:
    """The ledgers of a project's stacks, one object each."""

    def __init__(self, project: Project, states: States, environ: Mapping[str, str]) -> None:
        self._project = project
        self._states = states
        self._local = Folder(local_folder(project.root, environ))
        self._made: dict[tuple[str, str], Ledger] = {}
        self._lock = threading.Lock()

    def of(self, stack: Stack) -> Ledger:
        """The ledger that a stack is in."""
        location = self._states.location(stack)
        bucket = location.bucket if location else ""
        base = base_of(location.name, stack.environment) if location and bucket else stack.environment
        with self._lock:
            if (bucket, base) not in self._made:
                storage = self._states.bucket(location) if location and bucket else self._local
                self._made[bucket, base] = Ledger(storage, stack.environment, base)
            return self._made[bucket, base]

    def among(self, stacks: Iterable[str]) -> dict[Ledger, list[str]]:
        """The ledgers of some stacks, each with those that are in it."""
        found: dict[Ledger, list[str]] = {}
        for stack in stacks:
            found.setdefault(self.of(self._project.stacks[stack]), []).append(stack)
        return found


def base_of(state: str, environment: str) -> str:
    """The environment's folder in a bucket: `acme/prod` for the state `acme/prod/state/net/default.tfstate`.

    So two projects that share a bucket by prefixes do not share a ledger. A state whose name does not hold
    the environment's has its ledger below the environment's name alone.
    """
    parts = state.split("/")
    if environment not in parts:
        return environment
    return "/".join(parts[: parts.index(environment) + 1])


def local_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/infra/ledger/` with a name that stands for the checkout."""
    home = Path(environ.get("HOME") or Path.home())
    state_home = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return state_home / "infra" / "ledger" / f"{root.name}-{name}"
