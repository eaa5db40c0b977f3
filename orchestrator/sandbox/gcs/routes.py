"""The routes of the server: the JSON API, its uploads and downloads, and reads by the XML API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from orchestrator.sandbox.gcs import bucket_api, folder_api, object_api, xml_api
from orchestrator.sandbox.gcs import messages as json_api
from orchestrator.sandbox.gcs.errors import GcsError, invalid
from orchestrator.sandbox.gcs.messages import GcsRequest
from orchestrator.sandbox.gcs.parameters import check_parameters
from orchestrator.sandbox.gcs.partial import parse_selection
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.gcs.uploads import Uploads
from orchestrator.sandbox.http import HttpRequest, HttpResponse

Handler = Callable[..., HttpResponse]
Route = tuple[str, re.Pattern[str], Handler]

_B = r"/storage/v1/b/(?P<bucket>[^/]+)"
_O = _B + r"/o/(?P<name>[^/]+)"
_TO = r"/b/(?P<to_bucket>[^/]+)/o/(?P<to_name>[^/]+)"
_F = _B + r"/managedFolders/(?P<folder>.+?)"
_UPLOAD = r"(?:/resumable)?/upload" + _B + "/o"
_JSON_PATHS = (
    "/storage/v1/",
    "/upload/storage/v1/",
    "/resumable/upload/storage/v1/",
    "/download/storage/v1/",
)

# Paths of buckets and projects, below which the service has more than the sandbox serves.
_RESOURCES = re.compile(r"/storage/v1/(?:b|projects)/[^/]+/.")

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", r"/storage/v1/b", bucket_api.list_buckets),
    ("POST", r"/storage/v1/b", bucket_api.insert_bucket),
    ("GET", _B, bucket_api.get_bucket),
    ("PATCH", _B, bucket_api.patch_bucket),
    ("PUT", _B, bucket_api.update_bucket),
    ("DELETE", _B, bucket_api.delete_bucket),
    ("POST", _B + "/lockRetentionPolicy", bucket_api.lock_retention_policy),
    ("GET", _B + "/iam", bucket_api.get_policy),
    ("PUT", _B + "/iam", bucket_api.set_policy),
    ("GET", _B + "/iam/testPermissions", bucket_api.test_permissions),
    ("GET", _B + "/anywhereCaches/?", bucket_api.list_caches),
    ("GET", _B + "/storageLayout", bucket_api.get_layout),
    ("GET", r"/storage/v1/projects/(?P<project>[^/]+)/serviceAccount", bucket_api.get_service_account),
    ("GET", _B + "/o", object_api.list_objects),
    ("GET", _O, object_api.get_object),
    ("PATCH", _O, object_api.patch_object),
    ("PUT", _O, object_api.update_object),
    ("DELETE", _O, object_api.delete_object),
    ("POST", _O + "/(?:rewriteTo|copyTo)" + _TO, object_api.rewrite_object),
    ("POST", _O + r"/moveTo/o/(?P<to_name>[^/]+)", object_api.move_object),
    ("POST", _O + "/compose", object_api.compose_object),
    ("POST", _O + "/restore", object_api.restore_object),
    ("GET", "/download" + _O, object_api.download_object),
    ("GET", _B + "/managedFolders/?", folder_api.list_folders),
    ("POST", _B + "/managedFolders/?", folder_api.insert_folder),
    ("GET", _F + "/iam/testPermissions", folder_api.test_permissions),
    ("GET", _F + "/iam", folder_api.get_policy),
    ("PUT", _F + "/iam", folder_api.set_policy),
    ("GET", _F, folder_api.get_folder),
    ("DELETE", _F, folder_api.delete_folder),
)


class Router:
    """Answers requests from a store, one at a time."""

    def __init__(self, store: GcsStore) -> None:
        self._store = store
        self._uploads = Uploads(store)
        uploads = (
            ("POST", _UPLOAD, self._uploads.insert),
            ("PUT", _UPLOAD, self._uploads.resume),
            ("DELETE", _UPLOAD, self._uploads.cancel),
        )
        self._json = _compile((*_ROUTES, *uploads))
        objects = r"/(?P<bucket>[^/]+)/(?P<name>.+)"
        reads = (("GET", objects, xml_api.read_object), ("HEAD", objects, xml_api.read_object))
        self._xml = _compile(reads)

    def answer(self, request: GcsRequest) -> HttpResponse:
        """The response, errors included."""
        is_json = request.path.startswith(_JSON_PATHS) or request.path == "/"
        try:
            handler, arguments = _find(self._json if is_json else self._xml, request)
            check_parameters(handler.__name__, request.query)
            fields = request.query.get("fields")
            selection = None if fields is None else parse_selection(fields)
            with self._store.lock:
                response = handler(self._store, request, **arguments)
            return response if selection is None else json_api.partial_response(response, selection)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # A body whose fields are of other types than the API's: never worth the client's retries.
            return json_api.error_response(invalid(f"Invalid request: {type(error).__name__}: {error}"))
        except GcsError as error:
            return json_api.error_response(error) if is_json else xml_api.error_response(error)

    def target(self, request: HttpRequest) -> str:
        """The decoded path; an upload's goes on with the name of the object, where the URL tells it."""
        path = unquote(request.path)
        if "/upload/" not in path:
            return path
        name = request.query.get("name") or self._uploads.name_of(request.query.get("upload_id", ""))
        return f"{path}/{name}" if name else path


def _compile(routes: Iterable[tuple[str, str, Handler]]) -> tuple[Route, ...]:
    return tuple((method, re.compile(pattern), handler) for method, pattern, handler in routes)


def _find(routes: Iterable[Route], request: GcsRequest) -> tuple[Handler, dict[str, str]]:
    """The handler and the decoded parts of the path.

    What the service has and the sandbox does not serve (access control lists, notifications, HMAC keys) is
    refused by 400: a client takes 404 for an object that is gone, and tries again after a 501.
    """
    is_known_path = False
    for method, pattern, handler in routes:
        match = pattern.fullmatch(request.path)
        if match and method == request.method:
            return handler, {key: unquote(value) for key, value in match.groupdict().items()}
        is_known_path = is_known_path or bool(match)
    if is_known_path:
        raise GcsError(405, "methodNotAllowed", f"The sandbox does not serve {request.method} here.")
    if _RESOURCES.match(request.path):
        raise invalid(f"The sandbox does not serve {request.method} {request.path}", reason="notImplemented")
    raise GcsError(404, "notFound", "Not Found")
