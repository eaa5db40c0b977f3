"""Buckets, objects, managed folders and access to them, in the GCS server's store.

What Terraform makes, the gcs backend can use at once, and what is uploaded is there for Terraform.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.world import bucket_fields
from orchestrator.sandbox.world.bucket_access import BucketAccess
from orchestrator.sandbox.world.objects import WorldObject
from orchestrator.sandbox.world.stored import AlreadyExistsError, RefusedError

if TYPE_CHECKING:
    from orchestrator.sandbox.gcs.store import GcsStore

BUCKET = "google_storage_bucket"
OBJECT = "google_storage_bucket_object"
FOLDER = "google_storage_managed_folder"

_CONFLICT, _MISSING = 409, 404


@contextmanager
def _translate_errors(creating: str = "") -> Iterator[None]:
    """Translate the store's errors into the world's; `creating` is the id of what is being created."""
    try:
        yield
    except GcsError as error:
        if creating and error.status == _CONFLICT:
            raise AlreadyExistsError(creating) from error
        if not creating and error.status == _MISSING:
            raise LookupError(error.message) from error
        raise RefusedError(f"googleapi: Error {error.status}: {error.message}, {error.reason}") from error


class WorldBuckets:
    """The store of Google's storage types."""

    def __init__(self, store: GcsStore) -> None:
        self._store = store
        self._access = BucketAccess(store)

    @property
    def types(self) -> frozenset[str]:
        """The resource types stored here."""
        return frozenset({BUCKET, OBJECT, FOLDER}) | self._access.types

    def list(self, type_: str | None) -> Iterator[WorldObject]:
        """Objects are listed only when requested: a state bucket is full of them."""
        for bucket in self._store.list_buckets():
            name = bucket["name"]
            if type_ in (None, BUCKET):
                yield self._bucket(name)
            if type_ in (None, FOLDER):
                yield from (_folder(each) for each in self._store.list_managed_folders(name))
            if type_ == OBJECT:
                yield from (_object(each) for each in self._live_objects(name))
            yield from self._access.list(type_, name)

    def find(self, type_: str, object_id: str) -> WorldObject | None:
        """What the store has under that id."""
        if type_ in self._access.types:
            return self._access.find(type_, object_id)
        finders: dict[str, Callable[[str], WorldObject | None]] = {
            BUCKET: self._bucket,
            OBJECT: self._find_object,
            FOLDER: self._find_folder,
        }
        try:
            return finders[type_](object_id)
        except GcsError as error:
            if error.status == _MISSING:
                return None
            raise

    def create(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Make it in the store."""
        with _translate_errors(object_id):
            if type_ in self._access.types:
                return self._access.put(type_, object_id, attributes)
            if type_ == BUCKET:
                labels = attributes.get("effective_labels") or attributes.get("labels") or {}
                body = {**bucket_fields.to_bucket(attributes), "labels": labels}
                retention = bool(attributes.get("enable_object_retention"))
                self._store.create_bucket(str(attributes.get("project")), body, object_retention=retention)
                return self._bucket(object_id)
            if type_ == FOLDER:
                return _folder(self._store.insert_managed_folder(attributes["bucket"], attributes["name"]))
            return self._write_object(attributes)

    def update(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Change it in the store."""
        with _translate_errors():
            if type_ in self._access.types:
                return self._access.put(type_, object_id, attributes)
            if type_ == BUCKET:
                current = self._store.get_bucket(object_id)
                self._store.update_bucket(object_id, bucket_fields.change_bucket(current, attributes))
                return self._bucket(object_id)
            object_ = self.find(type_, object_id)
            if object_ is None:
                raise LookupError(object_id)
            if type_ == FOLDER:
                return object_
            data = _content(attributes)
            if data is None or _md5(data) == object_.attributes["md5hash"]:
                body = bucket_fields.to_object(attributes)
                return _object(self._store.patch_object(attributes["bucket"], attributes["name"], body))
            return self._write_object(attributes)

    def remove(self, type_: str, object_id: str, attributes: Mapping[str, Any]) -> None:
        """Take it out of the store; a bucket must be empty, unless `force_destroy` says otherwise."""
        with _translate_errors():
            if type_ in self._access.types:
                self._access.remove(type_, object_id)
                return
            item = self.find(type_, object_id)
            if item is None:
                raise LookupError(object_id)
            if type_ == BUCKET:
                self._remove_bucket(object_id, force=bool(attributes.get("force_destroy")))
            elif type_ == FOLDER:
                force = bool(attributes.get("force_destroy"))
                bucket, name = item.attributes["bucket"], item.attributes["name"]
                self._store.delete_managed_folder(bucket, name, allow_non_empty=force)
            else:
                self._store.delete_object(item.attributes["bucket"], item.attributes["name"])

    def _remove_bucket(self, name: str, *, force: bool) -> None:
        from orchestrator.sandbox.gcs.store import Query

        versions = self._store.list_objects(name, Query(versions=True)).items
        if versions and not force:
            raise RefusedError(
                f"Error trying to delete bucket {name} containing objects without `force_destroy` set to true"
            )
        while versions:
            for each in versions:
                self._store.delete_object(name, each["name"], int(each["generation"]))
            versions = self._store.list_objects(name, Query(versions=True)).items
        self._store.delete_bucket(name)

    def _bucket(self, name: str) -> WorldObject:
        resource = self._store.get_bucket(name)
        attributes = bucket_fields.from_bucket(resource, self._store.bucket_project(name))
        return _world_object(BUCKET, name, attributes, resource["timeCreated"], resource["updated"])

    def _find_object(self, object_id: str) -> WorldObject | None:
        """An object's id is BUCKET-NAME, and both parts may have hyphens."""
        for bucket in self._store.list_buckets():
            prefix = f"{bucket['name']}-"
            if object_id.startswith(prefix):
                live_object = self._store.live_object(bucket["name"], object_id.removeprefix(prefix))
                if live_object is not None:
                    return _object(live_object)
        return None

    def _find_folder(self, object_id: str) -> WorldObject | None:
        bucket, _, name = object_id.partition("/")
        return _folder(self._store.get_managed_folder(bucket, name)) if name else None

    def _write_object(self, attributes: Mapping[str, Any]) -> WorldObject:
        body = bucket_fields.to_object(attributes)
        data = _content(attributes) or b""
        return _object(self._store.insert_object(attributes["bucket"], attributes["name"], data, body))

    def _live_objects(self, bucket: str) -> Iterator[Mapping[str, Any]]:
        from orchestrator.sandbox.gcs.store import Query

        page = self._store.list_objects(bucket)
        yield from page.items
        while page.next_token:
            page = self._store.list_objects(bucket, Query(token=page.next_token))
            yield from page.items


def _content(attributes: Mapping[str, Any]) -> bytes | None:
    """The bytes to upload, from `content` or from the file `source`; None when there is neither."""
    source = attributes.get("source")
    if not source:
        content = attributes.get("content")
        return None if content is None else str(content).encode()
    path = Path(source)
    if not path.is_absolute():
        raise RefusedError(
            f"the sandbox cannot read source = {source!r}: it does not know the folder that Terraform runs "
            "in. Write it with abspath(), or use `content`"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefusedError(f"open {source}: {error.strerror}") from error


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _world_object(
    type_: str, object_id: str, attributes: dict[str, Any], created: str, updated: str
) -> WorldObject:
    return WorldObject("google", type_, object_id, attributes, created, updated, partial=True)


def _object(resource: Mapping[str, Any]) -> WorldObject:
    object_id = f"{resource['bucket']}-{resource['name']}"
    attributes = bucket_fields.from_object(resource) | {"id": object_id}
    return _world_object(OBJECT, object_id, attributes, resource["timeCreated"], resource["updated"])


def _folder(resource: Mapping[str, Any]) -> WorldObject:
    object_id = f"{resource['bucket']}/{resource['name']}"
    attributes = bucket_fields.from_folder(resource) | {"id": object_id}
    return _world_object(FOLDER, object_id, attributes, resource["createTime"], resource["updateTime"])
