"""What a project needs of its sandbox: buckets, accounts with their rights, and resource types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

ROLES = ("plan", "apply", "drift")
# `provider["registry.terraform.io/hashicorp/google"].alias`, in a module with its path before it.
_PROVIDER = re.compile(r'provider\["([^"]+)"\]')
# Terraform itself: `terraform_data` and `terraform_remote_state` are not simulated.
BUILTIN = "terraform.io/builtin/"
PREFIX = "roles/storage."

# Role → (folder below the environment's own, what it may do there); the table of contracts, "Accounts".
RIGHTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "plan": (("state/", "objectViewer"), ("ledger/", "objectViewer"), ("plans/", "objectCreator")),
    "apply": (("", "objectUser"),),
    "drift": (("state/", "objectViewer"), ("ledger/", "objectViewer"), ("drift/", "objectUser")),
}


@dataclass(frozen=True, order=True)
class Account:
    """One account of an environment, with the bucket that it works in."""

    environment: str
    role: str
    bucket: str
    email: str = ""

    @property
    def name(self) -> str:
        """How the command line names it: `dev:plan`."""
        return f"{self.environment}:{self.role}"

    @property
    def member(self) -> str:
        """How an IAM policy names it."""
        email = self.email or f"{self.environment}-{self.role}@sandbox.iam.gserviceaccount.com"
        return f"serviceAccount:{email}"

    def rights(self) -> tuple[tuple[str, str], ...]:
        """(managed folder, IAM role), for each folder of the bucket that it may use."""
        return tuple((f"{self.environment}/{folder}", PREFIX + right) for folder, right in RIGHTS[self.role])


@dataclass(frozen=True)
class Types:
    """The resource and data source types of one provider."""

    resources: frozenset[str] = frozenset()
    data_sources: frozenset[str] = frozenset()

    def __or__(self, other: Types) -> Types:
        return Types(self.resources | other.resources, self.data_sources | other.data_sources)


@dataclass(frozen=True)
class Needs:
    """What has to be there before a project's Terraform runs. It only ever adds to what is there.

    `types` is keyed by the provider's source, `registry.terraform.io/hashicorp/google`.
    """

    buckets: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    types: Mapping[str, Types] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The needs as they travel to the sandbox's process."""
        return {
            "buckets": list(self.buckets),
            "accounts": [
                {"environment": one.environment, "role": one.role, "bucket": one.bucket, "email": one.email}
                for one in self.accounts
            ],
            "types": {
                source: {"resources": sorted(one.resources), "data_sources": sorted(one.data_sources)}
                for source, one in sorted(self.types.items())
            },
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The needs that `document()` made."""
        return cls(
            buckets=tuple(document["buckets"]),
            accounts=tuple(Account(**one) for one in document["accounts"]),
            types={
                source: Types(frozenset(one["resources"]), frozenset(one["data_sources"]))
                for source, one in document["types"].items()
            },
        )


def merged(parts: Iterable[Mapping[str, Types]]) -> dict[str, Types]:
    """The union of several maps of types."""
    union: dict[str, Types] = {}
    for part in parts:
        for source, types in part.items():
            union[source] = union.get(source, Types()) | types
    return union


def types_in_state(data: bytes) -> dict[str, Types]:
    """The types that a state file (format 4) holds, by provider; nothing when it is not one."""
    return merged(_types_of(resource) for resource in _resources(data))


def resources_in_state(data: bytes) -> int:
    """How many managed resource instances a state file holds."""
    return sum(len(one.get("instances", ())) for one in _resources(data) if one.get("mode") == "managed")


def _resources(data: bytes) -> list[dict[str, Any]]:
    try:
        return [one for one in json.loads(data)["resources"] if isinstance(one, dict)]
    except (ValueError, KeyError, TypeError):
        return []


def _types_of(resource: Mapping[str, Any]) -> dict[str, Types]:
    found = _PROVIDER.search(str(resource.get("provider", "")))
    if found is None or found[1].startswith(BUILTIN):
        return {}
    name = frozenset([str(resource.get("type", ""))])
    is_data = resource.get("mode") == "data"
    return {found[1]: Types(data_sources=name) if is_data else Types(resources=name)}
