"""The fields of request bodies and their types: others are refused.

Source: the JSON API's resource representations. What the sandbox does not keep (access control lists,
contexts, inventories) is not listed, so that no client believes that it was set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.gcs.encryption import ENFORCEMENTS
from orchestrator.sandbox.gcs.errors import GcsError, invalid


@dataclass(frozen=True)
class ListOf:
    """A list whose items are of one kind."""

    item: Kind


@dataclass(frozen=True)
class MapOf:
    """An object with any keys, whose values are of one kind."""

    value: Kind


# A type by name, the words of an enumeration, an object by its fields, a list or a map.
Kind = str | frozenset[str] | Mapping[str, "Kind"] | ListOf | MapOf

_TEXT, _FLAG, _NUMBER, _OUTPUT = "string", "boolean", "integer", "output"
_STORAGE_CLASS = frozenset(
    {"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL"}
    | {"DURABLE_REDUCED_AVAILABILITY", "RAPID"}
)
_TEXTS = ListOf(_TEXT)
_UNIFORM_ACCESS: Kind = {"enabled": _FLAG, "lockedTime": _OUTPUT}
_CONDITION: Kind = {
    **dict.fromkeys(("age", "daysSinceCustomTime", "daysSinceNoncurrentTime", "numNewerVersions"), _NUMBER),
    **dict.fromkeys(("createdBefore", "customTimeBefore", "noncurrentTimeBefore"), _TEXT),
    **dict.fromkeys(("matchesPrefix", "matchesStorageClass", "matchesSuffix"), _TEXTS),
    "isLive": _FLAG,
}
_ENFORCEMENT: Kind = {
    "restrictionMode": frozenset({"NotRestricted", "FullyRestricted"}),
    "effectiveTime": _OUTPUT,
}
_SOURCE: Kind = {"network": _TEXT, "allowedIpCidrRanges": _TEXTS}

BUCKET: Mapping[str, Kind] = {
    **dict.fromkeys(("kind", "id", "selfLink", "projectNumber", "generation", "metageneration"), _OUTPUT),
    **dict.fromkeys(("timeCreated", "updated", "etag", "locationType", "owner"), _OUTPUT),
    "name": _TEXT,
    "location": _TEXT,
    "storageClass": _STORAGE_CLASS,
    "rpo": frozenset({"DEFAULT", "ASYNC_TURBO"}),
    "labels": MapOf(_TEXT),
    "defaultEventBasedHold": _FLAG,
    "versioning": {"enabled": _FLAG},
    "billing": {"requesterPays": _FLAG},
    "website": {"mainPageSuffix": _TEXT, "notFoundPage": _TEXT},
    "logging": {"logBucket": _TEXT, "logObjectPrefix": _TEXT},
    "encryption": {"defaultKmsKeyName": _TEXT, **dict.fromkeys(ENFORCEMENTS, _ENFORCEMENT)},
    "cors": ListOf({"origin": _TEXTS, "method": _TEXTS, "responseHeader": _TEXTS, "maxAgeSeconds": _NUMBER}),
    "lifecycle": {
        "rule": ListOf({"action": {"type": _TEXT, "storageClass": _STORAGE_CLASS}, "condition": _CONDITION})
    },
    "retentionPolicy": {"retentionPeriod": _NUMBER, "isLocked": _FLAG, "effectiveTime": _OUTPUT},
    "softDeletePolicy": {"retentionDurationSeconds": _NUMBER, "effectiveTime": _OUTPUT},
    "objectRetention": _OUTPUT,
    "iamConfiguration": {
        "uniformBucketLevelAccess": _UNIFORM_ACCESS,
        "bucketPolicyOnly": _UNIFORM_ACCESS,
        "publicAccessPrevention": frozenset({"inherited", "enforced", "unspecified"}),
    },
    "autoclass": {
        "enabled": _FLAG,
        "terminalStorageClass": _STORAGE_CLASS,
        "toggleTime": _OUTPUT,
        "terminalStorageClassUpdateTime": _OUTPUT,
    },
    "hierarchicalNamespace": {"enabled": _FLAG},
    "customPlacementConfig": {"dataLocations": _TEXTS},
    "ipFilter": {
        "mode": _TEXT,
        "publicNetworkSource": {"allowedIpCidrRanges": _TEXTS},
        "vpcNetworkSources": ListOf(_SOURCE),
        "allowCrossOrgVpcs": _FLAG,
        "allowAllServiceAgentAccess": _FLAG,
    },
}

OBJECT: Mapping[str, Kind] = {
    **dict.fromkeys(
        ("kind", "id", "selfLink", "mediaLink", "bucket", "generation", "metageneration"), _OUTPUT
    ),
    **dict.fromkeys(("size", "componentCount", "etag", "owner", "timeCreated", "updated"), _OUTPUT),
    **dict.fromkeys(("timeDeleted", "timeFinalized", "timeStorageClassUpdated", "softDeleteTime"), _OUTPUT),
    **dict.fromkeys(("hardDeleteTime", "retentionExpirationTime", "customerEncryption"), _OUTPUT),
    **dict.fromkeys(
        ("name", "contentType", "contentEncoding", "contentLanguage", "contentDisposition"), _TEXT
    ),
    **dict.fromkeys(("cacheControl", "customTime", "md5Hash", "crc32c", "kmsKeyName"), _TEXT),
    "storageClass": _STORAGE_CLASS,
    "eventBasedHold": _FLAG,
    "temporaryHold": _FLAG,
    "metadata": MapOf(_TEXT),
    "retention": {"mode": _TEXT, "retainUntilTime": _TEXT, "retentionExpirationTime": _OUTPUT},
}

COMPOSE: Mapping[str, Kind] = {
    "kind": _OUTPUT,
    "destination": OBJECT,
    "sourceObjects": ListOf(
        {"name": _TEXT, "generation": _NUMBER, "objectPreconditions": {"ifGenerationMatch": _NUMBER}}
    ),
}

POLICY: Mapping[str, Kind] = {
    "kind": _OUTPUT,
    "resourceId": _OUTPUT,
    "etag": _TEXT,
    "version": _NUMBER,
    "bindings": ListOf(
        {
            "role": _TEXT,
            "members": _TEXTS,
            "condition": {"title": _TEXT, "description": _TEXT, "expression": _TEXT, "location": _TEXT},
        }
    ),
}

FOLDER: Mapping[str, Kind] = {
    **dict.fromkeys(("kind", "id", "selfLink", "bucket", "createTime", "updateTime"), _OUTPUT),
    "metageneration": _OUTPUT,
    "name": _TEXT,
}


def check_fields(body: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Raise 400 for a field that is not in `kinds` or whose value is of another kind; null is of any kind."""
    _check(body, kinds, "")


def _check(value: Any, kind: Kind, path: str) -> None:
    if value is None or kind == _OUTPUT:
        return
    if isinstance(kind, ListOf):
        if not isinstance(value, list):
            raise _wrong(path, value, "an array")
        for index, item in enumerate(value):
            _check(item, kind.item, f"{path}[{index}]")
    elif isinstance(kind, MapOf | Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        for name, inner in value.items():
            inner_path = f"{path}.{name}" if path else name
            if isinstance(kind, Mapping) and name not in kind:
                message = f"Unknown field, or one that the sandbox does not keep: {inner_path}"
                raise invalid(message, location=inner_path)
            _check(inner, kind[name] if isinstance(kind, Mapping) else kind.value, inner_path)
    elif isinstance(kind, frozenset):
        if value not in kind:
            raise _wrong(path, value, f"one of {', '.join(sorted(kind))}")
    elif not _IS[kind](value):
        raise _wrong(path, value, f"of type {kind}")


def _is_integer(value: Any) -> bool:
    """A 64-bit number of the JSON API is a number or its decimal text."""
    if isinstance(value, str):
        return value.removeprefix("-").isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)


_IS = {
    _TEXT: lambda value: isinstance(value, str),
    _FLAG: lambda value: isinstance(value, bool),
    _NUMBER: _is_integer,
}


def _wrong(path: str, value: Any, expected: str) -> GcsError:
    return invalid(f"Invalid value for {path}: {value!r} is not {expected}.", location=path)
