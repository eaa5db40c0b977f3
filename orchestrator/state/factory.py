"""Opens the storage of a location, by the scheme of its URL."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.state.gcs import Bucket
from orchestrator.state.location import Location

# The kind of bucket for each scheme of URL.
_BUCKETS: Mapping[str, type[Bucket]] = {"gs": Bucket}


def open_bucket(location: Location, environ: Mapping[str, str]) -> Bucket:
    """The bucket of a location. Sends no request; the credentials are those of the environment."""
    return _BUCKETS[location.scheme](location.bucket, environ)
