"""Routes of the JSON API for buckets, their policies, and the little that belongs to a project."""

from __future__ import annotations

from orchestrator.sandbox.gcs import fields
from orchestrator.sandbox.gcs.errors import invalid
from orchestrator.sandbox.gcs.listing import is_true
from orchestrator.sandbox.gcs.messages import GcsRequest, json_response, paged, policy_response
from orchestrator.sandbox.gcs.resources import service_agent
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.http import HttpResponse

# google-cloud-storage sends this when it knows no project and talks to an emulator.
_NO_PROJECT = "<none>"


def list_buckets(store: GcsStore, request: GcsRequest) -> HttpResponse:
    """GET b"""
    project = _project(request)
    request.access.check_project("storage.buckets.list", project)
    items = store.list_buckets(project, prefix=request.query.get("prefix", ""))
    return paged(request, "storage#buckets", items, "maxResults")


def insert_bucket(store: GcsStore, request: GcsRequest) -> HttpResponse:
    """POST b"""
    project = _project(request)
    request.access.check_project("storage.buckets.create", project)
    retention = is_true(request.query.get("enableObjectRetention"))
    return json_response(
        store.create_bucket(project, request.json(fields.BUCKET), object_retention=retention)
    )


def get_bucket(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET"""
    request.access.check("storage.buckets.get", bucket, kind="bucket")
    return json_response(store.get_bucket(bucket, when=request.when))


def patch_bucket(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """PATCH b/BUCKET"""
    request.access.check("storage.buckets.update", bucket, kind="bucket")
    return json_response(store.patch_bucket(bucket, request.json(fields.BUCKET), when=request.when))


def update_bucket(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """PUT b/BUCKET"""
    request.access.check("storage.buckets.update", bucket, kind="bucket")
    return json_response(store.update_bucket(bucket, request.json(fields.BUCKET), when=request.when))


def delete_bucket(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """DELETE b/BUCKET"""
    request.access.check("storage.buckets.delete", bucket, kind="bucket")
    store.delete_bucket(bucket, when=request.when)
    return HttpResponse(204)


def lock_retention_policy(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """POST b/BUCKET/lockRetentionPolicy"""
    request.access.check("storage.buckets.update", bucket, kind="bucket")
    if request.when.metageneration_match is None:
        raise invalid("Required parameter: ifMetagenerationMatch", location="ifMetagenerationMatch")
    return json_response(store.lock_retention_policy(bucket, when=request.when))


def get_policy(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET/iam"""
    request.access.check("storage.buckets.getIamPolicy", bucket, kind="bucket")
    return policy_response(request, store.get_bucket_policy(bucket))


def set_policy(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """PUT b/BUCKET/iam"""
    request.access.check("storage.buckets.setIamPolicy", bucket, kind="bucket")
    return json_response(store.set_bucket_policy(bucket, request.json(fields.POLICY)))


def test_permissions(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET/iam/testPermissions"""
    granted = [
        permission for permission in request.all("permissions") if request.access.allows(permission, bucket)
    ]
    return json_response({"kind": "storage#testIamPermissionsResponse", "permissions": granted})


def list_caches(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET/anywhereCaches: none; the google provider asks before it deletes a bucket."""
    request.access.check("storage.buckets.get", bucket, kind="bucket")
    return json_response({"kind": "storage#anywhereCaches"})


def get_layout(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET/storageLayout"""
    request.access.check("storage.objects.list", bucket, request.query.get("prefix", ""), kind="bucket")
    resource = store.get_bucket(bucket)
    layout = {
        key: resource[key] for key in ("location", "locationType", "hierarchicalNamespace") if key in resource
    }
    return json_response({"kind": "storage#storageLayout", "bucket": bucket, **layout})


def get_service_account(store: GcsStore, request: GcsRequest, project: str) -> HttpResponse:
    """GET projects/PROJECT/serviceAccount"""
    return json_response({"kind": "storage#serviceAccount", "email_address": service_agent(project)})


def _project(request: GcsRequest) -> str:
    project = request.query.get("project", "")
    return "" if project == _NO_PROJECT else project
