"""The store's data in a folder: one folder a bucket, one JSON and one data file for each generation.

    buckets/NAME/bucket.json                         the bucket, its policy, its managed folders
    buckets/NAME/objects/HASH/GENERATION.json|.data  HASH: of the object's name, so that any name fits

The JSON file makes a generation exist, so it is written last and removed first.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.sandbox.gcs.resources import Resource


@dataclass
class FolderRecord:
    """A managed folder and its policy."""

    resource: Resource
    policy: Resource


@dataclass
class BucketRecord:
    """A bucket with everything in it. `objects` has every generation of a name, oldest first."""

    project: str
    resource: Resource
    policy: Resource
    folders: dict[str, FolderRecord] = field(default_factory=dict)
    objects: dict[str, list[Resource]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The bucket's name."""
        return str(self.resource["name"])

    def live(self, name: str) -> Resource | None:
        """The current generation of an object, if there is one."""
        newest = self.objects.get(name, [])[-1:]
        return newest[0] if newest and is_live(newest[0]) else None

    def generation(self, name: str, generation: int) -> Resource | None:
        """One generation of an object, live or not."""
        number = str(generation)
        return next(
            (resource for resource in self.objects.get(name, []) if resource["generation"] == number), None
        )


def is_live(resource: Resource) -> bool:
    """True for an object's current generation."""
    return "timeDeleted" not in resource and not is_soft_deleted(resource)


def is_soft_deleted(resource: Resource) -> bool:
    """True for a generation that only `restore` can bring back."""
    return "softDeleteTime" in resource


class Disk:
    """Reads and writes the folder. The caller holds the store's lock."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "buckets"
        self.root.mkdir(parents=True, exist_ok=True)

    def load(self) -> Iterator[BucketRecord]:
        """Every bucket that the folder holds."""
        for path in sorted(self.root.glob("*/bucket.json")):
            saved = json.loads(path.read_text())
            folders = {name: FolderRecord(**folder) for name, folder in saved["folders"].items()}
            record = BucketRecord(saved["project"], saved["resource"], saved["policy"], folders)
            for path_of_object in path.parent.glob("objects/*/*.json"):
                resource = json.loads(path_of_object.read_text())
                record.objects.setdefault(resource["name"], []).append(resource)
            for versions in record.objects.values():
                versions.sort(key=lambda resource: int(resource["generation"]))
                _apply_version_defaults(versions)
            yield record

    def save_bucket(self, record: BucketRecord) -> None:
        """Write the bucket itself: its resource, policy and managed folders."""
        folders = {n: {"resource": f.resource, "policy": f.policy} for n, f in record.folders.items()}
        saved = {
            "project": record.project,
            "resource": record.resource,
            "policy": record.policy,
            "folders": folders,
        }
        _write_json(self.root / record.name / "bucket.json", saved)

    def remove_bucket(self, record: BucketRecord) -> None:
        """Remove a bucket and the soft-deleted objects in it."""
        (self.root / record.name / "bucket.json").unlink()
        shutil.rmtree(self.root / record.name)

    def save_object(self, resource: Resource, data: bytes | None = None) -> None:
        """Write a generation: its data when it is new, and its metadata."""
        path = self._path(resource)
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".data").write_bytes(data)
        _write_json(path, resource)

    def read_data(self, resource: Resource) -> bytes:
        """The bytes of a generation."""
        return self._path(resource).with_suffix(".data").read_bytes()

    def remove_object(self, resource: Resource) -> None:
        """Remove a generation for good."""
        path = self._path(resource)
        path.unlink()
        path.with_suffix(".data").unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()

    def _path(self, resource: Resource) -> Path:
        bucket, name, generation = (str(resource[key]) for key in ("bucket", "name", "generation"))
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.root / bucket / "objects" / digest / f"{generation}.json"


def _apply_version_defaults(versions: list[Resource]) -> None:
    """What a death between the two writes of an overwrite left live twice: only the newest is."""
    for old, new in itertools.pairwise(versions):
        if is_live(old):
            old["timeDeleted"] = new["timeCreated"]


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(value, indent=1, sort_keys=True))
    beside.replace(path)
