"""Paths into an object's attributes, as people write them: `template[0].scaling[0].min`, `labels["a.b"]`."""

from __future__ import annotations

import difflib
import re
from typing import Any

from orchestrator.errors import SandboxError

_STEP = re.compile(r"""\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]|\["([^"]*)"\]""")


def parse_path(text: str) -> list[str | int]:
    """The names and indexes of a path."""
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise SandboxError(
                f"{text!r} is not a path: stopped at {text[position:]!r}",
                advice='Write it like `labels.team`, `template[0].timeout` or `labels["a.b"]`.',
            )
        name, index, key = match.groups()
        steps.append(int(index) if index is not None else (name or key))
        position = match.end()
    if not steps:
        raise SandboxError("the path is empty", advice="Name an attribute, for example `labels.team`.")
    return steps


def set_in(attributes: dict[str, Any], path: str, value: Any) -> None:
    """Put `value` at `path`. Names must exist, except keys of maps; an index may add one element."""
    steps = parse_path(path)
    container: Any = attributes
    for depth, step in enumerate(steps[:-1]):
        container = _descend(container, step, steps[: depth + 1])
        if container is None:
            raise _wrong(steps[: depth + 1], "is null: set it whole first")
    last = steps[-1]
    if isinstance(last, int):
        if not isinstance(container, list) or last > len(container):
            raise _wrong(
                steps, "is beyond the end of the list" if isinstance(container, list) else "is not in a list"
            )
        container[last : last + 1] = [value]
        return
    if not isinstance(container, dict):
        raise _wrong(steps, "is not in an object; an element of a list is `[0]`")
    if last not in container and not (_is_map(steps) and container is not attributes):
        raise _unknown(last, container, steps)
    container[last] = value


def _is_map(steps: list[str | int]) -> bool:
    """Whether the last name is a key of a map: blocks are lists, so only maps hang from a name directly."""
    return len(steps) >= 2 and isinstance(steps[-2], str)


def _descend(container: Any, step: str | int, so_far: list[str | int]) -> Any:
    if isinstance(step, int):
        if not isinstance(container, list) or step >= len(container):
            raise _wrong(so_far, "does not exist")
        return container[step]
    if not isinstance(container, dict):
        raise _wrong(so_far, "does not exist; an element of a list is `[0]`")
    if step not in container:
        raise _unknown(step, container, so_far)
    return container[step]


def _text(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _wrong(steps: list[str | int], why: str) -> SandboxError:
    return SandboxError(f"{_text(steps)} {why}", advice="`infra sandbox world show` prints the object.")


def _unknown(name: str, container: dict[str, Any], steps: list[str | int]) -> SandboxError:
    near = difflib.get_close_matches(name, list(container), 1)
    advice = f"Did you mean {near[0]}?" if near else "`infra sandbox world show` prints what there is."
    return SandboxError(f"{_text(steps)} does not exist", advice=advice)
