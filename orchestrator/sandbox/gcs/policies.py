"""IAM policies: the one a bucket is born with, and how a new one replaces it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestrator.sandbox.gcs.errors import GcsError, condition_not_met, invalid
from orchestrator.sandbox.gcs.resources import Resource, etag

_ROLE = re.compile(r"roles/[A-Za-z0-9_.]+|(projects|organizations)/[^/]+/roles/[A-Za-z0-9_.]+")
_MEMBER = re.compile(r"allUsers|allAuthenticatedUsers|[A-Za-z]+:.+|(deleted:)?(principal|principalSet)://.+")


def bucket_policy(project: str, bucket: str) -> Resource:
    """What a new bucket carries: its project's basic roles, by the legacy storage roles."""
    owners = [f"projectEditor:{project}", f"projectOwner:{project}"]
    viewers = [f"projectViewer:{project}"]
    bindings = [
        {"role": "roles/storage.legacyBucketOwner", "members": owners},
        {"role": "roles/storage.legacyBucketReader", "members": viewers},
        {"role": "roles/storage.legacyObjectOwner", "members": owners},
        {"role": "roles/storage.legacyObjectReader", "members": viewers},
    ]
    return _policy(f"projects/_/buckets/{bucket}", bindings, 1)


def folder_policy(bucket: str, folder: str) -> Resource:
    """What a new managed folder carries: nothing."""
    return _policy(f"projects/_/buckets/{bucket}/managedFolders/{folder}", [], 1)


def replace_policy(current: Mapping[str, Any], requested: Mapping[str, Any]) -> Resource:
    """The policy that `requested` makes of `current`; 412 when it names another etag, 400 when malformed."""
    if requested.get("etag") and requested["etag"] != current["etag"]:
        raise condition_not_met()
    bindings = [_binding(binding) for binding in requested.get("bindings") or [] if binding.get("members")]
    if any("condition" in binding for binding in bindings) and int(requested.get("version") or 1) < 3:
        raise invalid("The version of a policy with conditional role bindings must be at least 3.")
    return _policy(current["resourceId"], bindings, int(current["revision"]) + 1)


def check_conditions(policy: Mapping[str, Any], bucket: Mapping[str, Any]) -> None:
    """Raise 412 for a policy with conditions on a bucket whose access is not uniform."""
    if bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]:
        return
    if any(binding.get("condition") for binding in policy.get("bindings") or []):
        raise GcsError(
            412,
            "conditionNotMet",
            "An IAM policy with conditions needs uniform bucket-level access. To set a condition, enable "
            "uniform bucket-level access of the bucket.",
        )


def visible_policy(policy: Mapping[str, Any]) -> Resource:
    """The policy as the API returns it."""
    return {key: value for key, value in policy.items() if key != "revision"}


def _policy(resource_id: str, bindings: list[Resource], revision: int) -> Resource:
    return {
        "kind": "storage#policy",
        "resourceId": resource_id,
        "version": 3 if any("condition" in binding for binding in bindings) else 1,
        "etag": etag(resource_id, revision),
        "bindings": bindings,
        "revision": revision,
    }


def _binding(requested: Mapping[str, Any]) -> Resource:
    role, members = str(requested.get("role", "")), [str(member) for member in requested["members"]]
    if not _ROLE.fullmatch(role):
        raise invalid(f"Role ({role}) is not supported for this resource.")
    for member in members:
        if not _MEMBER.fullmatch(member):
            raise invalid(f"Invalid argument: member {member}.")
    condition = {"condition": dict(requested["condition"])} if requested.get("condition") else {}
    return {"role": role, "members": list(dict.fromkeys(members)), **condition}
