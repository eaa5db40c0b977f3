"""The store's objects: uploads, reads, changes of metadata, copies, and what deletion leaves behind."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from orchestrator.sandbox.gcs import encryption, resources, retention
from orchestrator.sandbox.gcs.disk import BucketRecord, is_live, is_soft_deleted
from orchestrator.sandbox.gcs.errors import condition_not_met, invalid, no_object
from orchestrator.sandbox.gcs.folders import ManagedFolders
from orchestrator.sandbox.gcs.listing import Page, Query, make_page
from orchestrator.sandbox.gcs.preconditions import ANY, Preconditions
from orchestrator.sandbox.gcs.resources import Resource, timestamp

_LARGEST_COMPOSE = 32
# A move keeps these besides the metadata that a client decides.
_KEPT_BY_MOVES = ("storageClass", "kmsKeyName", "customerEncryption")


class Objects(ManagedFolders):
    """Objects and their generations. `generation=None` means the live one."""

    def insert_object(
        self,
        bucket: str,
        name: str,
        data: bytes,
        body: Mapping[str, Any] | None = None,
        *,
        when: Preconditions = ANY,
    ) -> Resource:
        """Write an object; `body` has the JSON API's fields (contentType, metadata, md5Hash to check, …)."""
        with self.lock:
            record = self._record(bucket)
            resources.check_object_name(name)
            when.check(record.live(name))
            return self._write(record, name, data, body or {})

    def get_object(
        self, bucket: str, name: str, generation: int | None = None, *, when: Preconditions = ANY
    ) -> Resource:
        """The object's resource; 404 when there is none, 304 when a *NotMatch precondition names it."""
        with self.lock:
            record = self._record(bucket)
            resource = self._object(record, name, generation)
            when.check(resource, reading=True)
            return _shown(record, resource)

    def read_object(
        self, bucket: str, name: str, generation: int | None = None, *, when: Preconditions = ANY
    ) -> tuple[Resource, bytes]:
        """The object's resource and its bytes."""
        with self.lock:
            record = self._record(bucket)
            resource = self._object(record, name, generation)
            when.check(resource, reading=True)
            return _shown(record, resource), self._disk.read_data(resource)

    def patch_object(
        self,
        bucket: str,
        name: str,
        changes: Mapping[str, Any],
        generation: int | None = None,
        *,
        when: Preconditions = ANY,
        override_retention: bool = False,
    ) -> Resource:
        """Merge `changes` into the object's metadata (null removes); no new generation."""
        return self._change(bucket, name, generation, when, changes, keep=True, override=override_retention)

    def update_object(
        self,
        bucket: str,
        name: str,
        body: Mapping[str, Any],
        generation: int | None = None,
        *,
        when: Preconditions = ANY,
        override_retention: bool = False,
    ) -> Resource:
        """Replace all of the object's metadata that a client decides; no new generation."""
        return self._change(bucket, name, generation, when, body, keep=False, override=override_retention)

    def delete_object(
        self, bucket: str, name: str, generation: int | None = None, *, when: Preconditions = ANY
    ) -> None:
        """Delete one generation, or the live object, which versioning then keeps as noncurrent."""
        with self.lock:
            record = self._record(bucket)
            resource = self._object(record, name, generation)
            when.check(resource)
            retention.check_removable(record.resource, resource, self._now())
            self._retire(record, resource, may_keep=generation is None)

    def list_objects(self, bucket: str, query: Query | None = None) -> Page:
        """One page of the bucket's objects and common prefixes."""
        with self.lock:
            record = self._record(bucket)
            self._purge(record)
            page = make_page(record, query or Query())
            return Page([_shown(record, item) for item in page.items], page.prefixes, page.next_token)

    def copy_object(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        body: Mapping[str, Any] | None = None,
        *,
        generation: int | None = None,
        when: Preconditions = ANY,
        source_when: Preconditions = ANY,
    ) -> Resource:
        """Copy an object (`generation` of it), with its metadata unless `body` has new ones."""
        with self.lock:
            original = self._object(self._record(source[0]), source[1], generation)
            source_when.check(original)
            data = self._disk.read_data(original)
            fields = resources.OBJECT_SETTABLE
            merged = dict(body or {}) if fields.intersection(body or ()) else {**original, **(body or {})}
            metadata = {key: merged[key] for key in (*fields, "storageClass") if key in merged}
            # A copy is encrypted as its own request says, never as its source is.
            metadata |= {
                key: body[key] for key in ("kmsKeyName", "customerEncryption") if body and key in body
            }
            return self.insert_object(*target, data, metadata, when=when)

    def move_object(
        self,
        bucket: str,
        name: str,
        to_name: str,
        *,
        when: Preconditions = ANY,
        source_when: Preconditions = ANY,
    ) -> Resource:
        """Rename the live object of a bucket: the new name has a new generation, the old one is retired."""
        with self.lock:
            record = self._record(bucket)
            source = self._object(record, name, None)
            source_when.check(source)
            retention.check_removable(record.resource, source, self._now())
            if name == to_name:
                raise invalid("The source and the destination of a move are the same object.")
            fields = {
                key: source[key] for key in (*resources.OBJECT_SETTABLE, *_KEPT_BY_MOVES) if key in source
            }
            moved = self.insert_object(bucket, to_name, self._disk.read_data(source), fields, when=when)
            self._retire(record, source, may_keep=True)
            return moved

    def compose_object(
        self,
        bucket: str,
        name: str,
        parts: Sequence[Mapping[str, Any]],
        body: Mapping[str, Any] | None = None,
        *,
        when: Preconditions = ANY,
    ) -> Resource:
        """Join objects of the bucket; `parts` are the JSON API's sourceObjects."""
        if not 1 <= len(parts) <= _LARGEST_COMPOSE:
            raise invalid(f"The number of source components must be from 1 to {_LARGEST_COMPOSE}.")
        with self.lock:
            record, data, components = self._record(bucket), b"", 0
            for part in parts:
                number = int(part["generation"]) if part.get("generation") else None
                source = self._object(record, str(part["name"]), number)
                expected = (part.get("objectPreconditions") or {}).get("ifGenerationMatch")
                if expected is not None and str(expected) != source["generation"]:
                    raise condition_not_met()
                data += self._disk.read_data(source)
                components += int(source.get("componentCount", 1))
            resources.check_object_name(name)
            when.check(record.live(name))
            # A client sends the resource that it has, with checksums of what the object was before.
            fields = {key: value for key, value in (body or {}).items() if key not in ("md5Hash", "crc32c")}
            return self._write(record, name, data, fields, components=components)

    def restore_object(
        self, bucket: str, name: str, generation: int, *, when: Preconditions = ANY
    ) -> Resource:
        """Make a soft-deleted generation live again, as a new generation."""
        with self.lock:
            record = self._record(bucket)
            self._purge(record)
            soft_deleted = self._soft_deleted(record, name, generation)
            when.check(record.live(name))
            data = self._disk.read_data(soft_deleted)
            settable = {key: soft_deleted[key] for key in resources.OBJECT_SETTABLE if key in soft_deleted}
            restored = self._write(record, name, data, settable)
            self._remove(record, soft_deleted)
            return restored

    def get_soft_deleted(self, bucket: str, name: str, generation: int) -> Resource:
        """A soft-deleted generation's resource; 404 when there is none, or it is not soft-deleted."""
        with self.lock:
            record = self._record(bucket)
            self._purge(record)
            return _shown(record, self._soft_deleted(record, name, generation))

    def live_object(self, bucket: str, name: str) -> Resource | None:
        """The live object, or None; 404 only for a missing bucket."""
        with self.lock:
            record = self._record(bucket)
            live = record.live(name)
            return _shown(record, live) if live else None

    def _write(
        self, record: BucketRecord, name: str, data: bytes, body: Mapping[str, Any], components: int = 0
    ) -> Resource:
        before = record.live(name)
        if before:
            retention.check_removable(record.resource, before, self._now())
        generation = self._next_generation()
        resource = resources.new_object(record.resource, name, data, body, generation, self._now())
        for field, label in (("md5Hash", "MD5"), ("crc32c", "CRC32C")):
            if body.get(field) and body[field] != resource[field]:
                raise invalid(
                    f'Provided {label} hash "{body[field]}" doesn\'t match calculated {label} hash '
                    f'"{resource[field]}".'
                )
        if components:
            del resource["md5Hash"]
            resource["componentCount"] = components
            if not body.get("contentType"):
                del resource["contentType"]
        encryption.check_enforcement(record.resource, resource)
        retention.prepare_new(record.resource, resource)
        self._disk.save_object(resource, data)
        record.objects.setdefault(name, []).append(resource)
        if before:
            self._retire(record, before, may_keep=True)
        return _shown(record, resource)

    def _change(
        self,
        bucket: str,
        name: str,
        generation: int | None,
        when: Preconditions,
        metadata: Mapping[str, Any],
        *,
        keep: bool,
        override: bool,
    ) -> Resource:
        with self.lock:
            record = self._record(bucket)
            resource = self._object(record, name, generation)
            when.check(resource)
            changed = copy.deepcopy(resource)
            if not keep:
                for field in resources.OBJECT_SETTABLE:
                    changed.pop(field, None)
            resources.merge(changed, {k: v for k, v in metadata.items() if k in resources.OBJECT_SETTABLE})
            resources.check_custom_metadata(changed.get("metadata"))
            retention.apply_change(record.resource, resource, changed, self._now(), override=override)
            resources.count_change(changed, self._now())
            self._disk.save_object(changed)
            resource.clear()
            resource.update(changed)
            return _shown(record, resource)

    def _object(self, record: BucketRecord, name: str, generation: int | None) -> Resource:
        live = record.live(name) if generation is None else record.generation(name, generation)
        if live is None or is_soft_deleted(live):
            raise no_object(record.name, name)
        return live

    def _soft_deleted(self, record: BucketRecord, name: str, generation: int) -> Resource:
        soft_deleted = record.generation(name, generation)
        if soft_deleted is None or not is_soft_deleted(soft_deleted):
            raise no_object(record.name, name)
        return soft_deleted

    def _retire(self, record: BucketRecord, resource: Resource, *, may_keep: bool) -> None:
        """Take a generation out of sight: noncurrent, else soft-deleted, else gone."""
        now = self.clock()
        seconds = int(record.resource["softDeletePolicy"].get("retentionDurationSeconds", 0))
        versioned = bool(record.resource.get("versioning", {}).get("enabled"))
        if may_keep and versioned and is_live(resource):
            resource["timeDeleted"] = timestamp(now)
        elif seconds:
            resource["softDeleteTime"] = timestamp(now)
            resource["hardDeleteTime"] = timestamp(now + timedelta(seconds=seconds))
        else:
            self._remove(record, resource)
            return
        self._disk.save_object(resource)

    def _remove(self, record: BucketRecord, resource: Resource) -> None:
        versions = record.objects[resource["name"]]
        versions.remove(resource)
        if not versions:
            del record.objects[resource["name"]]
        self._disk.remove_object(resource)

    def _purge(self, record: BucketRecord) -> None:
        """Remove soft-deleted objects whose retention has ended."""
        now = self._now()
        objects = [
            version
            for versions in record.objects.values()
            for version in versions
            if is_soft_deleted(version)
        ]
        for resource in objects:
            if resource["hardDeleteTime"] <= now:
                self._remove(record, resource)


def _shown(record: BucketRecord, resource: Resource) -> Resource:
    """A copy of the resource as the API returns it."""
    fields = retention.visible_object(record.resource, resource)
    # Most values are texts, and `deepcopy` of all of them is most of the time that a small request takes.
    return {
        name: copy.deepcopy(value) if isinstance(value, dict | list) else value
        for name, value in fields.items()
    }
