"""Inspects a bucket: its settings, and what the current account may do in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.state.gcs import TIMEOUT, Bucket


@dataclass(frozen=True)
class BucketSettings:
    """How a bucket is protected."""

    versioning: bool
    uniform_access: bool
    public_access_prevented: bool


def read_settings(bucket: Bucket) -> BucketSettings | Literal["missing", "refused"]:
    """The bucket's settings; `refused` when it is there and we may not look, as with somebody else's."""

    def look(remote: Any, retry: Any) -> BucketSettings | Literal["missing", "refused"]:
        from google.api_core.exceptions import Forbidden, NotFound

        try:
            remote.reload(timeout=TIMEOUT, retry=retry)
        except NotFound:
            return "missing"
        except Forbidden:
            return "refused"
        access = remote.iam_configuration
        return BucketSettings(
            versioning=bool(remote.versioning_enabled),
            uniform_access=bool(access.uniform_bucket_level_access_enabled),
            public_access_prevented=access.public_access_prevention == "enforced",
        )

    return bucket.ask("look at the bucket", look)


def create_object(bucket: Bucket, name: str) -> Literal["created", "exists", "refused"]:
    """Make an empty object, only if there is none of that name."""

    def make(remote: Any, retry: Any) -> Literal["created", "exists", "refused"]:
        from google.api_core.exceptions import Forbidden, PreconditionFailed

        try:
            remote.blob(name).upload_from_string(b"", if_generation_match=0, timeout=TIMEOUT, retry=retry)
        except PreconditionFailed:
            return "exists"
        except Forbidden:
            return "refused"
        return "created"

    return bucket.ask(f"create {name}", make)


def overwrite_object(bucket: Bucket, name: str) -> bool:
    """Write an empty object whatever is there; whether that was allowed."""

    def write(remote: Any, retry: Any) -> bool:
        from google.api_core.exceptions import Forbidden

        try:
            remote.blob(name).upload_from_string(b"", timeout=TIMEOUT, retry=retry)
        except Forbidden:
            return False
        return True

    return bucket.ask(f"write {name}", write)


def can_read_object(bucket: Bucket, name: str) -> bool:
    """Whether an object could be read; it need not be there."""

    def read(remote: Any, retry: Any) -> bool:
        from google.api_core.exceptions import Forbidden, NotFound

        try:
            remote.blob(name).reload(timeout=TIMEOUT, retry=retry)
        except NotFound:
            return True
        except Forbidden:
            return False
        return True

    return bucket.ask(f"read {name}", read)


def delete_object(bucket: Bucket, name: str) -> None:
    """Delete an object; nothing when there is none."""

    def remove(remote: Any, retry: Any) -> None:
        from google.api_core.exceptions import NotFound

        try:
            remote.blob(name).delete(timeout=TIMEOUT, retry=retry)
        except NotFound:
            return

    bucket.ask(f"delete {name}", remove)
