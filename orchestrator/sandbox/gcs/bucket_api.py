"""Routes of the JSON API for buckets, their policies, and the little that belongs to a project."""

from __future__ import annotations

from orchestrator.sandbox.gcs import fields
from orchestrator.sandbox.gcs.errors import invalid
from orchestrator.sandbox.gcs.listing import is_true
from orchestrator.sandbox.gcs.messages import Request, Response, json_response, paged, policy_response
from orchestrator.sandbox.gcs.resources import service_agent
from orchestrator.sandbox.gcs.store import Store

# google-cloud-storage sends this when it knows no project and talks to an emulator.
_NO_PROJECT = "<none>"


def list_buckets(store: Store, request: Request) -> Response:
    """GET b"""
    project = _project(request)
    request.access.check_project("storage.buckets.list", project)
    items = store.list_buckets(project, prefix=request.query.get("prefix", ""))
    return paged(request, "storage#buckets", items, "maxResults")


def insert_bucket(store: Store, request: Request) -> Response:
    """POST b"""
    project = _project(request)
    request.access.check_project("storage.buckets.create", project)
    retention = is_true(request.query.get("enableObjectRetention"))
    return json_response(
        store.create_bucket(project, request.json(fields.BUCKET), object_retention=retention)
    )


def get_bucket(store: Store, request: Request, bucket: str) -> Response:
    """GET b/BUCKET"""
    request.access.check("storage.buckets.get", bucket, kind="bucket")
    return json_response(store.get_bucket(bucket, when=request.when))


def patch_bucket(store: Store, request: Request, bucket: str) -> Response:
    """PATCH b/BUCKET"""
    request.access.check("storage.buckets.update", bucket, kind="bucket")
    return json_response(store.patch_bucket(bucket, request.json(fields.BUCKET), when=request.when))


def update_bucket(store: Store, request: Request, bucket: str) -> Response:
    """PUT b/BUCKET"""
    request.access.check("storage.buckets.update", bucket, kind="bucket")
    return json_response(store.update_bucket(bucket, request.json(fields.BUCKET), when=request.when))


def delete_bucket(store: Store, request: Request, bucket: str) -> Response:
    """DELETE b/BUCKET"""
    request.access.check("storage.buckets.delete", bucket, kind="bucket")
    store.delete_bucket(bucket, when=request.when)
    return Response(204)


def lock_retention_policy(store: Store, request: Request, bucket: str) -> Response:
    """POST b/BUCKET/lockRetentionPolicy"""
    request.access.check("storage.buckets.update", bucket, kind="bucket")
    if request.when.metageneration_match is None:
        raise invalid("Required parameter: ifMetagenerationMatch", location="ifMetagenerationMatch")
    return json_response(store.lock_retention_policy(bucket, when=request.when))


def get_policy(store: Store, request: Request, bucket: str) -> Response:
    """GET b/BUCKET/iam"""
    request.access.check("storage.buckets.getIamPolicy", bucket, kind="bucket")
    return policy_response(request, store.get_bucket_policy(bucket))


def set_policy(store: Store, request: Request, bucket: str) -> Response:
    """PUT b/BUCKET/iam"""
    request.access.check("storage.buckets.setIamPolicy", bucket, kind="bucket")
    return json_response(store.set_bucket_policy(bucket, request.json(fields.POLICY)))


def test_permissions(store: Store, request: Request, bucket: str) -> Response:
    """GET b/BUCKET/iam/testPermissions"""
    held = [one for one in request.all("permissions") if request.access.allows(one, bucket)]
    return json_response({"kind": "storage#testIamPermissionsResponse", "permissions": held})


def list_caches(store: Store, request: Request, bucket: str) -> Response:
    """GET b/BUCKET/anywhereCaches: none; the google provider asks before it deletes a bucket."""
    request.access.check("storage.buckets.get", bucket, kind="bucket")
    return json_response({"kind": "storage#anywhereCaches"})


def get_layout(store: Store, request: Request, bucket: str) -> Response:
    """GET b/BUCKET/storageLayout"""
    request.access.check("storage.objects.list", bucket, request.query.get("prefix", ""), kind="bucket")
    resource = store.get_bucket(bucket)
    shown = {
        key: resource[key] for key in ("location", "locationType", "hierarchicalNamespace") if key in resource
    }
    return json_response({"kind": "storage#storageLayout", "bucket": bucket, **shown})


def get_service_account(store: Store, request: Request, project: str) -> Response:
    """GET projects/PROJECT/serviceAccount"""
    return json_response({"kind": "storage#serviceAccount", "email_address": service_agent(project)})


def _project(request: Request) -> str:
    project = request.query.get("project", "")
    return "" if project == _NO_PROJECT else project
