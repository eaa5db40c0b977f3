"""The store's buckets: their resources and their IAM policies."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from orchestrator.sandbox.gcs import policies, resources
from orchestrator.sandbox.gcs.disk import BucketRecord, Disk, is_soft_deleted
from orchestrator.sandbox.gcs.errors import conflict, forbidden, invalid, no_bucket
from orchestrator.sandbox.gcs.preconditions import ANY, Preconditions
from orchestrator.sandbox.gcs.resources import Resource, timestamp

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class BucketStore:
    """Every bucket in a folder. Each method is atomic; hold `lock` to make several of them one."""

    def __init__(self, folder: Path, *, clock: Clock = system_clock) -> None:
        self.lock = RLock()
        self.clock = clock
        self._disk = Disk(folder)
        self._records = {record.name: record for record in self._disk.load()}
        self._last_generation = max(
            (
                int(resource["generation"])
                for record in self._records.values()
                for resource in (
                    record.resource,
                    *(v for versions in record.objects.values() for v in versions),
                )
            ),
            default=0,
        )

    def create_bucket(
        self, project: str, body: Mapping[str, Any], *, object_retention: bool = False
    ) -> Resource:
        """Create a bucket from the fields of the JSON API's bucket; 409 when the name is taken."""
        with self.lock:
            name = str(body.get("name", ""))
            resources.check_bucket_name(name)
            if name in self._records:
                raise conflict(
                    "The requested bucket name is not available. The bucket namespace is shared by all users "
                    "of the system. Please select a different name and try again."
                )
            resource = resources.new_bucket(project, body, self._next_generation(), self._now())
            if object_retention:
                resource["objectRetention"] = {"mode": "Enabled"}
            record = BucketRecord(project, resource, policies.bucket_policy(project, name))
            self._records[name] = record
            self._disk.save_bucket(record)
            return copy.deepcopy(resource)

    def get_bucket(self, name: str, *, when: Preconditions = ANY) -> Resource:
        """The bucket; 404 when there is none."""
        with self.lock:
            record = self._record(name)
            when.check(record.resource, reading=True)
            return copy.deepcopy(record.resource)

    def bucket_project(self, name: str) -> str:
        """The id of the project that the bucket was created in."""
        with self.lock:
            return self._record(name).project

    def list_buckets(self, project: str = "", *, prefix: str = "") -> list[Resource]:
        """The buckets of a project, or all of them, by name."""
        with self.lock:
            records = [self._records[name] for name in sorted(self._records) if name.startswith(prefix)]
            return [
                copy.deepcopy(record.resource)
                for record in records
                if not project or record.project == project
            ]

    def patch_bucket(self, name: str, changes: Mapping[str, Any], *, when: Preconditions = ANY) -> Resource:
        """Merge `changes` into the bucket (null removes a field) and return it."""
        with self.lock:
            record = self._record(name)
            when.check(record.resource)
            changed = copy.deepcopy(record.resource)
            resources.merge(changed, self._checked(record, changes))
            return self._replace(record, changed)

    def update_bucket(self, name: str, body: Mapping[str, Any], *, when: Preconditions = ANY) -> Resource:
        """Replace everything in the bucket that a client decides, and return it."""
        with self.lock:
            record = self._record(name)
            when.check(record.resource)
            settable = resources.bucket_settable(record.resource)
            read_only = {key: value for key, value in record.resource.items() if key not in settable}
            changed = {**copy.deepcopy(read_only), "location": record.resource["location"]}
            resources.merge(changed, self._checked(record, body))
            return self._replace(record, changed)

    def lock_retention_policy(self, name: str, *, when: Preconditions) -> Resource:
        """Make the retention policy permanent."""
        with self.lock:
            record = self._record(name)
            when.check(record.resource)
            if "retentionPolicy" not in record.resource:
                raise invalid("Bucket has no retention policy.")
            changed = copy.deepcopy(record.resource)
            changed["retentionPolicy"]["isLocked"] = True
            return self._replace(record, changed)

    def delete_bucket(self, name: str, *, when: Preconditions = ANY) -> None:
        """Delete an empty bucket; 409 while an object, live or noncurrent, is in it."""
        with self.lock:
            record = self._record(name)
            when.check(record.resource)
            if any(
                not is_soft_deleted(version) for versions in record.objects.values() for version in versions
            ):
                raise conflict("The bucket you tried to delete is not empty.")
            del self._records[name]
            self._disk.remove_bucket(record)

    def get_bucket_policy(self, name: str) -> Resource:
        """The bucket's IAM policy."""
        with self.lock:
            return policies.visible_policy(copy.deepcopy(self._record(name).policy))

    def set_bucket_policy(self, name: str, policy: Mapping[str, Any]) -> Resource:
        """Replace the bucket's IAM policy and return it; 412 when `policy` carries another etag."""
        with self.lock:
            record = self._record(name)
            policies.check_conditions(policy, record.resource)
            record.policy = policies.replace_policy(record.policy, policy)
            resources.count_change(record.resource, self._now())
            self._disk.save_bucket(record)
            return policies.visible_policy(copy.deepcopy(record.policy))

    def _checked(self, record: BucketRecord, changes: Mapping[str, Any]) -> Resource:
        settable = resources.bucket_settable(changes)
        location = str(settable.pop("location", "") or record.resource["location"]).upper()
        if location != record.resource["location"]:
            raise invalid("A bucket's location cannot be changed.", location="location")
        return settable

    def _replace(self, record: BucketRecord, changed: Resource) -> Resource:
        _retain_lock(record.resource, changed)
        resources.apply_defaults(changed, record.resource, self._now())
        policies.check_conditions(record.policy, changed)
        record.resource = changed
        self._disk.save_bucket(record)
        return copy.deepcopy(changed)

    def _record(self, name: str) -> BucketRecord:
        record = self._records.get(name)
        if record is None:
            raise no_bucket()
        return record

    def _now(self) -> str:
        return timestamp(self.clock())

    def _next_generation(self) -> int:
        self._last_generation = max(self._last_generation + 1, int(self.clock().timestamp() * 1_000_000))
        return self._last_generation


def _retain_lock(before: Mapping[str, Any], changed: Resource) -> None:
    """Raise 403 for a change that removes, unlocks or shortens a locked retention policy."""
    locked = before.get("retentionPolicy", {})
    if not locked.get("isLocked"):
        return
    policy = changed.get("retentionPolicy") or {}
    is_shorter = int(policy.get("retentionPeriod") or 0) < int(locked["retentionPeriod"])
    if is_shorter or policy.get("isLocked") is False:
        raise forbidden("The request", "storage.buckets.update", "bucket")
    policy["isLocked"] = True
