"""The store's managed folders: a prefix of object names with an IAM policy of its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from orchestrator.sandbox.gcs import policies, resources
from orchestrator.sandbox.gcs.buckets import BucketStore
from orchestrator.sandbox.gcs.disk import BucketRecord, FolderRecord, is_soft_deleted
from orchestrator.sandbox.gcs.errors import conflict, invalid, no_folder
from orchestrator.sandbox.gcs.preconditions import ANY, Preconditions
from orchestrator.sandbox.gcs.resources import Resource


def folder_name(name: str) -> str:
    """A managed folder's name always ends with a slash, whether or not the client wrote it."""
    return name if name.endswith("/") else name + "/"


class ManagedFolders(BucketStore):
    """Managed folders; names are with or without their last slash."""

    def insert_managed_folder(self, bucket: str, name: str) -> Resource:
        """Create a managed folder; 409 when it is there, 400 without uniform bucket-level access."""
        with self.lock:
            record, full = self._record(bucket), folder_name(name)
            resources.check_object_name(full if full != "/" else "")
            access = record.resource["iamConfiguration"]["uniformBucketLevelAccess"]
            if not access["enabled"]:
                raise invalid("Managed folders need a bucket with uniform bucket-level access enabled.")
            if full in record.folders:
                raise conflict("The managed folder you tried to create already exists.")
            folder = resources.new_folder(bucket, full, self._now())
            record.folders[full] = FolderRecord(folder, policies.folder_policy(bucket, full))
            self._disk.save_bucket(record)
            return copy.deepcopy(folder)

    def get_managed_folder(self, bucket: str, name: str, *, when: Preconditions = ANY) -> Resource:
        """The managed folder; 404 when there is none."""
        with self.lock:
            folder = self._folder(self._record(bucket), name)
            when.check(folder.resource, reading=True)
            return copy.deepcopy(folder.resource)

    def list_managed_folders(self, bucket: str, *, prefix: str = "") -> list[Resource]:
        """The managed folders whose name starts with `prefix`, by name."""
        with self.lock:
            folders = self._record(bucket).folders
            return [copy.deepcopy(folders[n].resource) for n in sorted(folders) if n.startswith(prefix)]

    def delete_managed_folder(
        self, bucket: str, name: str, *, allow_non_empty: bool = False, when: Preconditions = ANY
    ) -> None:
        """Delete a managed folder (never its objects); 409 when something is in it, unless allowed."""
        with self.lock:
            record = self._record(bucket)
            folder = self._folder(record, name)
            when.check(folder.resource)
            if not allow_non_empty and _is_used(record, folder_name(name)):
                raise conflict("The managed folder you tried to delete is not empty.")
            del record.folders[folder_name(name)]
            self._disk.save_bucket(record)

    def get_managed_folder_policy(self, bucket: str, name: str) -> Resource:
        """The managed folder's own IAM policy."""
        with self.lock:
            return policies.visible_policy(copy.deepcopy(self._folder(self._record(bucket), name).policy))

    def set_managed_folder_policy(self, bucket: str, name: str, policy: Mapping[str, Any]) -> Resource:
        """Replace the managed folder's policy and return it; 412 when `policy` carries another etag."""
        with self.lock:
            record = self._record(bucket)
            folder = self._folder(record, name)
            folder.policy = policies.replace_policy(folder.policy, policy)
            folder.resource["updateTime"] = self._now()
            folder.resource["metageneration"] = str(int(folder.resource["metageneration"]) + 1)
            self._disk.save_bucket(record)
            return policies.visible_policy(copy.deepcopy(folder.policy))

    def policies_over(self, bucket: str, name: str = "") -> list[Resource]:
        """The policies that decide about `name`: the bucket's, then each covering managed folder's.

        They are no copies, since every request asks for them: a policy is replaced and never changed.
        """
        with self.lock:
            record = self._record(bucket)
            covering = [
                record.folders[folder] for folder in sorted(record.folders) if name.startswith(folder)
            ]
            return [record.policy, *(folder.policy for folder in covering)]

    def _folder(self, record: BucketRecord, name: str) -> FolderRecord:
        folder = record.folders.get(folder_name(name))
        if folder is None:
            raise no_folder()
        return folder


def _is_used(record: BucketRecord, name: str) -> bool:
    if any(other != name and other.startswith(name) for other in record.folders):
        return True
    return any(
        key.startswith(name) and any(not is_soft_deleted(version) for version in versions)
        for key, versions in record.objects.items()
    )
