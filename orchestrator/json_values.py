"""Frozen dataclasses out of JSON, checked against their type hints: another job's words may be forged."""

from __future__ import annotations

import types
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def from_json(kind: type[T], value: Any) -> T:
    """A dataclass from what `asdict` made of one. Fields with defaults may be missing; unknown ones are left.

    Raises ValueError for a value that does not fit.
    """
    convert: T = _convert(kind, value, kind.__name__)
    return convert


@cache
def _hints(kind: Hashable) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _convert(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        (required,) = (each for each in inner if each is not type(None))
        return _convert(required, value, where)
    if origin is Literal:
        return _checked(value, value in inner, where)
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is not None and issubclass(origin, Mapping):
        _checked(value, isinstance(value, dict), where)
        return {key: _convert(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float:
        return float(_checked(value, type(value) in (int, float), where))
    return _checked(value, type(value) is kind, where)


def _dataclass(kind: type[Any], value: Any, where: str) -> Any:
    _checked(value, isinstance(value, dict), where)
    hints = _hints(cast(Hashable, kind))
    names = [field.name for field in fields(kind) if field.init and field.name in value]
    try:
        return kind(**{name: _convert(hints[name], value[name], f"{where}.{name}") for name in names})
    except TypeError as error:
        raise ValueError(f"{where} lacks something: {error}") from error


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _checked(value, isinstance(value, list), where)
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(_convert(inner[0], item, where) for item in value)
    _checked(value, len(value) == len(inner), where)
    return tuple(_convert(kind, item, where) for kind, item in zip(inner, value, strict=True))


def _checked(value: Any, fits: bool, where: str) -> Any:
    if not fits:
        raise ValueError(f"{where} is not what it should be")
    return value
