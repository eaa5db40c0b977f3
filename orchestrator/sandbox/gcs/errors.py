"""The errors that Cloud Storage answers."""

from __future__ import annotations


class GcsError(Exception):
    """An error response: HTTP status, the service's reason and its message.

    `location` names the parameter or header at fault, where the service says one. `xml_code` is the same
    reason in the words of the XML API.
    """

    def __init__(
        self, status: int, reason: str, message: str, *, location: str = "", xml_code: str = ""
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.location = location
        self.xml_code = xml_code or _XML_CODES.get(status, "InvalidArgument")


_XML_CODES = {
    401: "AuthenticationRequired",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "Conflict",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "SlowDown",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def invalid(message: str, *, reason: str = "invalid", location: str = "") -> GcsError:
    """400: the request is not valid."""
    return GcsError(400, reason, message, location=location)


def forbidden(who: str, permission: str, kind: str) -> GcsError:
    """403 in the service's words. `kind` is bucket, object, managed folder or project."""
    owner = "Google Cloud project" if kind == "project" else f"Google Cloud Storage {kind}"
    return GcsError(
        403,
        "forbidden",
        f"{who} does not have {permission} access to the {owner}. "
        f"Permission '{permission}' denied on resource (or it may not exist).",
    )


def no_bucket() -> GcsError:
    """404 for a bucket."""
    return GcsError(404, "notFound", "The specified bucket does not exist.", xml_code="NoSuchBucket")


def no_object(bucket: str, name: str) -> GcsError:
    """404 for an object or for one generation of it."""
    return GcsError(404, "notFound", f"No such object: {bucket}/{name}")


def no_folder() -> GcsError:
    """404 for a managed folder."""
    return GcsError(404, "notFound", "The specified managed folder does not exist.")


def conflict(message: str) -> GcsError:
    """409: it exists already, or is still in use."""
    return GcsError(409, "conflict", message)


def condition_not_met() -> GcsError:
    """412: a precondition does not hold."""
    return GcsError(
        412,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        location="If-Match",
    )


def not_modified() -> GcsError:
    """304: a read whose *NotMatch precondition named what is there."""
    return GcsError(304, "notModified", "Not Modified")
