"""The resources as the JSON API shows them: what a client may set, and what the service adds."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from orchestrator.sandbox.gcs import encryption
from orchestrator.sandbox.gcs.errors import invalid

Resource = dict[str, Any]

API = "https://www.googleapis.com/storage/v1"
DOWNLOAD = "https://storage.googleapis.com/download/storage/v1"
CUSTOM_METADATA_LIMIT = 8 * 1024
DEFAULT_SOFT_DELETE_SECONDS = 604800

# What the service alone decides: a client may send these back, and they are not taken from it.
_BUCKET_OUTPUT = frozenset(
    {"kind", "id", "selfLink", "name", "projectNumber", "generation", "metageneration", "timeCreated"}
    | {"updated", "etag", "locationType", "acl", "defaultObjectAcl", "owner"}
)
OBJECT_SETTABLE = frozenset(
    {"cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType"}
    | {"customTime", "eventBasedHold", "temporaryHold", "metadata", "retention", "contexts"}
)
_OBJECT_AT_INSERT = OBJECT_SETTABLE | {"storageClass", "kmsKeyName", "customerEncryption"}

_MULTI_REGIONS = frozenset({"US", "EU", "ASIA"})
_DUAL_REGIONS = frozenset({"NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"})
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as the service writes times."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def project_number(project: str) -> str:
    """A number that stands for a project: always the same one for the same id."""
    return str(int(hashlib.sha256(project.encode()).hexdigest()[:10], 16) % 900_000_000_000 + 100_000_000_000)


def service_agent(project: str) -> str:
    """The e-mail of the account by which Cloud Storage itself acts in a project."""
    return f"service-{project_number(project)}@gs-project-accounts.iam.gserviceaccount.com"


def etag(*parts: object) -> str:
    """An opaque tag that differs whenever one of the parts does."""
    return base64.b64encode("/".join(map(str, parts)).encode()).decode()


def merge(target: Resource, changes: Mapping[str, Any]) -> None:
    """JSON merge patch in place: null removes, objects merge, everything else replaces."""
    for key, value in changes.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping):
            inner = target[key] if isinstance(target.get(key), dict) else {}
            merge(inner, value)
            target[key] = inner
        else:
            target[key] = value


def check_bucket_name(name: str) -> None:
    """Raise 400 for a name that the service refuses."""
    longest = 222 if "." in name else 63
    if not _BUCKET_NAME.fullmatch(name) or len(name) > longest or name.startswith("goog") or ".." in name:
        raise invalid(f"Invalid bucket name: '{name}'")


def check_object_name(name: str) -> None:
    """Raise 400 for a name that the service refuses."""
    size = len(name.encode("utf-8", "surrogatepass"))
    if not name or size > 1024 or name in (".", "..") or "\r" in name or "\n" in name:
        raise invalid(
            f"Invalid object name: '{name}'" if name else "Required parameter: name", location="name"
        )
    if name.startswith(".well-known/acme-challenge/"):
        raise invalid(f"Invalid object name: '{name}'", location="name")


def check_custom_metadata(metadata: object) -> None:
    """Raise 400 unless it is a map of strings within the service's limit of 8 KiB."""
    if metadata is None:
        return
    if not isinstance(metadata, Mapping) or not all(isinstance(v, str) for v in metadata.values()):
        raise invalid("The object's metadata must be a map of strings.", location="metadata")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    if size > CUSTOM_METADATA_LIMIT:
        raise invalid(
            f"The size of the user metadata is {size} bytes; at most {CUSTOM_METADATA_LIMIT} are allowed.",
            reason="metadataTooLarge",
        )


def new_bucket(project: str, body: Mapping[str, Any], generation: int, now: str) -> Resource:
    """A bucket as it is right after its creation."""
    name = body["name"]
    bucket: Resource = {
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"{API}/b/{quote(name)}",
        "projectNumber": project_number(project),
        "name": name,
        "generation": str(generation),
        "metageneration": "0",
        "timeCreated": now,
        "location": "US",
        "storageClass": "STANDARD",
        "softDeletePolicy": {"retentionDurationSeconds": str(DEFAULT_SOFT_DELETE_SECONDS)},
    }
    merge(bucket, bucket_settable(body))
    apply_defaults(bucket, {}, now)
    return bucket


def bucket_settable(body: Mapping[str, Any]) -> Resource:
    """The part of `body` that a client decides."""
    return {key: value for key, value in body.items() if key not in _BUCKET_OUTPUT}


def apply_defaults(bucket: Resource, before: Mapping[str, Any], now: str) -> None:
    """Fill in what the service adds after a creation or a change, and count the change."""
    bucket["location"] = str(bucket.get("location") or "US").upper()
    bucket["locationType"] = _location_type(bucket)
    bucket.setdefault("storageClass", "STANDARD")
    bucket.setdefault("softDeletePolicy", {"retentionDurationSeconds": str(DEFAULT_SOFT_DELETE_SECONDS)})
    if bucket["locationType"] != "region":
        bucket.setdefault("rpo", "DEFAULT")
    _apply_access_defaults(bucket, before, now)
    _stamp(bucket, before, "softDeletePolicy", "effectiveTime", now, ("retentionDurationSeconds",))
    _stamp(bucket, before, "retentionPolicy", "effectiveTime", now, ("retentionPeriod",))
    _stamp(bucket, before, "autoclass", "toggleTime", now, ())
    encryption.stamp_enforcement(bucket, before, now)
    for section, field in (
        ("softDeletePolicy", "retentionDurationSeconds"),
        ("retentionPolicy", "retentionPeriod"),
    ):
        if field in bucket.get(section, {}):
            bucket[section][field] = str(bucket[section][field])
    if "autoclass" in bucket and bucket["autoclass"].get("enabled"):
        bucket["autoclass"].setdefault("terminalStorageClass", "NEARLINE")
        watched = ("terminalStorageClass",)
        _stamp(bucket, before, "autoclass", "terminalStorageClassUpdateTime", now, watched)
    if "logging" in bucket:
        bucket["logging"].setdefault("logObjectPrefix", bucket["name"])
    count_change(bucket, now)


def count_change(resource: Resource, now: str) -> None:
    """One metageneration more, a new time of update, a new etag."""
    resource["metageneration"] = str(int(resource["metageneration"]) + 1)
    resource["updated"] = now
    resource["etag"] = etag(resource["generation"], resource["metageneration"])


def _location_type(bucket: Mapping[str, Any]) -> str:
    if bucket["location"] in _DUAL_REGIONS or bucket.get("customPlacementConfig"):
        return "dual-region"
    return "multi-region" if bucket["location"] in _MULTI_REGIONS else "region"


def _apply_access_defaults(bucket: Resource, before: Mapping[str, Any], now: str) -> None:
    """Uniform access may be switched off again for 90 days; the old name of the setting mirrors it."""
    access = bucket.setdefault("iamConfiguration", {})
    access.setdefault("publicAccessPrevention", "inherited")
    uniform = access.setdefault("uniformBucketLevelAccess", dict(access.get("bucketPolicyOnly") or {}))
    uniform.setdefault("enabled", False)
    was = before.get("iamConfiguration", {}).get("uniformBucketLevelAccess", {})
    if not uniform["enabled"]:
        uniform.pop("lockedTime", None)
    elif not was.get("enabled") or "lockedTime" not in was:
        uniform["lockedTime"] = timestamp(datetime.fromisoformat(now) + timedelta(days=90))
    else:
        uniform["lockedTime"] = was["lockedTime"]
    access["bucketPolicyOnly"] = dict(uniform)


def _stamp(
    bucket: Resource, before: Mapping[str, Any], section: str, field: str, now: str, watched: tuple[str, ...]
) -> None:
    """Set the time since when a section holds, again when a watched field of it changed."""
    if section not in bucket:
        return
    old, new = before.get(section, {}), bucket[section]
    keys = watched or ("enabled",)
    same = field in old and all(str(old.get(key)) == str(new.get(key)) for key in keys)
    new[field] = old[field] if same else now


def new_object(
    bucket: Mapping[str, Any], name: str, data: bytes, body: Mapping[str, Any], generation: int, now: str
) -> Resource:
    """An object as it is right after its upload."""
    path = f"/b/{quote(bucket['name'])}/o/{quote(name, safe='')}"
    resource: Resource = {
        "kind": "storage#object",
        "id": f"{bucket['name']}/{name}/{generation}",
        "selfLink": API + path,
        "mediaLink": f"{DOWNLOAD}{path}?generation={generation}&alt=media",
        "name": name,
        "bucket": bucket["name"],
        "generation": str(generation),
        "metageneration": "0",
        "contentType": "application/octet-stream",
        "storageClass": bucket["storageClass"],
        "size": str(len(data)),
        **hashes(data),
        "timeCreated": now,
        "timeStorageClassUpdated": now,
        "timeFinalized": now,
    }
    check_custom_metadata(body.get("metadata"))
    settable = {key: value for key, value in body.items() if key in _OBJECT_AT_INSERT}
    merge(resource, {key: value for key, value in settable.items() if value not in (None, "", {})})
    default_key = bucket.get("encryption", {}).get("defaultKmsKeyName")
    if default_key and "customerEncryption" not in resource:
        resource.setdefault("kmsKeyName", default_key)
    if "kmsKeyName" in resource and "/cryptoKeyVersions/" not in resource["kmsKeyName"]:
        # The service names the version of the key that it used.
        resource["kmsKeyName"] += "/cryptoKeyVersions/1"
    count_change(resource, now)
    return resource


def hashes(data: bytes) -> dict[str, str]:
    """The two checksums of an object's data, as the API writes them (base64, big endian)."""
    import google_crc32c

    crc = google_crc32c.value(data).to_bytes(4, "big")
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    return {"md5Hash": base64.b64encode(md5).decode(), "crc32c": base64.b64encode(crc).decode()}


def new_folder(bucket: str, name: str, now: str) -> Resource:
    """A managed folder as it is right after its creation."""
    return {
        "kind": "storage#managedFolder",
        "id": f"{bucket}/{name}",
        "selfLink": f"{API}/b/{quote(bucket)}/managedFolders/{quote(name)}",
        "name": name,
        "bucket": bucket,
        "createTime": now,
        "updateTime": now,
        "metageneration": "1",
    }
