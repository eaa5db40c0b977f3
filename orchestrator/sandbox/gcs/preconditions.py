"""The four preconditions that any request may carry, and what they mean when nothing is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.gcs.errors import condition_not_met, invalid, not_modified

_FIELDS = {
    "GenerationMatch": "generation_match",
    "GenerationNotMatch": "generation_not_match",
    "MetagenerationMatch": "metageneration_match",
    "MetagenerationNotMatch": "metageneration_not_match",
}


@dataclass(frozen=True)
class Preconditions:
    """Generations and metagenerations that must, or must not, be the current ones.

    A generation of 0 stands for "there is none": matching it means that the object must not exist.
    """

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], prefix: str = "if") -> Preconditions:
        """From query parameters such as `ifGenerationMatch` (or `ifSourceGenerationMatch`)."""
        conditions = {field: _number(values, prefix + name) for name, field in _FIELDS.items()}
        return cls(**conditions)

    def check(self, current: Mapping[str, Any] | None, *, reading: bool = False) -> None:
        """Raise 412, or 304 for a read that names what is there, unless all of them hold for `current`."""
        generation = int(current.get("generation", 0)) if current else 0
        metageneration = int(current["metageneration"]) if current else None
        if self.generation_match is not None and self.generation_match != generation:
            raise condition_not_met()
        if self.metageneration_match is not None and self.metageneration_match != metageneration:
            raise condition_not_met()
        same_generation = self.generation_not_match is not None and self.generation_not_match == generation
        same_metageneration = (
            self.metageneration_not_match is not None and self.metageneration_not_match == metageneration
        )
        if same_generation or same_metageneration:
            raise not_modified() if reading else condition_not_met()


ANY = Preconditions()


def _number(values: Mapping[str, str], name: str) -> int | None:
    text = values.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise invalid(f"Invalid value '{text}' for {name}.", location=name) from None
