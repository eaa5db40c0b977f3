"""Finds the secrets in plan JSON and state files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.masking.values import ValueWalker

_WORDS = re.compile(r"[\w-]+")
_KEY = re.compile(r'\["(?:[^"\\]|\\.)*+"\]')


def vocabulary_of(plan: Mapping[str, Any]) -> frozenset[str]:
    """The words that a plan's text is made of: parts of addresses, types, names of attributes and outputs.

    An instance's key is none of them: it is a value, which may be a secret.
    """
    words: set[str] = set(plan.get("output_changes") or {})
    for change in _changes(plan):
        words.update(_WORDS.findall(_KEY.sub("", str(change.get("address", "")))))
        body = change.get("change") or {}
        for side in ("before", "after"):
            if isinstance(values := body.get(side), Mapping):
                words.update(values)
    return frozenset(words)


def keyed_addresses(plan: Mapping[str, Any]) -> frozenset[str]:
    """The addresses in a plan that have an instance key in quotes, and what they begin with up to a key."""
    addresses: set[str] = set()
    for change in _changes(plan):
        for name in ("address", "previous_address"):
            address = change.get(name)
            if isinstance(address, str) and '["' in address:
                addresses.add(address)
                addresses.update(address[: match.end()] for match in _KEY.finditer(address))
    return frozenset(addresses)


def collect(plan: Mapping[str, Any], walker: ValueWalker) -> None:
    """Walk everything in a plan that has values; the walker's collector has its secrets then."""
    for change in _changes(plan):
        _change(walker, change.get("change") or {}, str(change.get("address", "")))
    for name, output in (plan.get("output_changes") or {}).items():
        _change(walker, output, "output", name)
    _variables(plan, walker)
    # Managed resources of the prior state are the changes' `before`; data sources are nowhere else.
    prior = (plan.get("prior_state") or {}).get("values") or {}
    for name, output in (prior.get("outputs") or {}).items():
        walker.walk(output.get("value"), output.get("sensitive"), ("output", name))
    for resource in _resources(prior.get("root_module") or {}):
        if resource.get("mode") == "data":
            path = (str(resource.get("address", "")),)
            walker.walk(resource.get("values"), resource.get("sensitive_values"), path)


def collect_state(state: Mapping[str, Any], walker: ValueWalker) -> None:
    """Walk everything in a state file that has values, with the marks that it keeps beside them."""
    for name, output in (state.get("outputs") or {}).items():
        walker.walk(output.get("value"), bool(output.get("sensitive")), ("output", name))
    for resource in state.get("resources") or ():
        for instance in resource.get("instances") or ():
            values = instance.get("attributes") or {}
            walker.walk(values, None, (str(resource.get("type", "")),))
            for path in instance.get("sensitive_attributes") or ():
                steps = [_step(step) for step in path]
                walker.walk(_at(values, steps), True, ("", *(step for step in steps if step is not None)))


def _step(step: Mapping[str, Any]) -> str | int | None:
    """A step of a path as a state spells it: an attribute's name, or an index and its type."""
    value = step.get("value")
    key = value.get("value") if isinstance(value, Mapping) else value
    return key if isinstance(key, str | int) else None


def _at(value: Any, steps: Sequence[str | int | None]) -> Any:
    """What a path leads to; where a step cannot be taken, all that is there."""
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return value
    return value


def _changes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("resource_changes", "resource_drift", "deferred_changes"):
        for change in plan.get(key) or ():
            yield change.get("resource_change", change)


def _change(walker: ValueWalker, change: Mapping[str, Any], *path: str) -> None:
    """Both sides under both sides' marks: what is secret after a change was no less so before it."""
    marks = [change.get("before_sensitive"), change.get("after_sensitive")]
    for side in ("before", "after"):
        for mark in marks if marks[0] != marks[1] else marks[:1]:
            walker.walk(change.get(side), mark, path)


def _variables(plan: Mapping[str, Any], walker: ValueWalker) -> None:
    """Variables carry no marks of their own: what is sensitive stands in their declaration."""
    module = (plan.get("configuration") or {}).get("root_module") or {}
    declared = module.get("variables") or {}
    for name, variable in (plan.get("variables") or {}).items():
        sensitive = bool((declared.get(name) or {}).get("sensitive"))
        walker.walk(variable.get("value"), sensitive, ("var", name))


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources") or ()
    for child in module.get("child_modules") or ():
        yield from _resources(child)
