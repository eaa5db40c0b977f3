"""The needs of a project in its sandbox: buckets, accounts with their rights, and resource types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

ROLES = ("plan", "apply", "drift", "attest")
# The one account that all environments share.
SHARED = "attest"
BUILTIN = "terraform_"
PREFIX = "roles/storage."

# Role → (folder below the environment's own, what it may do there); the table of contracts, "Accounts".
RIGHTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "plan": (
        *((folder, "objectViewer") for folder in ("state/", "ledger/", "plans/", "drift/")),
        ("attestations/", "objectViewer"),
        ("promotion/", "objectViewer"),
        ("plans/", "objectCreator"),
    ),
    "apply": (("", "objectUser"),),
    "drift": (("state/", "objectViewer"), ("ledger/", "objectViewer"), ("drift/", "objectUser")),
    # It can write an attestation and read none, so that it can overwrite none either.
    "attest": (("plans/", "objectViewer"), ("attestations/", "objectCreator")),
}
# The rights of an environment's accounts in the folders of the previous environment in promotion order.
BEFORE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "plan": (("promotion/", "objectViewer"),),
    "apply": (("promotion/", "objectViewer"),),
}


@dataclass(frozen=True, order=True)
class Account:
    """One account of an environment, with the bucket that it works in.

    `folder` is the environment's folder there, by default its name, and `before` that of the environment
    before it in promotion order, as far as it is in the same bucket. `marker` is the object that says whose
    memory it is.
    """

    environment: str
    role: str
    bucket: str
    email: str = ""
    before: str = ""
    folder: str = ""
    marker: str = "repository.json"

    @property
    def name(self) -> str:
        """How the command line names it: `dev:plan`; `attest`, which is the same in each environment."""
        return self.role if self.role == SHARED else f"{self.environment}:{self.role}"

    @property
    def member(self) -> str:
        """How an IAM policy names it."""
        name = self.name.replace(":", "-")
        return f"serviceAccount:{self.email or f'{name}@sandbox.iam.gserviceaccount.com'}"

    def rights(self) -> tuple[tuple[str, str], ...]:
        """(managed folder, IAM role), for each folder of the bucket that it may use."""
        top = self.folder or self.environment
        own = ((f"{top}/{folder}", PREFIX + right) for folder, right in RIGHTS[self.role])
        before = BEFORE.get(self.role, ()) if self.before else ()
        return (*own, *((f"{self.before}/{folder}", PREFIX + right) for folder, right in before))

    def marker_rights(self) -> tuple[str, ...]:
        """The IAM roles that it has for the marker alone."""
        creates = (f"{PREFIX}objectCreator",) if self.role == "apply" else ()
        return (f"{PREFIX}objectViewer", *creates)


@dataclass(frozen=True)
class ResourceTypes:
    """Resource and data source types, of whichever provider."""

    resources: frozenset[str] = frozenset()
    data_sources: frozenset[str] = frozenset()

    def __or__(self, other: ResourceTypes) -> ResourceTypes:
        return ResourceTypes(self.resources | other.resources, self.data_sources | other.data_sources)

    def without_builtin(self) -> ResourceTypes:
        """Without `terraform_data` and `terraform_remote_state`, which are Terraform's own."""
        return ResourceTypes(
            frozenset(name for name in self.resources if not name.startswith(BUILTIN)),
            frozenset(name for name in self.data_sources if not name.startswith(BUILTIN)),
        )


@dataclass(frozen=True)
class Needs:
    """What must exist before a project's Terraform runs. Preparing it only adds.

    `providers` are the sources of the providers in use, such as `registry.terraform.io/hashicorp/google`.
    """

    buckets: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()
    providers: tuple[str, ...] = ()
    types: ResourceTypes = ResourceTypes()

    def document(self) -> dict[str, Any]:
        """The needs as they travel to the sandbox's process."""
        return {
            "buckets": list(self.buckets),
            "accounts": [asdict(account) for account in self.accounts],
            "providers": list(self.providers),
            "resources": sorted(self.types.resources),
            "data_sources": sorted(self.types.data_sources),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The needs that `document()` made."""
        return cls(
            buckets=tuple(document["buckets"]),
            accounts=tuple(Account(**account) for account in document["accounts"]),
            providers=tuple(document["providers"]),
            types=ResourceTypes(frozenset(document["resources"]), frozenset(document["data_sources"])),
        )


def types_in_state(data: bytes) -> ResourceTypes:
    """The types that a state file (format 4) holds; none when it is not one."""
    resources = _resources(data)
    return ResourceTypes(
        frozenset(str(resource.get("type")) for resource in resources if resource.get("mode") == "managed"),
        frozenset(str(resource.get("type")) for resource in resources if resource.get("mode") == "data"),
    ).without_builtin()


def resources_in_state(data: bytes) -> int:
    """How many managed resource instances a state file holds."""
    return sum(
        len(resource.get("instances", ()))
        for resource in _resources(data)
        if resource.get("mode") == "managed"
    )


def _resources(data: bytes) -> list[dict[str, Any]]:
    try:
        return [resource for resource in json.loads(data)["resources"] if isinstance(resource, dict)]
    except (ValueError, KeyError, TypeError):
        return []
