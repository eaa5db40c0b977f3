"""Routes of the JSON API for managed folders and their policies."""

from __future__ import annotations

from orchestrator.sandbox.gcs import fields
from orchestrator.sandbox.gcs.folders import folder_name
from orchestrator.sandbox.gcs.listing import is_true
from orchestrator.sandbox.gcs.messages import GcsRequest, json_response, paged, policy_response
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.http import HttpResponse

_KIND = "managed folder"


def list_folders(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET/managedFolders"""
    prefix = request.query.get("prefix", "")
    request.access.check("storage.managedFolders.list", bucket, prefix, "bucket")
    folders = store.list_managed_folders(bucket, prefix=prefix)
    return paged(request, "storage#managedFolders", folders, "pageSize")


def insert_folder(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """POST b/BUCKET/managedFolders"""
    name = str(request.json(fields.FOLDER).get("name", ""))
    request.access.check("storage.managedFolders.create", bucket, folder_name(name), _KIND)
    return json_response(store.insert_managed_folder(bucket, name))


def get_folder(store: GcsStore, request: GcsRequest, bucket: str, folder: str) -> HttpResponse:
    """GET b/BUCKET/managedFolders/FOLDER"""
    request.access.check("storage.managedFolders.get", bucket, folder_name(folder), _KIND)
    return json_response(store.get_managed_folder(bucket, folder, when=request.when))


def delete_folder(store: GcsStore, request: GcsRequest, bucket: str, folder: str) -> HttpResponse:
    """DELETE b/BUCKET/managedFolders/FOLDER"""
    request.access.check("storage.managedFolders.delete", bucket, folder_name(folder), _KIND)
    allowed = is_true(request.query.get("allowNonEmpty"))
    store.delete_managed_folder(bucket, folder, allow_non_empty=allowed, when=request.when)
    return HttpResponse(204)


def get_policy(store: GcsStore, request: GcsRequest, bucket: str, folder: str) -> HttpResponse:
    """GET b/BUCKET/managedFolders/FOLDER/iam"""
    request.access.check("storage.managedFolders.getIamPolicy", bucket, folder_name(folder), _KIND)
    return policy_response(request, store.get_managed_folder_policy(bucket, folder))


def set_policy(store: GcsStore, request: GcsRequest, bucket: str, folder: str) -> HttpResponse:
    """PUT b/BUCKET/managedFolders/FOLDER/iam"""
    request.access.check("storage.managedFolders.setIamPolicy", bucket, folder_name(folder), _KIND)
    return json_response(store.set_managed_folder_policy(bucket, folder, request.json(fields.POLICY)))


def test_permissions(store: GcsStore, request: GcsRequest, bucket: str, folder: str) -> HttpResponse:
    """GET b/BUCKET/managedFolders/FOLDER/iam/testPermissions"""
    name = folder_name(folder)
    granted = [
        permission
        for permission in request.all("permissions")
        if request.access.allows(permission, bucket, name)
    ]
    return json_response({"kind": "storage#testIamPermissionsResponse", "permissions": granted})
