"""A provider's schema as recorded by `terraform providers schema -json`, read type by type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.sandbox.provider.values import Type

_COLLECTION = {"list": "list", "set": "set", "map": "map"}


@dataclass(frozen=True)
class SchemaAttribute:
    """One argument or computed attribute; `nested` describes the objects of a nested attribute."""

    name: str
    type: Type
    required: bool
    optional: bool
    computed: bool
    sensitive: bool
    write_only: bool
    nesting: str | None = None
    nested: SchemaBlock | None = None

    @property
    def is_read_only(self) -> bool:
        """Only the provider sets it."""
        return self.computed and not self.optional


@dataclass(frozen=True)
class NestedBlock:
    """A block inside a block; `nesting` is single, group, list, set or map."""

    name: str
    nesting: str
    block: SchemaBlock

    @cached_property
    def type(self) -> Type:
        """The type of the value that holds all such blocks."""
        return _nest(self.block.type, self.nesting)


@dataclass(frozen=True)
class SchemaBlock:
    """The body of a resource, of a data source, of a provider's configuration, or of a nested block."""

    attributes: Mapping[str, SchemaAttribute]
    blocks: Mapping[str, NestedBlock]

    @cached_property
    def type(self) -> Type:
        """The object type of the block's values."""
        fields: dict[str, Type] = {name: each.type for name, each in self.attributes.items()}
        fields.update((name, each.type) for name, each in self.blocks.items())
        return ["object", fields]

    def write_only_paths(self, prefix: str = "") -> Iterator[str]:
        """The dotted paths of the attributes that are never stored."""
        for name, attribute in self.attributes.items():
            if attribute.write_only:
                yield prefix + name
            if attribute.nested is not None:
                yield from attribute.nested.write_only_paths(f"{prefix}{name}.")
        for name, nested in self.blocks.items():
            yield from nested.block.write_only_paths(f"{prefix}{name}.")


class ProviderSchema:
    """The recorded schema of one provider. Types are read when they are requested: google has 1,344."""

    def __init__(self, source: str, raw: Mapping[str, Any]) -> None:
        self.source = source
        self._raw = raw
        self._blocks: dict[tuple[str, str], SchemaBlock] = {}
        self._wire: dict[tuple[str, str], bytes] = {}

    @property
    def short_name(self) -> str:
        """The provider's own name: `google` of `registry.terraform.io/hashicorp/google`."""
        return self.source.rsplit("/", 1)[-1]

    @property
    def resource_types(self) -> frozenset[str]:
        """All resource types that were recorded."""
        return frozenset(self._section("resource_schemas"))

    @property
    def data_source_types(self) -> frozenset[str]:
        """All data sources that were recorded."""
        return frozenset(self._section("data_source_schemas"))

    @property
    def functions(self) -> Mapping[str, Any]:
        """The provider's own functions, as recorded."""
        return self._section("functions")

    @property
    def config(self) -> SchemaBlock:
        """The arguments of the `provider` block."""
        return self._block("provider", "", self._raw.get("provider") or {})

    def resource(self, name: str) -> SchemaBlock:
        """The body of a resource type."""
        return self._block("resource_schemas", name, self._section("resource_schemas")[name])

    def data_source(self, name: str) -> SchemaBlock:
        """The body of a data source."""
        return self._block("data_source_schemas", name, self._section("data_source_schemas")[name])

    def wire(self, resources: frozenset[str], data_sources: frozenset[str]) -> bytes:
        """The answer to GetProviderSchema with these types, those not recorded left out."""
        return b"".join(
            [
                self._head,
                *(self._entry("resource_schemas", name) for name in sorted(resources & self.resource_types)),
                *(
                    self._entry("data_source_schemas", name)
                    for name in sorted(data_sources & self.data_source_types)
                ),
            ]
        )

    def _section(self, name: str) -> Mapping[str, Any]:
        section: Mapping[str, Any] = self._raw.get(name) or {}
        return section

    def _block(self, section: str, name: str, raw: Mapping[str, Any]) -> SchemaBlock:
        key = (section, name)
        if key not in self._blocks:
            self._blocks[key] = parse_block(raw.get("block") or {})
        return self._blocks[key]

    @cached_property
    def _head(self) -> bytes:
        from orchestrator.sandbox.provider import wire

        return wire.head(self._raw.get("provider") or {}, self.functions)

    def _entry(self, section: str, name: str) -> bytes:
        from orchestrator.sandbox.provider import wire

        key = (section, name)
        if key not in self._wire:
            self._wire[key] = wire.entry(section, name, self._section(section)[name])
        return self._wire[key]


def parse_block(raw: Mapping[str, Any]) -> SchemaBlock:
    """A block from its recorded JSON."""
    attributes = {name: _parse_attribute(name, each) for name, each in (raw.get("attributes") or {}).items()}
    blocks = {
        name: NestedBlock(name, each["nesting_mode"], parse_block(each.get("block") or {}))
        for name, each in (raw.get("block_types") or {}).items()
    }
    return SchemaBlock(attributes, blocks)


def _parse_attribute(name: str, raw: Mapping[str, Any]) -> SchemaAttribute:
    nested_raw = raw.get("nested_type")
    nested = parse_block(nested_raw) if nested_raw else None
    nesting = nested_raw["nesting_mode"] if nested_raw else None
    return SchemaAttribute(
        name=name,
        type=raw["type"] if nested is None else _nest(nested.type, str(nesting)),
        required=raw.get("required", False),
        optional=raw.get("optional", False),
        computed=raw.get("computed", False),
        sensitive=raw.get("sensitive", False),
        write_only=raw.get("write_only", False),
        nesting=nesting,
        nested=nested,
    )


def _nest(type_: Type, nesting: str) -> Type:
    collection = _COLLECTION.get(nesting)
    return [collection, type_] if collection else type_
