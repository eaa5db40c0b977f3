"""Saves and loads the server's data as one JSON file."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from orchestrator.errors import SandboxError
from orchestrator.sandbox.github.model import GitHubWorld


def save(world: GitHubWorld, path: Path) -> None:
    """Write the data atomically, readable by its owner only: it has tokens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(world), file, indent=1)
    draft.replace(path)


def load(path: Path) -> GitHubWorld:
    """Read the data; empty when there is no file. SandboxError when the file cannot be read."""
    if not path.exists():
        return GitHubWorld()
    try:
        loaded = _value(GitHubWorld, json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SandboxError(
            f"The sandbox's GitHub cannot be read from {path}: {error}.",
            advice="Delete the file to start over.",
        ) from error
    assert isinstance(loaded, GitHubWorld)  # noqa: S101 - tells mypy
    return loaded


def _value(kind: Any, raw: Any) -> Any:
    """`raw` as the type `kind` of the model: a dataclass, a list or a dictionary of them, or plain JSON."""
    if isinstance(kind, UnionType):
        return None if raw is None else _value(next(k for k in get_args(kind) if k is not NoneType), raw)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _value(hints[name], value) for name, value in raw.items()})  # type: ignore[operator]
    if get_origin(kind) is list:
        return [_value(get_args(kind)[0], item) for item in raw]
    if get_origin(kind) is dict:
        return {name: _value(get_args(kind)[1], item) for name, item in raw.items()}
    return raw
