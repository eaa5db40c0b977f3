"""Routes of the JSON API for objects, uploads aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from orchestrator.sandbox.gcs import fields
from orchestrator.sandbox.gcs.errors import GcsError, forbidden, invalid
from orchestrator.sandbox.gcs.listing import Query, is_true
from orchestrator.sandbox.gcs.media import check_tags, media_response
from orchestrator.sandbox.gcs.messages import GcsRequest, json_response, object_response, visible_object
from orchestrator.sandbox.gcs.preconditions import Preconditions
from orchestrator.sandbox.gcs.resources import Resource
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.http import HttpResponse

T = TypeVar("T")


def check_write(store: GcsStore, request: GcsRequest, bucket: str, name: str, when: Preconditions) -> None:
    """Raise unless the account may write the object: replacing one deletes what was there."""
    request.access.check("storage.objects.create", bucket, name)
    live = store.live_object(bucket, name)
    when.check(live)
    if live:
        request.access.check("storage.objects.delete", bucket, name)


def _read_visible(request: GcsRequest, bucket: str, name: str, read: Callable[[], T]) -> T:
    """Read an object; an account that may not list gets 403 for one that is missing."""
    request.access.check("storage.objects.get", bucket, name)
    try:
        return read()
    except GcsError as error:
        if error.status == 404 and not request.access.allows("storage.objects.list", bucket, name):
            raise forbidden(request.access.who, "storage.objects.get", "object") from error
        raise


def read_data(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> tuple[Resource, bytes]:
    """Read an object's data; 400 unless the request carries the customer-supplied key that it needs."""
    resource, data = _read_visible(
        request, bucket, name, lambda: store.read_object(bucket, name, request.generation, when=request.when)
    )
    request.customer_key.check(resource)
    return resource, data


def written_fields(
    request: GcsRequest, body: dict[str, Any], kms_parameter: str = "kmsKeyName"
) -> dict[str, Any]:
    """The fields of an object that is written: the body's, and those that parameters and headers set."""
    key = request.customer_key
    kms_key = request.query.get(kms_parameter)
    if key.sha256 and kms_key:
        raise invalid(
            "A customer-supplied key and a Cloud KMS key cannot be used together.", location=kms_parameter
        )
    written = {name: value for name, value in body.items() if name != "customerEncryption"}
    if kms_key:
        written["kmsKeyName"] = kms_key
    if key.sha256:
        written.pop("kmsKeyName", None)
    return {**written, **key.field}


def list_objects(store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
    """GET b/BUCKET/o"""
    query = Query.read(request.query)
    request.access.check("storage.objects.list", bucket, query.prefix, "bucket")
    page = store.list_objects(bucket, query)
    answer: dict[str, object] = {"kind": "storage#objects"}
    if page.items:
        answer["items"] = [visible_object(request, item) for item in page.items]
    if page.prefixes:
        answer["prefixes"] = page.prefixes
    if page.next_token:
        answer["nextPageToken"] = page.next_token
    return json_response(answer)


def get_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """GET b/BUCKET/o/OBJECT, its resource or with `alt=media` its data"""
    if request.query.get("alt") == "media":
        return download_object(store, request, bucket, name)
    if is_true(request.query.get("softDeleted")):
        return _get_soft_deleted(store, request, bucket, name)
    resource = _read_visible(
        request, bucket, name, lambda: store.get_object(bucket, name, request.generation, when=request.when)
    )
    check_tags(request, resource["etag"])
    return object_response(request, resource)


def download_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """GET download/…/b/BUCKET/o/OBJECT"""
    resource, data = read_data(store, request, bucket, name)
    check_tags(request, resource["etag"])
    return media_response(request, resource, data, tag=resource["etag"])


def patch_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """PATCH b/BUCKET/o/OBJECT"""
    return _changed(store.patch_object, request, bucket, name)


def update_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """PUT b/BUCKET/o/OBJECT"""
    return _changed(store.update_object, request, bucket, name)


def _changed(change: Callable[..., Resource], request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    request.access.check("storage.objects.update", bucket, name)
    resource = change(
        bucket,
        name,
        request.json(fields.OBJECT),
        request.generation,
        when=request.when,
        override_retention=is_true(request.query.get("overrideUnlockedRetention")),
    )
    return object_response(request, resource)


def delete_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """DELETE b/BUCKET/o/OBJECT"""
    request.access.check("storage.objects.delete", bucket, name)
    store.delete_object(bucket, name, request.generation, when=request.when)
    return HttpResponse(204)


def rewrite_object(
    store: GcsStore, request: GcsRequest, bucket: str, name: str, to_bucket: str, to_name: str
) -> HttpResponse:
    """POST b/BUCKET/o/OBJECT/rewriteTo/b/BUCKET/o/OBJECT, done in one go"""
    request.access.check("storage.objects.get", bucket, name)
    check_write(store, request, to_bucket, to_name, request.when)
    generation = request.number("sourceGeneration")
    request.source_key.check(store.get_object(bucket, name, generation))
    resource = store.copy_object(
        (bucket, name),
        (to_bucket, to_name),
        written_fields(request, request.json(fields.OBJECT), "destinationKmsKeyName"),
        generation=generation,
        when=request.when,
        source_when=Preconditions.read(request.query, "ifSource"),
    )
    if "/copyTo/" in request.path:
        return object_response(request, resource)
    answer = {"kind": "storage#rewriteResponse", "done": True, "resource": visible_object(request, resource)}
    sizes = {"totalBytesRewritten": resource["size"], "objectSize": resource["size"]}
    return json_response({**answer, **sizes})


def move_object(store: GcsStore, request: GcsRequest, bucket: str, name: str, to_name: str) -> HttpResponse:
    """POST b/BUCKET/o/OBJECT/moveTo/o/OBJECT"""
    request.access.check("storage.objects.get", bucket, name)
    request.access.check("storage.objects.delete", bucket, name)
    check_write(store, request, bucket, to_name, request.when)
    source_when = Preconditions.read(request.query, "ifSource")
    return object_response(
        request, store.move_object(bucket, name, to_name, when=request.when, source_when=source_when)
    )


def compose_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """POST b/BUCKET/o/OBJECT/compose"""
    json = request.json(fields.COMPOSE)
    parts = json.get("sourceObjects") or []
    for part in parts:
        request.access.check("storage.objects.get", bucket, str(part.get("name", "")))
        generation = int(part["generation"]) if part.get("generation") else None
        request.customer_key.check(store.get_object(bucket, str(part["name"]), generation))
    check_write(store, request, bucket, name, request.when)
    destination = written_fields(request, json.get("destination") or {})
    return object_response(request, store.compose_object(bucket, name, parts, destination, when=request.when))


def restore_object(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    """POST b/BUCKET/o/OBJECT/restore"""
    request.access.check("storage.objects.restore", bucket, name)
    check_write(store, request, bucket, name, request.when)
    if request.generation is None:
        raise invalid("Required parameter: generation", location="generation")
    return object_response(request, store.restore_object(bucket, name, request.generation, when=request.when))


def _get_soft_deleted(store: GcsStore, request: GcsRequest, bucket: str, name: str) -> HttpResponse:
    if request.generation is None:
        raise invalid("Required parameter: generation", location="generation")
    generation = request.generation
    resource = _read_visible(request, bucket, name, lambda: store.get_soft_deleted(bucket, name, generation))
    return object_response(request, resource)
