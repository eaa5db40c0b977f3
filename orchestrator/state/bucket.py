"""A bucket itself: is it there, how is it protected, and what may an account do in it."""

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


def look_at(bucket: Bucket) -> BucketSettings | Literal["missing", "refused"]:
    """The bucket's settings; `refused` when it is there and we may not look, as with somebody else's."""

    def look(found: Any, retry: Any) -> BucketSettings | Literal["missing", "refused"]:
        from google.api_core.exceptions import Forbidden, NotFound

        try:
            found.reload(timeout=TIMEOUT, retry=retry)
        except NotFound:
            return "missing"
        except Forbidden:
            return "refused"
        access = found.iam_configuration
        return BucketSettings(
            versioning=bool(found.versioning_enabled),
            uniform_access=bool(access.uniform_bucket_level_access_enabled),
            public_access_prevented=access.public_access_prevention == "enforced",
        )

    return bucket.ask("look at the bucket", look)


def create(bucket: Bucket, name: str) -> Literal["created", "exists", "refused"]:
    """Make an empty object, only if there is none of that name."""

    def make(found: Any, retry: Any) -> Literal["created", "exists", "refused"]:
        from google.api_core.exceptions import Forbidden, PreconditionFailed

        try:
            found.blob(name).upload_from_string(b"", if_generation_match=0, timeout=TIMEOUT, retry=retry)
        except PreconditionFailed:
            return "exists"
        except Forbidden:
            return "refused"
        return "created"

    return bucket.ask(f"create {name}", make)


def overwrite(bucket: Bucket, name: str) -> bool:
    """Write an empty object whatever is there; whether that was allowed."""

    def write(found: Any, retry: Any) -> bool:
        from google.api_core.exceptions import Forbidden

        try:
            found.blob(name).upload_from_string(b"", timeout=TIMEOUT, retry=retry)
        except Forbidden:
            return False
        return True

    return bucket.ask(f"write {name}", write)


def may_read(bucket: Bucket, name: str) -> bool:
    """Whether an object could be read; it need not be there."""

    def read(found: Any, retry: Any) -> bool:
        from google.api_core.exceptions import Forbidden, NotFound

        try:
            found.blob(name).reload(timeout=TIMEOUT, retry=retry)
        except NotFound:
            return True
        except Forbidden:
            return False
        return True

    return bucket.ask(f"read {name}", read)


def delete(bucket: Bucket, name: str) -> None:
    """Delete an object; nothing when there is none."""

    def remove(found: Any, retry: Any) -> None:
        from google.api_core.exceptions import NotFound

        try:
            found.blob(name).delete(timeout=TIMEOUT, retry=retry)
        except NotFound:
            return

    bucket.ask(f"delete {name}", remove)
