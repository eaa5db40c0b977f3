"""The interface of stores for types whose objects are outside the world's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from orchestrator.sandbox.world.objects import WorldObject


class AlreadyExistsError(Exception):
    """An object with that id exists already."""


class RefusedError(Exception):
    """The store refuses a change, with the message of its API: `googleapi: Error 403: …`."""


class StoredTypes(Protocol):
    """A store of some types. Its objects are partial: attributes that only Terraform knows are absent."""

    @property
    def types(self) -> frozenset[str]:
        """The resource types that it stores."""

    def list(self, type_: str | None) -> Iterator[WorldObject]:
        """What there is of one type, or of all that are worth showing."""

    def find(self, type_: str, object_id: str) -> WorldObject | None:
        """The object, or None."""

    def create(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Add it; AlreadyExistsError when it is there, RefusedError when its attributes are refused."""

    def update(self, type_: str, object_id: str, attributes: dict[str, Any]) -> WorldObject:
        """Change it; LookupError when it is gone, RefusedError when it may not be changed so."""

    def remove(self, type_: str, object_id: str, attributes: Mapping[str, Any]) -> None:
        """Delete it; LookupError when it is missing, RefusedError when it may not be deleted."""
