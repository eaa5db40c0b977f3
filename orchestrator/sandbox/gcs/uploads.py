"""The three ways to upload: data alone, data with its metadata, and in pieces that may be resumed."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import quote

from orchestrator.sandbox.gcs.errors import GcsError, invalid
from orchestrator.sandbox.gcs.fields import OBJECT
from orchestrator.sandbox.gcs.messages import GcsRequest, object_response, parse_json
from orchestrator.sandbox.gcs.object_api import check_write, written_fields
from orchestrator.sandbox.gcs.preconditions import Preconditions
from orchestrator.sandbox.gcs.resources import Resource, check_object_name
from orchestrator.sandbox.gcs.store import GcsStore
from orchestrator.sandbox.http import HttpResponse

# The service keeps multiples of this of an upload that is not finished yet.
CHUNK = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_INCOMPLETE = 308
_KEPT_SESSIONS = 1000


@dataclass
class ResumableUpload:
    """A resumable upload: what it will be, what has arrived, and the object once it is whole."""

    bucket: str
    name: str
    body: Mapping[str, Any]
    request: GcsRequest
    when: Preconditions
    checksums: dict[str, str] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    done: Resource | None = None


class Uploads:
    """Uploads into a store. Sessions live in memory: a restart forgets them, as a client must expect."""

    def __init__(self, store: GcsStore) -> None:
        self._store = store
        self._sessions: dict[str, ResumableUpload] = {}

    def name_of(self, upload_id: str) -> str:
        """The object that a session is about; empty for an unknown one."""
        session = self._sessions.get(upload_id)
        return session.name if session else ""

    def insert(self, store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
        """POST upload/…/b/BUCKET/o; with an `upload_id`, Google's Go client's way to send the next piece"""
        if "upload_id" in request.query:
            return self.resume(store, request, bucket)
        kind = request.query.get("uploadType", "")
        if kind == "resumable":
            return self._start(request, bucket)
        if kind == "multipart":
            body, data = _parts(request)
        elif kind == "media":
            content = request.headers.get("content-type")
            body, data = ({"contentType": content} if content else {}), request.body
        else:
            raise invalid(f"Invalid upload type: '{kind}'", location="uploadType")
        body = {**body, **_checksums(request)}
        resource = self._write(request, bucket, _name(request, body), data, body, request.when)
        return object_response(request, resource)

    def resume(self, store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
        """PUT upload/…/b/BUCKET/o?upload_id=ID: the next piece, or the question how much there is"""
        session = self._session(request)
        if session.done:
            return object_response(session.request, session.done)
        total = _append(session, request)
        session.checksums |= _checksums(request)
        if total is None or len(session.data) < total:
            return _incomplete(session, request)
        body = {**session.body, **session.checksums}
        session.done = self._write(
            session.request, session.bucket, session.name, bytes(session.data), body, session.when
        )
        session.data.clear()
        return object_response(session.request, session.done)

    def cancel(self, store: GcsStore, request: GcsRequest, bucket: str) -> HttpResponse:
        """DELETE upload/…/b/BUCKET/o?upload_id=ID"""
        self._session(request)
        del self._sessions[request.query["upload_id"]]
        return HttpResponse(499)

    def _start(self, request: GcsRequest, bucket: str) -> HttpResponse:
        body = request.json(OBJECT)
        name = _name(request, body)
        check_object_name(name)
        check_write(self._store, request, bucket, name, request.when)
        content = request.headers.get("x-upload-content-type")
        if content:
            body.setdefault("contentType", content)
        upload_id = uuid.uuid4().hex
        written_fields(request, body)
        self._sessions[upload_id] = ResumableUpload(
            bucket, name, body, request, request.when, _checksums(request)
        )
        while len(self._sessions) > _KEPT_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        folder = f"{request.base_url}/upload/storage/v1/b/{quote(bucket)}/o"
        location = f"{folder}?uploadType=resumable&upload_id={upload_id}"
        return HttpResponse(200, {"Location": location, "X-GUploader-UploadID": upload_id})

    def _session(self, request: GcsRequest) -> ResumableUpload:
        session = self._sessions.get(request.query.get("upload_id", ""))
        if session is None:
            raise GcsError(404, "notFound", "No such upload session.")
        return session

    def _write(
        self,
        request: GcsRequest,
        bucket: str,
        name: str,
        data: bytes,
        body: Mapping[str, Any],
        when: Preconditions,
    ) -> Resource:
        check_object_name(name)
        check_write(self._store, request, bucket, name, when)
        fields = written_fields(request, dict(body))
        if "contentEncoding" in request.query:
            fields["contentEncoding"] = request.query["contentEncoding"]
        return self._store.insert_object(bucket, name, data, fields, when=when)


def _append(session: ResumableUpload, request: GcsRequest) -> int | None:
    """Add the piece to the session; returns the upload's total size once the client has sent it."""
    text = request.headers.get("content-range")
    if text is None:
        session.data[:] = request.body
        return len(session.data)
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if not match:
        raise invalid(f"Failed to parse Content-Range header: {text}")
    first, last, size = match.groups()
    total = None if size == "*" else int(size)
    if first is None:
        return total
    if len(request.body) != int(last) - int(first) + 1:
        raise invalid("The size of the body does not match the Content-Range header.")
    missing = len(session.data) - int(first)
    if missing < 0:
        raise GcsError(503, "backendError", "A piece of the upload is missing before this one.")
    session.data += request.body[missing:]
    if total is None or len(session.data) < total:
        del session.data[len(session.data) // CHUNK * CHUNK :]
    return total


def _incomplete(session: ResumableUpload, request: GcsRequest) -> HttpResponse:
    """308, or for a client that cannot take one, what stands for it."""
    headers = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
    if request.headers.get("x-guploader-no-308") == "yes":
        return HttpResponse(200, {**headers, "X-Http-Status-Code-Override": str(_INCOMPLETE)})
    return HttpResponse(_INCOMPLETE, headers)


def _name(request: GcsRequest, body: Mapping[str, Any]) -> str:
    return str(request.query.get("name") or body.get("name") or "")


def _checksums(request: GcsRequest) -> dict[str, str]:
    """Checksums sent as headers, as the fields that the store checks."""
    pairs = (word.strip().partition("=") for word in request.headers.get("x-goog-hash", "").split(","))
    sent = {key: value for key, _, value in pairs if value}
    checksums = {"crc32c": sent.get("crc32c"), "md5Hash": sent.get("md5")}
    return {key: value for key, value in checksums.items() if value}


def _parts(request: GcsRequest) -> tuple[dict[str, Any], bytes]:
    """The metadata and the data of a multipart/related body."""
    header = Message()
    header["Content-Type"] = request.headers.get("content-type", "")
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise invalid("Missing boundary in the Content-Type of a multipart upload.")
    pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode())
    if len(pieces) != 4 or not pieces[-1].startswith(b"--"):
        raise invalid("A multipart upload has exactly two parts: metadata and data.")
    (_, metadata), (content, data) = _split(pieces[1]), _split(pieces[2])
    body = parse_json(metadata, OBJECT)
    if content:
        body.setdefault("contentType", content)
    return body, data


def _split(piece: bytes) -> tuple[str, bytes]:
    """A part's content type and its content."""
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator:
        raise invalid("Malformed multipart body.")
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip(), content
    return "", content
