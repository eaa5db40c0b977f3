"""Faults of the simulated providers: which operation on which object fails, with what message, how often."""

from __future__ import annotations

import builtins
import json
import threading
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from orchestrator.errors import SandboxError, UsageError
from orchestrator.sandbox.world.objects import write_json

OPERATIONS = ("create", "read", "update", "delete", "import", "plan", "any")


@dataclass(frozen=True)
class ProviderFault:
    """`target` is a type, an id or `TYPE/ID`, with `*` for anything; `times` None: until mended."""

    target: str
    operation: str
    message: str
    times: int | None = None

    def hits(self, type_: str, object_id: str, operation: str) -> bool:
        """Whether this fault strikes that operation."""
        if self.operation not in ("any", operation):
            return False
        return any(fnmatchcase(name, self.target) for name in (type_, object_id, f"{type_}/{object_id}"))


class ProviderFaults:
    """The list of faults in a file, read again at each use so that another process can change it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def list(self) -> list[ProviderFault]:
        """The faults that are on, oldest first."""
        try:
            return [ProviderFault(**raw) for raw in json.loads(self._path.read_bytes())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            raise SandboxError(
                f"{self._path} is not a list of faults: {error}",
                advice="Delete the file.",
                file=str(self._path),
            ) from error

    def add(self, fault: ProviderFault) -> None:
        """Switch a fault on."""
        if fault.operation not in OPERATIONS:
            raise UsageError(
                f"there is no operation {fault.operation!r}", advice=f"One of: {', '.join(OPERATIONS)}."
            )
        if fault.times is not None and fault.times < 1:
            raise UsageError(
                "a fault must strike at least once", advice="Leave `times` out to fail until mended."
            )
        with self._lock:
            self._write([*self.list(), fault])

    def clear(self, target: str | None = None) -> int:
        """Switch off the faults of a target, or all; how many there were."""
        with self._lock:
            faults = self.list()
            provider_faults = [fault for fault in faults if target is not None and fault.target != target]
            self._write(provider_faults)
            return len(faults) - len(provider_faults)

    def strike(self, type_: str, object_id: str, operation: str) -> ProviderFault | None:
        """The fault that strikes this operation, if any; one that has struck often enough is gone."""
        if not self._path.exists():
            return None
        with self._lock:
            faults = self.list()
            for index, fault in enumerate(faults):
                if fault.hits(type_, object_id, operation):
                    if fault.times is not None:
                        rest = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                        faults[index : index + 1] = rest
                        self._write(faults)
                    return fault
        return None

    def _write(self, faults: builtins.list[ProviderFault]) -> None:
        if faults:
            write_json(self._path, [asdict(fault) for fault in faults])
        else:
            self._path.unlink(missing_ok=True)
