"""Types whose objects live outside the world's folder: what the world asks of whoever keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from orchestrator.sandbox.world.objects import WorldObject


class RefusedError(Exception):
    """The keeper refuses, in the words of its API: `googleapi: Error 403: …`."""


class StoredTypes(Protocol):
    """A keeper of some types. Its objects are partial: what only Terraform knows is absent."""

    @property
    def types(self) -> frozenset[str]:
        """The resource types that it keeps."""

    def list(self, type_: str | None) -> Iterator[WorldObject]:
        """What there is of one type, or of all that are worth showing."""

    def find(self, type_: str, object_id: str) -> WorldObject | None:
        """The object, or None."""

    def create(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Add it; AlreadyExistsError when it is there, RefusedError when its attributes are refused."""

    def update(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Change it; LookupError when it is gone, RefusedError when it may not be changed so."""

    def remove(self, type_: str, object_id: str, attributes: Mapping[str, Any]) -> None:
        """Take it away; LookupError when it is gone, RefusedError when it may not go."""
