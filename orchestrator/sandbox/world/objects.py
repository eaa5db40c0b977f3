"""One object of the world and the file that holds it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.errors import SandboxError

_LONGEST_NAME = 180


@dataclass(frozen=True)
class WorldObject:
    """Something that exists: `id` is its identity within its type, `attributes` are Terraform's.

    `created` and `updated` are RFC 3339 times in UTC. Of a partial object, an attribute that is absent is not
    null but unknown here: only Terraform's state has it.
    """

    provider: str
    type: str
    id: str
    attributes: dict[str, Any]
    created: str
    updated: str
    partial: bool = False

    @property
    def address(self) -> str:
        """How a person names it: `TYPE/ID`."""
        return f"{self.type}/{self.id}"


def file_name(object_id: str) -> str:
    """A file name that people can read and that differs for each id of a type."""
    name = quote(object_id.removeprefix("projects/"), safe="/@:=+, {}").replace("~", "%7E").replace("/", "~")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name.encode()) > _LONGEST_NAME:
        digest = hashlib.sha256(object_id.encode()).hexdigest()[:16]
        name = f"{name.encode()[: _LONGEST_NAME - 20].decode(errors='ignore')}~{digest}"
    return f"{name}.json"


def read_object(path: Path) -> WorldObject | None:
    """The object in a file, or None when there is no file."""
    try:
        raw = json.loads(path.read_bytes())
        return WorldObject(
            provider=raw.get("provider", path.parent.parent.name),
            type=raw.get("type", path.parent.name),
            id=raw["id"],
            attributes=dict(raw["attributes"]),
            created=raw.get("created", ""),
            updated=raw.get("updated", ""),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SandboxError(
            f"{path} does not hold an object of the sandbox's world: {error}",
            advice="Fix the file, or delete it: then the object is gone.",
            file=str(path),
        ) from error


def write_object(path: Path, item: WorldObject, *, new: bool = False) -> None:
    """Write an object atomically; with `new`, FileExistsError when it exists."""
    document = {
        "provider": item.provider,
        "type": item.type,
        "id": item.id,
        "created": item.created,
        "updated": item.updated,
        "attributes": item.attributes,
    }
    write_json(path, document, new=new)


def write_json(path: Path, document: Any, *, new: bool = False) -> None:
    """Write indented JSON, readable by its owner only, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".partial")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=2, ensure_ascii=False)
            stream.write("\n")
        if new:
            os.link(partial, path)
        else:
            Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
