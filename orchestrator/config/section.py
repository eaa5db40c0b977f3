"""The base of the sections of infra.yaml: frozen dataclasses from which pydantic reads the file.

A section's fields have types of `config.fields`, which only type checkers see: importing pydantic and
building its schemas takes longer than the rest of a short command. It happens when infra.yaml is read, and a
repository without the file does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import CoreSchema


class ConfigSection:
    """What every section shares: no unknown keys, no guessing of types, an empty section for an empty key.

    `keys` has the keys of infra.yaml that cannot be names of fields, by field. A ValueError of
    `__post_init__` is a mistake in the file.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid", "strict": True}
    keys: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        """The schema by which pydantic reads a section from a mapping."""
        from orchestrator.config.fields import section_schema

        return section_schema(cls.keys, handler(source))
