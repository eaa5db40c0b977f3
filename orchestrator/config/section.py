"""What every section of infra.yaml shares."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from orchestrator.config.fields import or_empty


class Section(BaseModel):
    """What every section shares: no unknown keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        """A key with nothing after it (`dev:`) is an empty section."""
        return or_empty(value)
