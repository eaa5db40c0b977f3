"""The data of Cloud Storage in a folder, which the server serves and the provider uses.

The public methods are those of `Buckets`, `Folders` and `Objects`. They take and return dictionaries in the
shape of the JSON API, raise `GcsError`, and know nothing of accounts: the caller may do everything.
"""

from __future__ import annotations

from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.gcs.listing import Page, Query
from orchestrator.sandbox.gcs.objects import Objects
from orchestrator.sandbox.gcs.preconditions import ANY, Preconditions

__all__ = ["ANY", "GcsError", "GcsStore", "Page", "Preconditions", "Query"]


class GcsStore(Objects):
    """`GcsStore(folder)` opens what the folder holds, or starts empty; one process at a time."""
