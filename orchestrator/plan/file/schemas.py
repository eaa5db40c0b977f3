"""What a saved plan leaves to the provider's schema: the types of values, and which are sensitive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.values import (
    DYNAMIC,
    Marks,
    ValueType,
    collection_type,
    object_type,
    value_type,
)

BUILT_IN = "terraform.io/builtin/terraform"
# A path of attributes; None stands for every element of a collection.
_Path = tuple[str | None, ...]
_OPEN = {"type": "dynamic"}


@dataclass(frozen=True)
class ResourceSchema:
    """The type of a resource's values, and the marks of its sensitive attributes."""

    type: ValueType
    marks: Marks

    def sensitive_tree(self, value: Any, marks: Marks) -> Any:
        """Which parts of a value are sensitive, by the schema and by `marks`."""
        return self.type.sensitive_tree(value, tuple(filter(None, (self.marks, marks))))


class TypeSchemas:
    """The schemas of a provider's resources and data sources; each is read when it is first requested.

    `document` is one provider of `providers schema -json`.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._read: dict[tuple[str, str], ResourceSchema] = {}

    def find(self, mode: str, type_name: str) -> ResourceSchema:
        """The schema of one type; UnprovenPlanError when it is not known."""
        key = (mode, type_name)
        if key not in self._read:
            kind = "resource_schemas" if mode == "managed" else "data_source_schemas"
            schema = (self._document.get(kind) or {}).get(type_name)
            if schema is None:
                raise UnprovenPlanError(f"the schema of {type_name} is not known")
            self._read[key] = _resource_schema(schema.get("block") or {})
        return self._read[key]


def _resource_schema(block: Mapping[str, Any]) -> ResourceSchema:
    marks = Marks()
    for path in _sensitive_paths(block):
        at = marks
        for step in path:
            if step is None:
                at.each = at.each or Marks()
                at = at.each
            else:
                at = at.attributes.setdefault(step, Marks())
        at.is_marked = True
    return ResourceSchema(_block_type(block), marks)


def _block_type(block: Mapping[str, Any]) -> ValueType:
    types = {name: _attribute_type(attribute) for name, attribute in (block.get("attributes") or {}).items()}
    for name, nested in (block.get("block_types") or {}).items():
        below, nesting = nested.get("block") or {}, nested["nesting_mode"]
        # Blocks that each may have a type of their own make a tuple or an object.
        is_open = nesting in ("list", "map") and _has_dynamic(below)
        types[name] = DYNAMIC if is_open else _nested_type(_block_type(below), nesting)
    return object_type(types)


def _attribute_type(attribute: Mapping[str, Any]) -> ValueType:
    nested = attribute.get("nested_type")
    if nested is None:
        return value_type(attribute["type"])
    below = {name: _attribute_type(each) for name, each in (nested.get("attributes") or {}).items()}
    return _nested_type(object_type(below), nested["nesting_mode"])


def _nested_type(below: ValueType, nesting: str) -> ValueType:
    return below if nesting in ("single", "group") else collection_type(nesting, below)


def _has_dynamic(tree: Any) -> bool:
    """Whether the type of anything in a part of a schema is open."""
    if isinstance(tree, Mapping):
        return any(map(_has_dynamic, tree.values()))
    return any(map(_has_dynamic, tree)) if isinstance(tree, list) else tree == "dynamic"


def _sensitive_paths(block: Mapping[str, Any]) -> Iterator[_Path]:
    yield from _sensitive_attributes(block.get("attributes") or {})
    for name, nested in (block.get("block_types") or {}).items():
        below = _sensitive_paths(nested.get("block") or {})
        yield from ((name, *_each(nested), *path) for path in below)


def _sensitive_attributes(attributes: Mapping[str, Any]) -> Iterator[_Path]:
    for name, attribute in attributes.items():
        if attribute.get("sensitive"):
            yield (name,)
        elif nested := attribute.get("nested_type"):
            below = _sensitive_attributes(nested.get("attributes") or {})
            yield from ((name, *_each(nested), *path) for path in below)


def _each(nested: Mapping[str, Any]) -> tuple[None, ...]:
    return () if nested["nesting_mode"] in ("single", "group") else (None,)


# Terraform's own provider: it comes with Terraform, and is asked for no schema.
BUILT_IN_SCHEMA = TypeSchemas(
    {
        "resource_schemas": {
            "terraform_data": {
                "block": {
                    "attributes": {
                        "id": {"type": "string"},
                        "input": _OPEN,
                        "output": _OPEN,
                        "triggers_replace": _OPEN,
                    }
                }
            }
        },
        "data_source_schemas": {
            "terraform_remote_state": {
                "block": {
                    "attributes": {
                        "backend": {"type": "string"},
                        "config": _OPEN,
                        "defaults": _OPEN,
                        "outputs": _OPEN,
                        "workspace": {"type": "string"},
                    }
                }
            }
        },
    }
)
