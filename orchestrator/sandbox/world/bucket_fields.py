"""Fields of Cloud Storage's resources as attributes of google_storage_bucket, _object and _managed_folder."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from orchestrator.sandbox.world.jsonapi import camel, from_api, to_api

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
    body = {camel(name): to_api(attributes.get(name), _MANY, name) for name in (*_PLAIN, *_BLOCKS)}
    body["iamConfiguration"] = {
        "publicAccessPrevention": attributes.get("public_access_prevention") or "inherited",
        "uniformBucketLevelAccess": {"enabled": bool(attributes.get("uniform_bucket_level_access"))},
    }
    if attributes.get("requester_pays") is not None:
        body["billing"] = {"requesterPays": attributes["requester_pays"]}
    rules = [_to_rule(rule) for rule in attributes.get("lifecycle_rule") or []]
    body["lifecycle"] = {"rule": rules} if rules else None
    return {name: value for name, value in body.items() if value not in (None, "")}


def changed_bucket(current: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The whole bucket with these attributes: fields that no attribute stands for stay as they are."""
    managed = {camel(name) for name in (*_PLAIN, *_BLOCKS)} | {"billing", "lifecycle", "iamConfiguration"}
    kept = {name: value for name, value in current.items() if name not in managed}
    body = {**kept, **to_bucket(attributes)}
    if "soft_delete_policy" not in attributes:
        body["softDeletePolicy"] = current.get("softDeletePolicy")
    body["labels"] = _labels(current.get("labels") or {}, attributes)
    return body


def from_bucket(resource: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The attributes that a bucket's resource tells; those that only Terraform knows are absent."""
    access = resource["iamConfiguration"]
    labels = dict(resource.get("labels") or {})
    attributes = {name: from_api(resource.get(camel(name)), _MAPS, name) for name in _PLAIN}
    attributes.update((name, from_api(resource.get(camel(name)), _MAPS, name) or []) for name in _BLOCKS)
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
    fields = {camel(name): attributes.get(name) for name in _OBJECT_PLAIN}
    retention = attributes.get("retention") or []
    if retention:
        fields["retention"] = to_api(retention, _MANY)
    return {name: value for name, value in fields.items() if value not in (None, "", {})}


def from_object(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that an object's resource tells. Its content is only in the configuration."""
    attributes = {name: resource.get(camel(name)) for name in _OBJECT_PLAIN}
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
    gone = [key for key in current if key not in own and key != ATTRIBUTION]
    # Default labels of the provider are in none but `terraform_labels`.
    defaults = attributes.get("terraform_labels") or {}
    return {**{key: value for key, value in current.items() if key not in gone or key in defaults}, **own}


def _to_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    condition = dict((rule.get("condition") or [{}])[0])
    with_state = condition.pop("with_state", None)
    for flag, name in _FLAGS:
        if not condition.pop(flag, None) and not condition.get(name):
            condition.pop(name, None)
    fields = {key: value for key, value in to_api(condition, _MANY).items() if value not in ("", [], None)}
    if with_state in ("LIVE", "ARCHIVED"):
        fields["isLive"] = with_state == "LIVE"
    return {"action": _filled(to_api((rule.get("action") or [{}])[0], _MANY)), "condition": fields}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None)}


def _from_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    condition = dict(rule.get("condition") or {})
    live = condition.pop("isLive", None)
    attributes = from_api(condition, _MAPS)[0]
    attributes["with_state"] = "ANY" if live is None else ("LIVE" if live else "ARCHIVED")
    for flag, name in _FLAGS:
        if attributes.get(name) == 0:
            attributes[flag] = True
    return {"action": from_api(rule.get("action") or {}, _MAPS), "condition": [attributes]}
