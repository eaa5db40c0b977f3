"""Types of values: what plan JSON shows of a value, and which parts of it are unknown or sensitive.

A type is written as in `terraform providers schema -json`: `"string"`, `["list", T]`, `["object", {…}]`. A
value is as `decode_msgpack` returns it. A value of the type `dynamic` brings its own type along.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.msgpack import UNKNOWN

# A step of a path: the name of an attribute, or the key of an element in a tuple of one.
Step = str | tuple[str | int]
_ABSENT: Any = object()


@dataclass
class Marks:
    """Which parts of a value are marked: this value as a whole, or by attribute, by key, in every element."""

    is_marked: bool = False
    attributes: dict[str, Marks] = field(default_factory=dict)
    elements: dict[str | int, Marks] = field(default_factory=dict)
    each: Marks | None = None

    def __bool__(self) -> bool:
        return bool(self.is_marked or self.attributes or self.elements or self.each)

    def add(self, path: Iterable[Step]) -> None:
        """Mark what a path leads to."""
        marks = self
        for step in path:
            if isinstance(step, str):
                marks = marks.attributes.setdefault(step, Marks())
            else:
                marks = marks.elements.setdefault(step[0], Marks())
        marks.is_marked = True


NO_MARKS = Marks()


class ValueType(ABC):
    """The type of values. Each method raises UnprovenPlanError for a value that is not of it."""

    def json(self, value: Any) -> Any:
        """A value as plan JSON has it: what is unknown is left out of objects, and null in lists."""
        json_value = self.read(value)
        return None if json_value is _ABSENT else json_value

    def unknown_tree(self, value: Any) -> Any:
        """The tree that plan JSON calls `after_unknown`."""
        if value is UNKNOWN:
            return True
        return False if value is None else self.unknown_below(value)

    def sensitive_tree(self, value: Any, marks: Sequence[Marks] = ()) -> Any:
        """The tree that plan JSON calls `before_sensitive` or `after_sensitive`."""
        for mark in marks:
            if mark.is_marked:
                return True
        return False if value is None else self.sensitive_below(value, marks)

    def read(self, value: Any) -> Any:
        """The value as JSON; _ABSENT for one that is unknown."""
        if value is None:
            return None
        return _ABSENT if value is UNKNOWN else self.read_known(value)

    @abstractmethod
    def read_known(self, value: Any) -> Any:
        """The JSON of a value that is neither null nor unknown as a whole."""

    def unknown_below(self, value: Any) -> Any:
        """The tree of a value that is neither null nor unknown as a whole; a primitive value has none."""
        return False

    def sensitive_below(self, value: Any, marks: Sequence[Marks]) -> Any:
        """The tree of a value that is not null, nor marked as a whole; a primitive value has none."""
        return False

    def from_state(self, value: Any) -> Any:
        """A value as a plan holds it, from the JSON of a state. Raises one of MALFORMED for another."""
        return None if value is None else self.from_known_state(value)

    def from_known_state(self, value: Any) -> Any:
        """The same of a value that is not null; a primitive one stays as it is."""
        return value

    def unexpected(self) -> UnprovenPlanError:
        """The error for a value of another type."""
        return UnprovenPlanError(f"a value in it is no {type(self).__name__.removeprefix('_').lower()}")


class _String(ValueType):
    def read_known(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise self.unexpected()
        return value


class _Bool(ValueType):
    def read_known(self, value: Any) -> Any:
        if not isinstance(value, bool):
            raise self.unexpected()
        return value


class _Number(ValueType):
    def read_known(self, value: Any) -> Any:
        return json_number(value)


class _Dynamic(ValueType):
    """Of any type; the value is [type, value]."""

    def unknown_tree(self, value: Any) -> Any:
        if value is None or value is UNKNOWN:
            return value is UNKNOWN
        return _own_type(value).unknown_tree(value[1])

    def read_known(self, value: Any) -> Any:
        return _own_type(value).read(value[1])

    def from_known_state(self, value: Any) -> Any:
        return [json.dumps(value["type"]).encode(), value_type(value["type"]).from_state(value["value"])]

    def sensitive_below(self, value: Any, marks: Sequence[Marks]) -> Any:
        return False if value is UNKNOWN else _own_type(value).sensitive_tree(value[1], marks)


class _Sequence(ValueType):
    """A list, set or tuple. `types` has the type of each item of a tuple, and else `[type]`."""

    def __init__(self, kind: str, types: Sequence[ValueType]) -> None:
        self.kind = kind
        self.types = types

    def read_known(self, value: Any) -> Any:
        items = (kind.read(item) for item, kind in self.items(value))
        return [None if item is _ABSENT else item for item in items]

    def unknown_below(self, value: Any) -> Any:
        return [kind.unknown_tree(item) for item, kind in self.items(value)]

    def sensitive_below(self, value: Any, marks: Sequence[Marks]) -> Any:
        if value is UNKNOWN:
            return []
        if not marks:
            return [kind.sensitive_tree(item) for item, kind in self.items(value)]
        is_set = self.kind == "set"
        if is_set and any(mark.elements for mark in marks):
            raise UnprovenPlanError("an element of a set in it is marked")
        trees = [
            kind.sensitive_tree(item, _below(marks, at)) for at, (item, kind) in enumerate(self.items(value))
        ]
        # In a set an element cannot be marked alone.
        return True if is_set and any(map(has_true, trees)) else trees

    def from_known_state(self, value: Any) -> Any:
        return [kind.from_state(item) for item, kind in self.items(value)]

    def items(self, value: Any) -> Iterable[tuple[Any, ValueType]]:
        if not isinstance(value, list) or (self.kind == "tuple" and len(value) != len(self.types)):
            raise self.unexpected()
        types = self.types if self.kind == "tuple" else [self.types[0]] * len(value)
        return zip(value, types, strict=True)


class _Map(ValueType):
    def __init__(self, below: ValueType) -> None:
        self.below = below

    def read_known(self, value: Any) -> Any:
        read = self.below.read
        return _present({key: read(item) for key, item in self.items(value)})

    def unknown_below(self, value: Any) -> Any:
        return _without_false({key: self.below.unknown_tree(item) for key, item in self.items(value)})

    def sensitive_below(self, value: Any, marks: Sequence[Marks]) -> Any:
        if value is UNKNOWN:
            return {}
        return _without_false(
            {key: self.below.sensitive_tree(item, _below(marks, key)) for key, item in self.items(value)}
        )

    def from_known_state(self, value: Any) -> Any:
        return {key: self.below.from_state(item) for key, item in self.items(value)}

    def items(self, value: Any) -> Iterable[tuple[str, Any]]:
        if not isinstance(value, dict):
            raise self.unexpected()
        return value.items()


class _Object(ValueType):
    def __init__(self, types: Mapping[str, ValueType]) -> None:
        self.types = types
        # Nothing in a primitive value is unknown or marked but the whole value.
        self.nested = {name: kind for name, kind in types.items() if not _is_primitive(kind)}

    def read_known(self, value: Any) -> Any:
        self.check(value)
        types = self.types
        return _present({key: types[key].read(item) for key, item in value.items()})

    def unknown_below(self, value: Any) -> Any:
        self.check(value)
        types = self.types
        return _without_false({key: types[key].unknown_tree(item) for key, item in value.items()})

    def sensitive_below(self, value: Any, marks: Sequence[Marks]) -> Any:
        if value is UNKNOWN:
            return {}
        self.check(value)
        if not marks:
            return _without_false(
                {name: kind.sensitive_tree(value[name]) for name, kind in self.nested.items()}
            )
        trees = {
            name: kind.sensitive_tree(
                value[name], [mark.attributes[name] for mark in marks if name in mark.attributes]
            )
            for name, kind in self.types.items()
        }
        return _without_false(trees)

    def from_known_state(self, value: Any) -> Any:
        return {name: kind.from_state(value[name]) for name, kind in self.types.items()}

    def check(self, value: Any) -> None:
        if not isinstance(value, dict) or value.keys() != self.types.keys():
            raise self.unexpected()


STRING, NUMBER, BOOL, DYNAMIC = _String(), _Number(), _Bool(), _Dynamic()
_NAMED: Mapping[str, ValueType] = {"string": STRING, "number": NUMBER, "bool": BOOL, "dynamic": DYNAMIC}


def value_type(type_: Any) -> ValueType:
    """A type from its JSON; the names of optional attributes, which are null where not set, do not count."""
    match type_:
        case str() if type_ in _NAMED:
            return _NAMED[type_]
        case ["list" | "set" as kind, below]:
            return _Sequence(kind, [value_type(below)])
        case ["tuple", [*types]]:
            return _Sequence("tuple", list(map(value_type, types)))
        case ["map", below]:
            return _Map(value_type(below))
        case ["object", dict() as types, *_]:
            return _Object({name: value_type(each) for name, each in types.items()})
    raise UnprovenPlanError("a type in it is not known")


def object_type(types: Mapping[str, ValueType]) -> ValueType:
    """The type of objects with these attributes."""
    return _Object(types)


def collection_type(kind: str, below: ValueType) -> ValueType:
    """The type `list`, `set` or `map` of something."""
    return _Map(below) if kind == "map" else _Sequence(kind, [below])


def has_true(tree: Any) -> bool:
    """Whether anything in a tree of marks is marked."""
    if isinstance(tree, dict):
        return any(map(has_true, tree.values()))
    return any(map(has_true, tree)) if isinstance(tree, list) else tree is True


def json_number(value: Any) -> int | float:
    """A number as JSON shows it; Terraform writes those that no float of 64 bits equals as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise NUMBER.unexpected() from error
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise UnprovenPlanError("a number in it is not finite")
        return int(Decimal(repr(value))) if value.is_integer() else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NUMBER.unexpected()
    return value


def _is_primitive(kind: ValueType) -> bool:
    return kind in (STRING, NUMBER, BOOL)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    if _ABSENT in members.values():
        return {key: item for key, item in members.items() if item is not _ABSENT}
    return members


def _without_false(trees: dict[str, Any]) -> dict[str, Any]:
    return {key: tree for key, tree in trees.items() if tree is not False}


def _below(marks: Sequence[Marks], key: str | int) -> Sequence[Marks]:
    """The marks of an element of a collection."""
    if not marks:
        return marks
    named = [mark.elements[key] for mark in marks if key in mark.elements]
    return [*named, *(mark.each for mark in marks if mark.each is not None)]


def _own_type(value: Any) -> ValueType:
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], bytes)):
        raise DYNAMIC.unexpected()
    return _parse_type(value[0])


@lru_cache(maxsize=4096)
def _parse_type(text: bytes) -> ValueType:
    try:
        return value_type(json.loads(text))
    except ValueError as error:
        raise DYNAMIC.unexpected() from error
