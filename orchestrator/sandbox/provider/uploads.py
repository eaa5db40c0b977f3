"""google_storage_bucket_object: what a plan can tell of an upload from its content."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from orchestrator.sandbox.provider.values import UNKNOWN, Value

TYPE = "google_storage_bucket_object"
_OF_THE_CONTENT = ("crc32c", "md5hash", "md5hexhash", "generation", "media_link")


def plan_upload(planned: dict[str, Value], prior: Mapping[str, Value]) -> None:
    """Content that differs from what is in the bucket is uploaded again."""
    content = planned.get("content")
    if isinstance(content, str) and planned.get("source") is None:
        digest = base64.b64encode(hashlib.md5(content.encode(), usedforsecurity=False).digest()).decode()
        if digest == prior.get("md5hash"):
            return
    elif planned.get("source") == prior.get("source") and content == prior.get("content"):
        return
    planned.update(dict.fromkeys(_OF_THE_CONTENT, UNKNOWN))
