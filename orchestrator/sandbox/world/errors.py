"""What the world says no to."""

from __future__ import annotations


class AlreadyExistsError(Exception):
    """An object with that id is there already."""
