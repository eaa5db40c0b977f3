"""Request bodies: a field of another type or one that is not kept is refused, and nothing is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.sandbox.gcs import fields
from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Call
from tests.unit.sandbox.gcs.test_buckets import STORED
from tests.unit.sandbox.gcs.test_uploads import UPLOAD, multipart

B = f"/storage/v1/b/{BUCKET}"


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"versioning": "yes"}, "versioning"),
        ({"versioning": {"enabled": "yes"}}, "versioning.enabled"),
        ({"labels": {"a": 1}}, "labels.a"),
        ({"labels": ["a"]}, "labels"),
        ({"lifecycle": {"rule": {}}}, "lifecycle.rule"),
        ({"lifecycle": {"rule": [{"condition": {"age": "old"}}]}}, "lifecycle.rule[0].condition.age"),
        ({"retentionPolicy": {"retentionPeriod": 1.5}}, "retentionPolicy.retentionPeriod"),
        (
            {"softDeletePolicy": {"retentionDurationSeconds": True}},
            "softDeletePolicy.retentionDurationSeconds",
        ),
        ({"storageClass": "FAST"}, "storageClass"),
        ({"iamConfiguration": {"publicAccessPrevention": "on"}}, "iamConfiguration.publicAccessPrevention"),
        ({"defaultEventBasedHold": 1}, "defaultEventBasedHold"),
        ({"encryption": {"defaultKmsKeyName": ["k"]}}, "encryption.defaultKmsKeyName"),
        ({"acl": []}, "acl"),
        ({"versionning": {"enabled": True}}, "versionning"),
        ({"versioning": {"enable": True}}, "versioning.enable"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_bucket_is_not_changed_to_what_it_cannot_be(
    call: Call, method: str, body: dict[str, Any], location: str
) -> None:
    before = call("GET", B).json
    refused = call(method, B, body)
    assert (refused.status, refused.reason) == (400, "invalid")
    assert refused.json["error"]["errors"][0]["location"] == location
    assert call("GET", B).json == before
    assert call("POST", UPLOAD, b"x", uploadType="media", name="a").status == 200


def test_a_bucket_is_not_created_either(call: Call) -> None:
    answer = call("POST", "/storage/v1/b", {"name": "new", "versioning": "yes"}, project="acme")
    assert (answer.status, call("GET", "/storage/v1/b/new").status) == (400, 404)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", f"{B}/o/a", {"temporaryHold": "yes"}),
        ("PUT", f"{B}/o/a", {"metadata": {"k": 1}}),
        ("PATCH", f"{B}/o/a", {"contexts": {"custom": {}}}),
        ("PATCH", f"{B}/o/a", {"acl": []}),
        ("POST", f"{B}/o/a/rewriteTo/b/{BUCKET}/o/b", {"cacheControl": 1}),
        ("POST", f"{B}/o/b/compose", {"sourceObjects": [{"name": "a"}], "deleteSourceObjects": True}),
        ("POST", f"{B}/o/b/compose", {"sourceObjects": {"name": "a"}}),
        ("POST", f"{B}/managedFolders", {"name": 1}),
        ("PUT", f"{B}/iam", {"bindings": {"role": "roles/storage.admin"}}),
        ("PUT", f"{B}/iam", {"bindings": [], "auditConfigs": []}),
    ],
)
def test_objects_folders_and_policies_are_checked_too(
    server: GcsServer, call: Call, method: str, path: str, body: dict[str, Any]
) -> None:
    server.store.insert_object(BUCKET, "a", b"x")
    refused = call(method, path, body)
    assert (refused.status, refused.reason) == (400, "invalid")
    assert "location" in refused.json["error"]["errors"][0]


@pytest.mark.parametrize("kind", ["multipart", "resumable"])
def test_uploads_are_checked_too(call: Call, kind: str) -> None:
    metadata: dict[str, Any] = {"name": "a", "temporaryHold": "yes"}
    body, headers = multipart(json.dumps(metadata).encode(), b"x")
    answer = call("POST", UPLOAD, body if kind == "multipart" else metadata, headers, uploadType=kind)
    assert (answer.status, answer.reason) == (400, "invalid")


def test_what_the_server_answers_may_be_sent_back(server: GcsServer, call: Call) -> None:
    whole = server.store.create_bucket("acme", {"name": "whole", **STORED}, object_retention=True)
    fields.check_fields(whole, fields.BUCKET)
    server.store.insert_object(BUCKET, "a", b"x", {"metadata": {"k": "v"}, "kmsKeyName": "k"})
    fields.check_fields(call("GET", f"{B}/o/a").json, fields.OBJECT)
    fields.check_fields(call("GET", f"{B}/iam").json, fields.POLICY)
    fields.check_fields(server.store.insert_managed_folder(BUCKET, "dev"), fields.FOLDER)


def test_null_and_numbers_as_text_are_of_every_kind() -> None:
    fields.check_fields({"versioning": None, "labels": {"a": None}}, fields.BUCKET)
    fields.check_fields({"retentionPolicy": {"retentionPeriod": "60"}}, fields.BUCKET)
    with pytest.raises(GcsError, match="400"):
        fields.check_fields({"retentionPolicy": {"retentionPeriod": "60s"}}, fields.BUCKET)
