"""Detects attributes that repeat what another attribute or another resource sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.drift.leaves import DriftedLeaf, is_zero
from orchestrator.drift.model import Path
from orchestrator.jsontext import read_json
from orchestrator.plan.attributes import is_equal

# By which attributes one resource refers to another.
_IDENTITY = ("id", "arn", "self_link", "name", "url")


def find_merged_base(path: Path, values: Mapping[str, Any]) -> str | None:
    """The map of the code that a merged map contains: `labels` for `effective_labels.KEY`; else None.

    Of `tags_all` it is `tags`. A merged map holds what the code sets, what the provider adds, and what others
    added to the real resource.
    """
    root = path[0] if len(path) > 1 else None
    if not isinstance(root, str):
        return None
    base = root.removeprefix("effective_") if root.startswith("effective_") else root.removesuffix("_all")
    return base if base != root and base in values else None


# The type of another resource of the stack, and its attributes.
Sibling = tuple[str, Mapping[str, Any]]


def collect_identity(values: Mapping[str, Any]) -> frozenset[str]:
    """The values by which other resources refer to one."""
    candidates = (values.get(name) for name in _IDENTITY)
    return frozenset(value for value in candidates if isinstance(value, str) and value)


def is_sibling_echo(
    kind: str, leaf: DriftedLeaf, identity: frozenset[str], siblings: Iterable[Sibling]
) -> bool:
    """Whether an attribute changed only since another resource of the stack sets it.

    So `aws_sqs_queue.policy` repeats `aws_sqs_queue_policy.policy`, and `aws_iam_role.inline_policy` lists
    what each `aws_iam_role_policy` sets. A sibling counts when one of its attributes is of `identity`.
    """
    names = [part for part in leaf.path if isinstance(part, str)]
    related = [(type_name, values) for type_name, values in siblings if _refers_to(values, identity)]
    if any(_is_setting_of(type_name, kind, names[0]) for type_name, _ in related):
        return True
    changed = _changed_members(leaf.raw_before, leaf.raw_after, names[-1])
    return bool(changed) and all(any(_repeats(member, values) for _, values in related) for member in changed)


def _refers_to(values: Mapping[str, Any], identity: frozenset[str]) -> bool:
    """Whether an attribute names the resource; that a sibling has the same name itself says nothing."""
    return any(
        isinstance(value, str) and value in identity
        for name, value in values.items()
        if name not in _IDENTITY
    )


def _is_setting_of(type_name: str, kind: str, root: str) -> bool:
    """Whether a type stands for one attribute of another: aws_s3_bucket_versioning, aws_sqs_queue_policy."""
    setting = type_name.removeprefix(f"{kind}_")
    if setting == type_name:
        return False
    return setting == root or setting.removesuffix("_configuration") == root.removesuffix(
        "_configuration"
    ).removesuffix("_rule")


def _changed_members(before: Any, after: Any, name: str) -> list[Any]:
    """What came or went: members of a list; else the values, each as a block with that one name."""
    if isinstance(before or after, list) and isinstance(after or before, list):
        old, new = before or [], after or []
        came = [member for member in new if not any(is_equal(member, other) for other in old)]
        went = [member for member in old if not any(is_equal(member, other) for other in new)]
        return [*came, *went]
    values = [value for value in (before, after) if not is_zero(value)]
    return [value if isinstance(value, dict) else {name: value} for value in values]


def _repeats(member: Any, values: Mapping[str, Any]) -> bool:
    """Whether a sibling has a value, or under the same names each part of a block that is set."""
    if isinstance(member, dict):
        parts = {name: value for name, value in member.items() if not is_zero(value)}
        return bool(parts) and all(_equal(value, values.get(name)) for name, value in parts.items())
    return isinstance(member, str) and any(_equal(member, value) for value in values.values())


def _equal(value: Any, other: Any) -> bool:
    """Equality; documents in JSON are compared by what they say."""
    if is_equal(value, other):
        return True
    if isinstance(value, str) and isinstance(other, str) and value[:1] in "{[" and other[:1] in "{[":
        try:
            return is_equal(read_json(value), read_json(other))
        except ValueError:
            return False
    return False
