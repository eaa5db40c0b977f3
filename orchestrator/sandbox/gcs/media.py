"""An object's data as an answer: ranges, and the headers that describe it."""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from orchestrator.sandbox.gcs.errors import GcsError, condition_not_met, not_modified
from orchestrator.sandbox.gcs.messages import GcsRequest
from orchestrator.sandbox.gcs.resources import Resource
from orchestrator.sandbox.http import HttpResponse

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_SHOWN = {
    "Content-Type": "contentType",
    "Content-Encoding": "contentEncoding",
    "Content-Language": "contentLanguage",
    "Content-Disposition": "contentDisposition",
}


def media_response(request: GcsRequest, resource: Resource, data: bytes, *, tag: str) -> HttpResponse:
    """The data, or the range of it that was requested: 206, or 416 when the object ends before it.

    A client that does not accept gzip gets a gzip object decompressed, and always the whole of it.
    """
    headers = {**_headers(resource), "ETag": tag}
    if _is_decompressed(request, resource) and (plain := _decompress(data)) is not None:
        del headers["Content-Encoding"]
        return HttpResponse(200, {**headers, "Warning": "214 UploadServer gunzipped"}, plain)
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not match or match.groups() == ("", ""):
        return HttpResponse(200, headers, data)
    first, last = match.groups()
    start = int(first) if first else max(len(data) - int(last), 0)
    end = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= end:
        raise GcsError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return HttpResponse(206, headers, data[start:end])


def _is_decompressed(request: GcsRequest, resource: Resource) -> bool:
    """Whether the service decompresses the object for this client; `no-transform` forbids it."""
    accepted = {
        word.partition(";")[0].strip() for word in request.headers.get("accept-encoding", "").split(",")
    }
    is_transformable = "no-transform" not in resource.get("cacheControl", "")
    return resource.get("contentEncoding") == "gzip" and "gzip" not in accepted and is_transformable


def _decompress(data: bytes) -> bytes | None:
    """The content of gzip data; None for data that is none, which is served as it is."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def check_tags(request: GcsRequest, tag: str) -> None:
    """HTTP's own preconditions: 412 for `If-Match`, 304 for `If-None-Match`."""
    required, excluded = _tags(request, "if-match"), _tags(request, "if-none-match")
    if required and tag.strip('"') not in required and "*" not in required:
        raise condition_not_met()
    if tag.strip('"') in excluded or "*" in excluded:
        raise not_modified()


def xml_tag(resource: Resource) -> str:
    """The ETag of the XML API: the MD5 in hexadecimal, quoted."""
    digest = resource.get("md5Hash")
    return f'"{base64.b64decode(digest).hex()}"' if digest else f'"{resource["etag"]}"'


def _tags(request: GcsRequest, header: str) -> set[str]:
    return {word.strip().strip('"') for word in request.headers.get(header, "").split(",") if word.strip()}


def _headers(resource: Resource) -> dict[str, str]:
    checksums = [f"crc32c={resource['crc32c']}"]
    if "md5Hash" in resource:
        checksums.append(f"md5={resource['md5Hash']}")
    headers = {
        "Cache-Control": resource.get("cacheControl", "private, max-age=0"),
        "Accept-Ranges": "bytes",
        "Last-Modified": format_datetime(datetime.fromisoformat(resource["updated"]), usegmt=True),
        "X-Goog-Generation": resource["generation"],
        "X-Goog-Metageneration": resource["metageneration"],
        "X-Goog-Hash": ",".join(checksums),
        "X-Goog-Storage-Class": resource["storageClass"],
        "X-Goog-Stored-Content-Encoding": resource.get("contentEncoding", "identity"),
        "X-Goog-Stored-Content-Length": resource["size"],
    }
    headers |= {name: resource[key] for name, key in _SHOWN.items() if key in resource}
    if encryption := resource.get("customerEncryption"):
        headers["X-Goog-Encryption-Algorithm"] = encryption["encryptionAlgorithm"]
        headers["X-Goog-Encryption-Key-Sha256"] = encryption["keySha256"]
    headers |= {f"X-Goog-Meta-{key}": value for key, value in resource.get("metadata", {}).items()}
    return {_plain(name): _plain(value) for name, value in headers.items()}


def _plain(text: str) -> str:
    """Header text: what is not printable ASCII is percent-encoded."""
    return quote(text, safe=_PRINTABLE + "%")
