"""Query parameters: what a method does not serve is refused, and the table names methods that exist."""

from __future__ import annotations

import pytest

from orchestrator.sandbox.gcs import parameters, routes
from orchestrator.sandbox.gcs.server import GcsServer
from tests.unit.sandbox.gcs.conftest import BUCKET, Call

B = f"/storage/v1/b/{BUCKET}"


@pytest.mark.parametrize(
    ("method", "path", "name", "value"),
    [
        ("GET", "/storage/v1/b", "softDeleted", "true"),
        ("POST", "/storage/v1/b", "predefinedAcl", "publicRead"),
        ("GET", B, "generation", "1"),
        ("GET", f"{B}/o", "filter", "contexts.a=1"),
        ("GET", f"{B}/o", "projection", "everything"),
        ("GET", f"{B}/o/a", "alt", "proto"),
        ("DELETE", f"{B}/o/a", "ifGenerationmatch", "1"),
        ("POST", f"/upload{B}/o", "predefinedAcl", "publicRead"),
        ("POST", f"{B}/o/a/rewriteTo/b/{BUCKET}/o/b", "maxBytesRewrittenPerCall", "1048576"),
        ("POST", f"{B}/o/b/compose", "destinationPredefinedAcl", "publicRead"),
    ],
)
def test_a_parameter_that_is_not_served_is_refused(
    server: GcsServer, call: Call, method: str, path: str, name: str, value: str
) -> None:
    server.store.insert_object(BUCKET, "a", b"x")
    refused = call(method, path, {} if method == "POST" else None, **{name: value})
    assert (refused.status, refused.reason) == (400, "invalidParameter")
    assert refused.json["error"]["errors"][0]["location"] == name
    assert call("GET", f"{B}/o/a").status == 200


def test_formatting_and_billing_change_nothing(call: Call) -> None:
    query = {"alt": "json", "prettyPrint": "false", "projection": "full", "userProject": "acme"}
    assert call("GET", f"{B}/o", **query).json == {"kind": "storage#objects"}


def test_the_table_names_handlers_that_exist(server: GcsServer) -> None:
    router = routes.Router(server.store)
    handlers = {handler.__name__ for _, _, handler in (*router._json, *router._xml)}
    assert set(parameters._SERVED) <= handlers


def test_buckets_come_in_pages(server: GcsServer, call: Call) -> None:
    for name in ("bucket-a", "bucket-b", "bucket-c"):
        server.store.create_bucket("acme", {"name": name})
    first = call("GET", "/storage/v1/b", project="acme", prefix="bucket-", maxResults=2).json
    rest = call("GET", "/storage/v1/b", prefix="bucket-", maxResults=2, pageToken=first["nextPageToken"]).json
    assert [item["name"] for item in (*first["items"], *rest["items"])] == [
        "bucket-a",
        "bucket-b",
        "bucket-c",
    ]
    assert "nextPageToken" not in rest


def test_a_policy_with_conditions_is_not_shown_as_one_without(server: GcsServer, call: Call) -> None:
    binding = {
        "role": "roles/storage.admin",
        "members": ["user:a@example.com"],
        "condition": {"title": "t", "expression": "true"},
    }
    server.store.set_bucket_policy(BUCKET, {"version": 3, "bindings": [binding]})
    old = call("GET", f"{B}/iam", optionsRequestedPolicyVersion=1)
    assert (old.status, "cannot be less than" in old.json["error"]["message"]) == (400, True)
    assert call("GET", f"{B}/iam", optionsRequestedPolicyVersion=3).json["bindings"] == [binding]
