"""Decides which stack may start beside those that run: by memory, and by limits for providers."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.process.machine import STACK_KIB

FILE = "peak-memory.json"
# When a run measures less than earlier ones, what is kept shrinks by this factor at most.
_SHRINKING = 0.5
# Of the free memory, the share that stacks may fill.
_USABLE = 0.9


@dataclass(frozen=True)
class StackAdmission:
    """Admits stacks by what they need; implements the scheduler's `Admission`.

    `providers_of` gives the full source addresses of a stack's providers. `limits` says how many stacks that
    use a provider run at once, by its type (`google`) or its source (`hashicorp/google`, or with the host).
    `memory_of` gives the KiB that a stack with these providers needs, and `budget` is what all that run
    together may need, None for no limit.
    """

    providers_of: Callable[[str], frozenset[str]]
    limits: Mapping[str, int] = field(default_factory=dict)
    memory_of: Callable[[frozenset[str]], int] = lambda providers: STACK_KIB
    budget: int | None = None

    def admits(self, item: str, running: Collection[str]) -> bool:
        """Whether a stack may start beside those that run. Beside none each may."""
        if not running:
            return True
        providers = self.providers_of(item)
        used: Counter[str] = Counter()
        for other in running:
            used.update(self._limited(self.providers_of(other)))
        if any(used[name] >= self.limits[name] for name in self._limited(providers)):
            return False
        if self.budget is None:
            return True
        needed = sum(self.memory_of(self.providers_of(other)) for other in running)
        return needed + self.memory_of(providers) <= self.budget

    def _limited(self, providers: frozenset[str]) -> set[str]:
        """The limits that count for these providers, by their names in infra.yaml."""
        return {name for name in self.limits if any(_is_named(source, name) for source in providers)}


def _is_named(source: str, name: str) -> bool:
    """Whether `registry.terraform.io/hashicorp/google` is meant by a name: the source or its last parts."""
    return source == name or source.endswith(f"/{name}")


def usable_memory(free: int | None) -> int | None:
    """The KiB that stacks may fill together, of what is free."""
    return None if free is None else int(free * _USABLE)


class PeakMemory:
    """How much memory stacks needed, by their set of providers; in `.infra/cache`, safe from many threads.

    Measured is the largest process of a command. Where a stack starts its own providers, each of them and
    Terraform are counted as that large: more than is needed, never less. Where providers stay running and are
    shared, it is Terraform alone.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._path = cache / FILE if cache else None
        self._lock = threading.Lock()
        self._earlier = _read(self._path) if self._path else {}
        self._measured: dict[str, int] = {}

    def needed(self, providers: frozenset[str], *, own_providers: bool) -> int:
        """The KiB that a stack with these providers needs; a guess where no such stack has run."""
        key = _key(providers, own_providers=own_providers)
        with self._lock:
            peak = max(self._measured.get(key, 0), self._earlier.get(key, 0))
        return peak or STACK_KIB

    def record(self, providers: frozenset[str], peak: int, *, own_providers: bool) -> None:
        """Note the largest process of one command, in KiB; 0 where the system did not tell."""
        if peak <= 0:
            return
        key = _key(providers, own_providers=own_providers)
        needed = peak * (1 + len(providers) if own_providers else 1)
        with self._lock:
            self._measured[key] = max(self._measured.get(key, 0), needed)

    def save(self) -> None:
        """Keep what this run measured for later ones; best effort."""
        with self._lock:
            measured = dict(self._measured)
        if not measured or self._path is None:
            return
        document = _read(self._path)
        for key, needed in measured.items():
            document[key] = max(needed, int(document.get(key, 0) * _SHRINKING))
        with contextlib.suppress(OSError):
            write_private(self._path, json.dumps(document, sort_keys=True).encode())


def _key(providers: frozenset[str], *, own_providers: bool) -> str:
    return " ".join(["own" if own_providers else "shared", *sorted(providers)])


def _read(path: Path) -> dict[str, int]:
    """What earlier runs measured; nothing of a file that is not as we write it: the guess then counts."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {key: value for key, value in document.items() if type(value) is int and value > 0}
