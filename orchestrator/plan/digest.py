"""What of a plan was approved: per address and attribute the action and a hash of the value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from orchestrator.errors import StateError
from orchestrator.jsontext import read_object

if TYPE_CHECKING:
    from orchestrator.plan.standing import Standing

# Raised when a reader of the version before would misunderstand; a newer version is refused.
VERSION = 1

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class AttributeDigest:
    """One attribute that changes. `before` and `after` are HMAC-SHA256 in hex of the values' JSON.

    `before` is empty where there was no value. `unknown` is true when the new value, or a part of it, is
    known after the apply only; `after` is empty when all of it is. `shown_before` and `shown_after` are for
    people: masked, and None where anything in them is hidden.
    """

    path: str
    before: str
    after: str
    unknown: bool = False
    sensitive: bool = False
    shown_before: Any = None
    shown_after: Any = None


@dataclass(frozen=True)
class ResourceDigest:
    """One resource that changes, is moved, imported or forgotten; or an action that Terraform invokes.

    `import_id` is for people, masked; `imported` is the hash of what is imported, empty without an import.
    """

    address: str
    type: str
    actions: tuple[str, ...]
    previous_address: str | None = None
    deposed: str | None = None
    import_id: str | None = None
    attributes: tuple[AttributeDigest, ...] = ()
    imported: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the others: its address, and the key of a deposed object."""
        return self.address, self.deposed or ""

    @property
    def is_update(self) -> bool:
        """Changed in place, and neither moved nor imported."""
        return self.actions == ("update",) and not (self.previous_address or self.imported or self.deposed)

    @property
    def is_removal(self) -> bool:
        """Deleted or forgotten, and not made again."""
        return self.actions in (("delete",), ("forget",))


@dataclass(frozen=True)
class OutputDigest:
    """One output that changes; `unknown` and `shown_after` as for an attribute."""

    name: str
    actions: tuple[str, ...]
    after: str
    unknown: bool = False
    sensitive: bool = False
    shown_after: Any = None

    @property
    def address(self) -> str:
        """How it is named where resources have their addresses."""
        return f"output.{self.name}"


@dataclass(frozen=True)
class Digest:
    """A plan as it can be compared. Equality is of stack, lineage, lock file and the same changes.

    `lineage` is empty where there was no state yet, `lock_file` is the SHA-256 of `.terraform.lock.hcl`,
    empty without one. `facts` (commit, base, serial, generation, terraform_version, upstream generations …)
    only explain a difference. `provisional` are the upstreams that had changes of their own when it was made.
    `volatile` are attributes (address, path) that are new in every plan of one commit and of which any value
    is approved; recorded only where a pull request is there to approve what is pending, and shown there.
    `repairs` are what is done beside the plan to finish an interrupted apply, where that takes a yes.
    `standing` knows what the plan leaves as it is; it is there while the plan itself is, and never written.
    """

    stack: str
    lineage: str
    lock_file: str
    resources: tuple[ResourceDigest, ...] = ()
    outputs: tuple[OutputDigest, ...] = ()
    provisional: tuple[str, ...] = ()
    volatile: tuple[tuple[str, str], ...] = ()
    repairs: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)
    standing: Standing | None = field(default=None, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """True for a plan that changes nothing."""
        return not (self.resources or self.outputs or self.repairs)

    @property
    def without_quiet_imports(self) -> Digest:
        """The same without the imports that change nothing."""
        kept = [
            one
            for one in self.resources
            if not (one.imported and one.actions == ("no-op",) and not one.previous_address)
        ]
        return replace(self, resources=tuple(kept))


def empty(
    stack: str,
    *,
    lineage: str,
    lock_file: str,
    provisional: Iterable[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Digest:
    """The digest of a plan that changes nothing: what a reviewer of its upstream's change saw."""
    return Digest(
        stack, lineage, lock_file, provisional=tuple(sorted(set(provisional))), facts=dict(facts or {})
    )


def encode(digest: Digest) -> bytes:
    """A digest as its object holds it: JSON whose bytes are the same for equal digests."""
    document = {
        "version": VERSION,
        "stack": digest.stack,
        "lineage": digest.lineage,
        "lock_file": digest.lock_file,
        "resources": [
            {**_given(one), "attributes": [_given(each) for each in one.attributes]}
            for one in digest.resources
        ],
        "outputs": [_given(one) for one in digest.outputs],
        "provisional": list(digest.provisional),
        "facts": dict(digest.facts),
    }
    if digest.volatile:
        document["volatile"] = [list(one) for one in digest.volatile]
    if digest.repairs:
        document["repairs"] = list(digest.repairs)
    return (canonical(document) + "\n").encode()


def decode(data: bytes, where: str = "The plan object") -> Digest:
    """A digest from its object; StateError when it is none, or of a version that is not known."""
    try:
        content = read_object(data)
        if content["version"] != VERSION:
            raise StateError(
                f"{where} has version {content['version']}; version {VERSION} is known here.",
                advice="Another version of infra wrote it: plan the pull request again.",
            )
        return Digest(
            stack=_text(content["stack"]),
            lineage=_text(content["lineage"]),
            lock_file=_text(content["lock_file"]),
            resources=tuple(_resource(one) for one in content["resources"]),
            outputs=tuple(
                OutputDigest(**{**one, "actions": tuple(one["actions"])}) for one in content["outputs"]
            ),
            provisional=tuple(map(_text, content["provisional"])),
            volatile=tuple(_pair(one) for one in content.get("volatile", [])),
            repairs=tuple(map(_text, content.get("repairs", []))),
            facts=dict(content["facts"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(
            f"{where} is not a digest of a plan.", advice="Plan the pull request again: `infra ci plan`."
        ) from error


def sha256(data: bytes) -> str:
    """The SHA-256 of an object's content in hexadecimal digits, as a check's seal covers it."""
    return hashlib.sha256(data).hexdigest()


def _given(part: AttributeDigest | ResourceDigest | OutputDigest) -> dict[str, Any]:
    """The fields that say something: those without a default, and those that differ from it."""
    defaults = {one.name: one.default for one in fields(part)}
    return {name: value for name, value in vars(part).items() if value != defaults[name]}


def _resource(content: Mapping[str, Any]) -> ResourceDigest:
    attributes = tuple(AttributeDigest(**one) for one in content["attributes"])
    actions = tuple(map(_text, content["actions"]))
    return ResourceDigest(**{**content, "actions": actions, "attributes": attributes})


def _pair(value: Any) -> tuple[str, str]:
    address, path = value
    return _text(address), _text(path)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def canonical(value: Any) -> str:
    """The one way to write a JSON value here: keys sorted, no blanks, ASCII only."""
    return _ENCODER.encode(value)
