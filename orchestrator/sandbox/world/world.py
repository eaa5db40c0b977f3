"""The simulated real infrastructure in a folder: one file `PROVIDER/TYPE/NAME.json` for each resource."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox.world.faults import ProviderFault, ProviderFaults
from orchestrator.sandbox.world.objects import WorldObject, file_name, read_object, write_json, write_object
from orchestrator.sandbox.world.paths import set_in
from orchestrator.sandbox.world.stored import AlreadyExistsError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.sandbox.world.stored import StoredTypes

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time of the machine."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """A time as Google's APIs write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


class World:
    """The resources that exist. With `stored`, some types are elsewhere (buckets are in the GCS server)."""

    def __init__(self, root: Path, *, stored: StoredTypes | None = None, clock: Clock = utc_now) -> None:
        self.root = root
        self.clock = clock
        self.faults = ProviderFaults(root / "faults.json")
        self._stored = stored

    # Changes by hand, through the command line.

    def list(self, type: str | None = None, glob: str | None = None) -> list[WorldObject]:
        """The objects in order of type and id; `glob` is matched against the id and its last part."""
        return [
            item
            for item in self._all(type)
            if glob is None or fnmatchcase(item.id, glob) or fnmatchcase(item.id.rsplit("/", 1)[-1], glob)
        ]

    def get(self, name: str) -> WorldObject:
        """The object that a person means: `TYPE/ID`, an id, or the last part of an id if only one has it."""
        type_, _, rest = name.partition("/")
        if rest:
            item = self.find(type_, rest)
            if item is not None:
                return item
        items = list(self._all(None))
        for matches in (
            [item for item in items if item.id == name],
            [item for item in items if item.id.rsplit("/", 1)[-1] == name],
            [item for item in items if rest and item.type == type_ and item.id.endswith(f"/{rest}")],
        ):
            if len(matches) == 1:
                return matches[0]
            if matches:
                choices = ", ".join(item.address for item in matches[:5])
                raise SandboxError(f"{name} is ambiguous: {choices}", advice="Write TYPE/ID.")
        raise SandboxError(
            f"there is no {name} in the sandbox's world",
            advice="`infra sandbox world list` shows what there is.",
        )

    def set(self, name: str, path: str, value: Any) -> WorldObject:
        """Change one attribute, as somebody does in a console; `value` is JSON data."""
        item = self.get(name)
        attributes = copy.deepcopy(item.attributes)
        set_in(attributes, path, value)
        try:
            return self.update(item.type, item.id, attributes)
        except RefusedError as error:
            raise _refused(error) from error

    def delete(self, name: str) -> WorldObject:
        """Delete an object outside Terraform."""
        item = self.get(name)
        try:
            self.remove(item.type, item.id)
        except RefusedError as error:
            raise _refused(error) from error
        return item

    def break_(self, target: str, operation: str, message: str, times: int | None = None) -> None:
        """Make an operation (`create`, `read`, … or `any`) on a type or an id fail with a message."""
        self.faults.add(ProviderFault(target, operation, message, times))

    def mend(self, target: str | None = None) -> int:
        """Switch the failures of a target off, or all of them; how many there were."""
        return self.faults.clear(target)

    @property
    def delay_scale(self) -> float:
        """The share of a real cloud's delays that is simulated: 0 is none, 1 is all."""
        try:
            return float(json.loads((self.root / "settings.json").read_bytes())["delays"])
        except (FileNotFoundError, KeyError):
            return 0.0

    def set_delays(self, scale: float) -> None:
        """Simulate a real cloud's delays, times `scale`."""
        write_json(self.root / "settings.json", {"delays": scale})

    # Operations of the providers.

    def find(self, type_: str, object_id: str) -> WorldObject | None:
        """The object, or None when there is none."""
        if self._stored is not None and type_ in self._stored.types:
            return self._stored.find(type_, object_id)
        for folder in self._folders(type_):
            item = read_object(folder / file_name(object_id))
            if item is not None:
                return item
        return None

    def create(self, provider: str, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Add an object; AlreadyExistsError when its id is taken."""
        if self._stored is not None and type_ in self._stored.types:
            return self._stored.create(type_, object_id, attributes)
        now = timestamp(self.clock())
        item = WorldObject(provider, type_, object_id, attributes, now, now)
        try:
            write_object(self._path(item), item, new=True)
        except FileExistsError as error:
            raise AlreadyExistsError(object_id) from error
        return item

    def update(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Replace an object's attributes; LookupError when it is gone."""
        if self._stored is not None and type_ in self._stored.types:
            return self._stored.update(type_, object_id, attributes)
        item = self.find(type_, object_id)
        if item is None:
            raise LookupError(object_id)
        changed = replace(item, attributes=attributes, updated=timestamp(self.clock()))
        write_object(self._path(changed), changed)
        return changed

    def remove(self, type_: str, object_id: str, attributes: dict[str, Any] | None = None) -> None:
        """Delete an object; LookupError when it is missing. `attributes` may say how (`force_destroy`)."""
        if self._stored is not None and type_ in self._stored.types:
            self._stored.remove(type_, object_id, attributes or {})
            return
        item = self.find(type_, object_id)
        if item is None:
            raise LookupError(object_id)
        self._path(item).unlink(missing_ok=True)

    def _all(self, type_: str | None) -> Iterator[WorldObject]:
        paths = sorted(self.root.glob(f"*/{type_ or '*'}/*.json"))
        object_s = [item for path in paths if (item := read_object(path)) is not None]
        if self._stored is not None:
            object_s += self._stored.list(type_)
        yield from sorted(object_s, key=lambda item: (item.type, item.id))

    def _folders(self, type_: str) -> Sequence[Path]:
        return sorted(self.root.glob(f"*/{type_}"))

    def _path(self, item: WorldObject) -> Path:
        return self.root / item.provider / item.type / file_name(item.id)


def _refused(error: RefusedError) -> SandboxError:
    return SandboxError(str(error), advice="The simulated cloud refuses what the real one would refuse.")
