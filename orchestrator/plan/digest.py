"""Plan digests: per address and attribute, the action and a hash of the value."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from orchestrator.errors import StateError
from orchestrator.json_values import from_json
from orchestrator.jsontext import read_object
from orchestrator.plan.attributes import join_path

# Raised when a reader of the version before would misunderstand; a newer version is refused.
VERSION = 1

T = TypeVar("T")

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
    `unchanged` knows what the plan leaves as it is; it is there while the plan itself is, and never written.
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
    unchanged: UnchangedValues | None = field(default=None, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """True for a plan that changes nothing."""
        return not (self.resources or self.outputs or self.repairs)

    @property
    def without_quiet_imports(self) -> Digest:
        """The same without the imports that change nothing."""
        resources = [
            resource
            for resource in self.resources
            if not (resource.imported and resource.actions == ("no-op",) and not resource.previous_address)
        ]
        return replace(self, resources=tuple(resources))


def empty_plan_digest(
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
            {**_given(resource), "attributes": [_given(each) for each in resource.attributes]}
            for resource in digest.resources
        ],
        "outputs": [_given(output) for output in digest.outputs],
        "provisional": list(digest.provisional),
        "facts": dict(digest.facts),
    }
    if digest.volatile:
        document["volatile"] = [list(pair) for pair in digest.volatile]
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
            resources=tuple(_resource(resource) for resource in content["resources"]),
            outputs=tuple(_part(OutputDigest, output) for output in content["outputs"]),
            provisional=tuple(map(_text, content["provisional"])),
            volatile=tuple(_pair(pair) for pair in content.get("volatile", [])),
            repairs=tuple(map(_text, content.get("repairs", []))),
            facts=dict(content["facts"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(
            f"{where} is not a digest of a plan.", advice="Plan the pull request again: `infra ci plan`."
        ) from error


def sha256(data: bytes) -> str:
    """The SHA-256 of an object's content in hexadecimal digits, as a check's `external_id` has it."""
    return hashlib.sha256(data).hexdigest()


def _given(part: AttributeDigest | ResourceDigest | OutputDigest) -> dict[str, Any]:
    """The fields that say something: those without a default, and those that differ from it."""
    defaults = {field.name: field.default for field in fields(part)}
    return {name: value for name, value in vars(part).items() if value != defaults[name]}


def _resource(content: Mapping[str, Any]) -> ResourceDigest:
    attributes = tuple(_part(AttributeDigest, attribute) for attribute in content["attributes"])
    return replace(_part(ResourceDigest, {**content, "attributes": []}), attributes=attributes)


def _part(kind: type[T], content: Mapping[str, Any]) -> T:
    """A part of a digest. Its types must be right, and nothing in it unknown: that might be what matters."""
    if unknown := content.keys() - {each.name for each in fields(kind)}:  # type: ignore[arg-type]
        raise ValueError(f"{kind.__name__} has no {min(unknown)}")
    return from_json(kind, content)


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


@dataclass(frozen=True)
class Hasher:
    """HMAC-SHA256 of values, each bound to its address and attribute; without the key none can be guessed."""

    key: bytes = field(repr=False)

    def of(self, address: str, path: str, value: Any) -> str:
        """64 hexadecimal digits. JSON holds no NUL, so no two triples are written alike."""
        text = f"{address}\0{path}\0{canonical(value)}"
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


@dataclass(frozen=True)
class UnchangedValues:
    """What a plan does nothing to: raw values of resources by address, and of outputs by name.

    Never printed, never written.
    """

    values: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)
    hasher: Hasher = field(repr=False)

    def has(self, approved: ResourceDigest) -> bool:
        """Whether what was approved for a resource is how it is: made, changed, gone, as approved."""
        if approved.is_removal:
            return bool(approved.deposed) or approved.address not in self.values
        if approved.address not in self.values:
            return False
        value = self.values[approved.address]
        return all(
            self.hasher.of(approved.address, attribute.path, value_at(value, attribute.path))
            == attribute.after
            for attribute in approved.attributes
            if not attribute.unknown
        )

    def has_output(self, approved: OutputDigest) -> bool:
        """Whether an output has the value that was approved, or is gone as approved."""
        if approved.actions == ("delete",):
            return approved.name not in self.outputs
        if approved.name not in self.outputs:
            return False
        value = self.outputs[approved.name]
        return approved.unknown or self.hasher.of(approved.address, "", value) == approved.after


def value_at(value: Any, target: str, path: str = "") -> Any:
    """The part of a value that a path leads to; None where there is none."""
    if path == target:
        return value
    steps: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for key, below in steps:
        path_here = join_path(path, key)
        if target == path_here or target.startswith((f"{path_here}.", f"{path_here}[")):
            return value_at(below, target, path_here)
    return None
