"""Fields of Cloud Storage's resources as attributes of google_storage_bucket, _object and _managed_folder."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

ATTRIBUTION = "goog-terraform-provisioned"

_MANY = frozenset({"cors", "lifecycle_rule", "vpc_network_sources"})
_MAPS = frozenset({"labels", "metadata"})
# Blocks that are an object of the same name in the API.
_BLOCKS = (
    "autoclass",
    "cors",
    "custom_placement_config",
    "encryption",
    "hierarchical_namespace",
    "ip_filter",
    "logging",
    "retention_policy",
    "soft_delete_policy",
    "versioning",
    "website",
)
_PLAIN = ("name", "location", "storage_class", "default_event_based_hold", "rpo")
_OBJECT_PLAIN = (
    *("cache_control", "content_disposition", "content_encoding", "content_language", "content_type"),
    *("event_based_hold", "temporary_hold", "metadata", "storage_class", "kms_key_name"),
)
_FLAGS = (
    ("send_age_if_zero", "age"),
    ("send_days_since_custom_time_if_zero", "days_since_custom_time"),
    ("send_days_since_noncurrent_time_if_zero", "days_since_noncurrent_time"),
    ("send_num_newer_versions_if_zero", "num_newer_versions"),
)


def to_bucket(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The body that creates a bucket with these attributes, labels left out."""
    body = {_camel(name): _to_api(attributes.get(name), _MANY, name) for name in (*_PLAIN, *_BLOCKS)}
    body["iamConfiguration"] = {
        "publicAccessPrevention": attributes.get("public_access_prevention") or "inherited",
        "uniformBucketLevelAccess": {"enabled": bool(attributes.get("uniform_bucket_level_access"))},
    }
    if attributes.get("requester_pays") is not None:
        body["billing"] = {"requesterPays": attributes["requester_pays"]}
    rules = [_to_rule(rule) for rule in attributes.get("lifecycle_rule") or []]
    body["lifecycle"] = {"rule": rules} if rules else None
    return {name: value for name, value in body.items() if value not in (None, "")}


def change_bucket(current: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The whole bucket with these attributes: fields that no attribute stands for stay as they are."""
    managed = {_camel(name) for name in (*_PLAIN, *_BLOCKS)} | {"billing", "lifecycle", "iamConfiguration"}
    unmanaged = {name: value for name, value in current.items() if name not in managed}
    body = {**unmanaged, **to_bucket(attributes)}
    if "soft_delete_policy" not in attributes:
        body["softDeletePolicy"] = current.get("softDeletePolicy")
    body["labels"] = _labels(current.get("labels") or {}, attributes)
    return body


def from_bucket(resource: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The attributes that a bucket's resource tells; those that only Terraform knows are absent."""
    access = resource["iamConfiguration"]
    labels = dict(resource.get("labels") or {})
    attributes = {name: _from_api(resource.get(_camel(name)), _MAPS, name) for name in _PLAIN}
    attributes.update((name, _from_api(resource.get(_camel(name)), _MAPS, name) or []) for name in _BLOCKS)
    attributes.update(
        id=resource["name"],
        project=project,
        project_number=int(resource["projectNumber"]),
        self_link=resource["selfLink"],
        url=f"gs://{resource['name']}",
        time_created=resource["timeCreated"],
        updated=resource["updated"],
        rpo=resource.get("rpo"),
        public_access_prevention=access["publicAccessPrevention"],
        uniform_bucket_level_access=access["uniformBucketLevelAccess"]["enabled"],
        requester_pays=(resource.get("billing") or {}).get("requesterPays"),
        enable_object_retention="objectRetention" in resource,
        lifecycle_rule=[_from_rule(rule) for rule in (resource.get("lifecycle") or {}).get("rule") or []],
        labels={key: value for key, value in labels.items() if key != ATTRIBUTION},
        effective_labels=labels,
    )
    return attributes


def to_object(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of an upload."""
    fields = {_camel(name): attributes.get(name) for name in _OBJECT_PLAIN}
    retention = attributes.get("retention") or []
    if retention:
        fields["retention"] = _to_api(retention, _MANY)
    return {name: value for name, value in fields.items() if value not in (None, "", {})}


def from_object(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that an object's resource tells. Its content is only in the configuration."""
    attributes = {name: resource.get(_camel(name)) for name in _OBJECT_PLAIN}
    # A composed object has no MD5.
    digest = resource.get("md5Hash", "")
    # Terraform's configuration names a key, the service the version of it that was used.
    attributes["kms_key_name"] = (resource.get("kmsKeyName") or "").partition("/cryptoKeyVersions/")[
        0
    ] or None
    attributes.update(
        bucket=resource["bucket"],
        name=resource["name"],
        output_name=resource["name"],
        self_link=resource["selfLink"],
        media_link=resource["mediaLink"],
        generation=int(resource["generation"]),
        crc32c=resource["crc32c"],
        md5hash=digest,
        md5hexhash=binascii.hexlify(base64.b64decode(digest)).decode(),
    )
    return attributes


def from_folder(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a managed folder's resource tells."""
    return {
        "bucket": resource["bucket"],
        "name": resource["name"],
        "self_link": resource["selfLink"],
        "create_time": resource["createTime"],
        "update_time": resource["updateTime"],
        "metageneration": resource["metageneration"],
    }


def _labels(current: Mapping[str, str], attributes: Mapping[str, Any]) -> dict[str, str]:
    """The labels after a change of `effective_labels` (by the provider) or of `labels` (by a person)."""
    effective = dict(attributes.get("effective_labels") or {})
    if effective != current:
        return effective
    own = dict(attributes.get("labels") or {})
    removed = [key for key in current if key not in own and key != ATTRIBUTION]
    # Default labels of the provider are in none but `terraform_labels`.
    defaults = attributes.get("terraform_labels") or {}
    return {**{key: value for key, value in current.items() if key not in removed or key in defaults}, **own}


def _to_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    condition = dict((rule.get("condition") or [{}])[0])
    with_state = condition.pop("with_state", None)
    for flag, name in _FLAGS:
        if not condition.pop(flag, None) and not condition.get(name):
            condition.pop(name, None)
    fields = {key: value for key, value in _to_api(condition, _MANY).items() if value not in ("", [], None)}
    if with_state in ("LIVE", "ARCHIVED"):
        fields["isLive"] = with_state == "LIVE"
    return {"action": _without_empty(_to_api((rule.get("action") or [{}])[0], _MANY)), "condition": fields}


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None)}


def _from_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    condition = dict(rule.get("condition") or {})
    live = condition.pop("isLive", None)
    attributes = _from_api(condition, _MAPS)[0]
    attributes["with_state"] = "ANY" if live is None else ("LIVE" if live else "ARCHIVED")
    for flag, name in _FLAGS:
        if attributes.get(name) == 0:
            attributes[flag] = True
    return {"action": _from_api(rule.get("action") or {}, _MAPS), "condition": [attributes]}


def _camel(name: str) -> str:
    """`main_page_suffix` → `mainPageSuffix`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _snake(name: str) -> str:
    """`mainPageSuffix` → `main_page_suffix`."""
    return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def _to_api(value: Any, many: frozenset[str], name: str = "") -> Any:
    """Attributes as fields: a block is an object, one named in `many` a list; nulls are left out."""
    if isinstance(value, Mapping):
        fields = {_camel(key): _to_api(item, many, key) for key, item in value.items()}
        return {key: item for key, item in fields.items() if item is not None}
    if isinstance(value, list):
        if not all(isinstance(item, Mapping) for item in value) or (not value and name not in many):
            return value or None
        items = [_to_api(item, many) for item in value]
        return items if name in many else items[0]
    return value


def _from_api(value: Any, maps: frozenset[str], name: str = "") -> Any:
    """Fields as attributes, the other way round; objects named in `maps` are maps, not blocks."""
    if isinstance(value, Mapping):
        if name in maps:
            return dict(value)
        return [{_snake(key): _from_api(item, maps, _snake(key)) for key, item in value.items()}]
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return [_from_api(item, maps)[0] for item in value]
    return value
