"""How resource types behave beyond their schema: `rules.toml` for some, guesses for the others."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox.provider.schema import SchemaBlock
from orchestrator.sandbox.provider.templates import names_in

_IAM = re.compile(r"^(google_\w+)_iam_(member|binding|policy|audit_config)$")
_LOCATIONS = ("project", "location", "region", "zone")
_IN_PLACE = {"location": "locations", "region": "regions", "zone": "zones"}
_PARENTS = re.compile(
    r"^(?!.*kms)(\w+_id|instance|cluster|dataset|database|table|managed_zone|key_ring|pool|bucket|service)$"
)
_FORCE_NEW = ("name", *_LOCATIONS)

# Attributes that the APIs of Google fill in the same way in nearly all types.
_GOOGLE_COMPUTED = {
    "create_time": "{now}",
    "creation_timestamp": "{now}",
    "update_time": "{now}",
    "updated": "{now}",
    "etag": "{etag}",
    "fingerprint": "{hash:11}=",
    "label_fingerprint": "{hash:11}=",
    "uid": "{uuid}",
    "unique_id": "{number:21}",
    "numeric_id": "{number:19}",
    "generation": 1,
    "observed_generation": 1,
    "state": "ACTIVE",
    "project_number": "{project_number:project}",
}
_GOOGLE_UPDATED = {
    "update_time": "{now}",
    "updated": "{now}",
    "etag": "{etag}",
    "fingerprint": "{etag}",
    "generation": "{increment:generation}",
    "observed_generation": "{increment:observed_generation}",
}


@dataclass(frozen=True)
class ResourceRule:
    """The behaviour of one resource type. Paths are dotted names; templates are those of `templates.py`."""

    id: str  # the template of the id, which is also the identity in the world
    kind: str = "resource"  # the noun in error messages
    imports: tuple[str, ...] = ()  # accepted import ids, as templates of attribute names
    replace: frozenset[str] = frozenset()  # paths whose change replaces the resource
    adopt: bool = False  # creating what exists already takes it over
    exists: str = "Resource '{id}' already exists."  # the text of error 409
    parent: str = ""  # the attribute whose path may name project and location
    iam: str = ""  # member, binding, policy or audit_config
    defaults: Mapping[str, Any] = field(
        default_factory=dict
    )  # arguments that the provider sets when nobody does
    planned: Mapping[str, Any] = field(default_factory=dict)  # computed values that a plan can tell already
    computed: Mapping[str, Any] = field(default_factory=dict)  # computed values known after a create
    updated: Mapping[str, Any] = field(default_factory=dict)  # computed values that change with each update
    volatile: Mapping[str, Any] = field(default_factory=dict)  # values that differ at each read
    computed_blocks: frozenset[str] = frozenset()  # blocks that stay when not configured
    delays: Mapping[str, float] = field(default_factory=dict)  # seconds an operation takes in a real cloud

    @property
    def identity(self) -> list[str]:
        """The attributes that make up the id."""
        return names_in(self.id)


@cache
def _document() -> Mapping[str, Mapping[str, Any]]:
    document: Mapping[str, Mapping[str, Any]] = tomllib.loads(
        files("orchestrator.sandbox.provider").joinpath("rules.toml").read_text(encoding="utf-8")
    )
    return document


def written_types() -> list[str]:
    """The resource types that `rules.toml` describes; IAM ones by the resource whose access they grant."""
    return sorted(name for name in _document() if name != "iam")


def data_sources() -> Mapping[str, Mapping[str, Any]]:
    """The data sources that answer without an object in the world, with templates of their attributes."""
    data: Mapping[str, Mapping[str, Any]] = _document().get("data", {})
    return data


def rule_for(provider: str, type_: str, block: SchemaBlock) -> ResourceRule:
    """The rule of a resource type of the provider with this short name."""
    iam = _IAM.match(type_)
    if iam and provider.startswith("google"):
        return _iam_rule(iam.group(1), iam.group(2), block)
    guess = _google_guess(type_, block) if provider.startswith("google") else _guess(type_, block)
    return _merge(guess, _document().get(type_, {}), type_, block)


def _merge(guess: ResourceRule, written: Mapping[str, Any], type_: str, block: SchemaBlock) -> ResourceRule:
    """What is written wins; tables of values are joined."""
    unknown = set(written) - {each.name for each in fields(ResourceRule)} - {"import"}
    if unknown:
        raise SandboxError(
            f"rules.toml: {type_} has the unknown keys {sorted(unknown)}", advice="See rules.py."
        )
    values: dict[str, Any] = {each.name: getattr(guess, each.name) for each in fields(ResourceRule)}
    for key, value in written.items():
        if key == "import":
            values["imports"] = tuple(value)
        elif isinstance(value, list):
            values[key] = frozenset(value)
        elif isinstance(value, dict) and isinstance(values[key], Mapping):
            values[key] = {**values[key], **value}
        else:
            values[key] = value
    if "id" in written and "import" not in written:
        values["imports"] = (written["id"],)
    if "replace" not in written:
        values["replace"] = guess.replace | _settable(block, names_in(values["id"]))
    return ResourceRule(**values)


def _settable(block: SchemaBlock, names: list[str]) -> frozenset[str]:
    """Those of the names that a configuration can set."""
    return frozenset(
        name for name in names if name in block.attributes and not block.attributes[name].is_read_only
    ) - {"id"}


def _kind_of(type_: str) -> str:
    """The noun for a type in messages: `Subnetwork` for google_compute_subnetwork."""
    return type_.rsplit("_", 1)[-1].capitalize()


def _guess(type_: str, block: SchemaBlock) -> ResourceRule:
    """A type of a provider that nothing is known about: named by its name if it must have one."""
    name = block.attributes.get("name")
    named = name is not None and name.required
    id_ = "{name}" if named else "{hash:16}"
    computed = {
        key: "{hash:16}" for key, each in block.attributes.items() if each.computed and each.type == "string"
    }
    return ResourceRule(
        id=id_,
        kind=_kind_of(type_),
        imports=("{%id}",),
        replace=_settable(block, [each for each in _FORCE_NEW if each in block.attributes]),
        computed=computed | ({"id": id_} if "id" in computed else {}),
    )


def _google_guess(type_: str, block: SchemaBlock) -> ResourceRule:
    """A Google type without rules: its id is a path of project, location, parents and name, as most are."""
    attributes = block.attributes
    parts = ["projects/{project}"] if "project" in attributes else []
    parts += [f"{word}/{{{name}}}" for name, word in _IN_PLACE.items() if name in attributes][:1] or [
        "global"
    ]
    own = next((each for each in ("name", f"{type_.rsplit('_', 1)[-1]}_id") if _is_settable(block, each)), "")
    parents = [
        name
        for name, each in sorted(attributes.items())
        if each.required
        and each.type == "string"
        and name not in _LOCATIONS
        and name != own
        and _PARENTS.match(name)
    ]
    parts += [f"{name.removesuffix('_id')}s/{{base:{name}}}" for name in parents]
    noun = type_.rsplit("_", 1)[-1] + "s"
    parts.append(f"{noun}/{{{own}}}" if own else f"{noun}/{{number:19}}")
    id_ = "/".join(parts)
    computed = {name: value for name, value in _GOOGLE_COMPUTED.items() if _is_computed(block, name)}
    if _is_computed(block, "self_link"):
        computed["self_link"] = "https://www.googleapis.com/{id}"
        if type_.startswith("google_compute_"):
            computed["self_link"] = "https://www.googleapis.com/compute/v1/{id}"
    if "name" in attributes and attributes["name"].is_read_only:
        computed["name"] = "{id}"
    elif _is_computed(block, "name"):
        computed["name"] = "tf-{hash:10}"
    return ResourceRule(
        id=id_,
        kind=_kind_of(type_),
        imports=_guess_imports(id_, own),
        replace=_settable(block, [*_FORCE_NEW, *parents, own]),
        planned={"deletion_policy": "DELETE"} if _is_computed(block, "deletion_policy") else {},
        computed=computed,
        updated={name: value for name, value in _GOOGLE_UPDATED.items() if _is_computed(block, name)},
    )


def _guess_imports(id_: str, own: str) -> tuple[str, ...]:
    """The whole path, the values alone, and without their project: what nearly all Google types accept."""
    names = names_in(id_)
    if not own:
        return (re.sub(r"\{number:\d+\}", "{name}", id_),)
    values = "/".join(f"{{{name}}}" for name in names)
    short = "/".join(f"{{{name}}}" for name in names if name != "project")
    return tuple(dict.fromkeys((id_.replace("{base:", "{"), values, short)))


def _is_settable(block: SchemaBlock, name: str) -> bool:
    return name in block.attributes and not block.attributes[name].is_read_only


def _is_computed(block: SchemaBlock, name: str) -> bool:
    return name in block.attributes and block.attributes[name].computed


def _iam_rule(resource: str, form: str, block: SchemaBlock) -> ResourceRule:
    """Access to a resource: its id is the resource's, the role, the member, the condition's title."""
    written = _document().get("iam", {}).get(resource, {})
    parents = [
        name
        for name, each in block.attributes.items()
        if not each.is_read_only and name not in ("id", "role", "member", "members", "policy_data", "service")
    ]
    own = [name for name in parents if name not in _LOCATIONS]
    guess = "/".join(
        f"{{{name}}}" for name in [*[p for p in _LOCATIONS if p in parents], *[f"base:{n}" for n in own]]
    )
    parent = str(written.get("id") or guess)
    last = {"member": "/{role}/{member}", "binding": "/{role}", "audit_config": "/audit_config/{service}"}
    return ResourceRule(
        id=parent + last.get(form, ""),
        kind=f"IAM {form} of {_kind_of(resource)}",
        imports=tuple(written.get("import") or (parent.replace("{base:", "{"),)),
        replace=frozenset({"*"}) if form == "member" else frozenset({*parents, "role", "condition"}),
        adopt=True,
        parent=own[0] if own else "",
        iam=form,
        computed={"etag": "{etag}"},
        updated={"etag": "{etag}"},
    )
