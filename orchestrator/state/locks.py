"""Who holds a state's lock, since when and for what, as Terraform wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from orchestrator.state.location import Location
from orchestrator.state.storage import Reader


@dataclass(frozen=True)
class LockInfo:
    """A state's lock. `created` is RFC 3339; `generation` is what `force-unlock` wants in a bucket."""

    id: str
    operation: str
    who: str
    version: str
    created: str
    info: str
    generation: str

    def __str__(self) -> str:
        what = self.operation.removeprefix("OperationType").lower() or "an operation"
        return f"{self.who or 'somebody'} holds it for {what} since {self.created or 'an unknown time'}"


def read_lock(storage: Reader, location: Location) -> LockInfo | None:
    """The lock on a state; None when it is free. A lock that cannot be parsed is a lock all the same."""
    found = storage.read(location.lock_name)
    if found is None:
        return None
    try:
        content = json.loads(found.data)
        if not isinstance(content, dict):
            content = {}
    except ValueError:
        content = {}
    return LockInfo(
        id=str(content.get("ID", "")),
        operation=str(content.get("Operation", "")),
        who=str(content.get("Who", "")),
        version=str(content.get("Version", "")),
        created=str(content.get("Created", "")),
        info=str(content.get("Info", "")),
        generation=found.generation,
    )
