"""The sections `policy` and `guard`: rules for plans, and for code before Terraform loads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from orchestrator.config.section import ConfigSection

if TYPE_CHECKING:
    from pydantic import Field

    from orchestrator.config.fields import (
        Amount,
        EnvironmentName,
        FieldEmpty,
        Globs,
        InsideText,
        Limit,
        Off,
        Package,
        Reason,
        Text,
    )

DestroyLevel = Literal["allow", "warn", "label", "prevent"]
Engine = Literal["regopy", "opa", "conftest"]
Prevented = Literal["config", "workflows", "policies", "codeowners"]
LocalGuard = Literal["warn", "refuse", "off"]
LockFileChanges = Literal["allow", "owners", "refuse"]


@dataclass(frozen=True)
class Protected(ConfigSection):
    """Resources that no plan may delete or replace: at least one of `address` and `type`."""

    address: Annotated[Text | None, Field(examples=["module.database.*"])] = None
    """A glob over addresses; `*` stands for anything."""
    type: Annotated[Text | None, Field(examples=["google_sql_*"])] = None
    """A glob over resource types."""
    environments: Annotated[Globs, Field(examples=[["prod"]])] = ("*",)
    """Globs over environments."""
    reason: Annotated[Reason, Field(examples=["The customers' data."])] = field(kw_only=True)
    """Why it must stay."""

    def __post_init__(self) -> None:
        if self.address is None and self.type is None:
            raise ValueError("must hold `address`, `type` or both")


@dataclass(frozen=True)
class PolicyLimits(ConfigSection):
    """How much one change may touch in one environment. Default: as much as it wants."""

    stacks: Annotated[Limit, Field(examples=[20])] = None
    """Stacks that change."""
    resources: Annotated[Limit, Field(examples=[200])] = None
    """Resources that are created, changed, replaced, deleted or forgotten."""
    deletes: Annotated[Limit, Field(examples=[10])] = None
    """Resources that are deleted or replaced."""
    cost: Annotated[Amount, Field(examples=[500])] = None
    """What it adds to the monthly cost, in the currency of the estimates; needs `cost: infracost`."""


@dataclass(frozen=True)
class RequiredLabels(ConfigSection):
    """Labels (tags) that everything must have which can have some."""

    required: Annotated[tuple[Text, ...], Field(examples=[["team", "cost-center"]])] = ()
    """Their keys."""
    types: Annotated[Globs, Field(examples=[["google_storage_bucket", "google_sql_*"]])] = ("*",)
    """Globs over resource types."""
    environments: Globs = ("*",)
    """Globs over environments."""


@dataclass(frozen=True)
class Rego(ConfigSection):
    """Rules in Rego on Terraform's plan JSON, in conftest's conventions: `deny`, `violation`, `warn`."""

    folder: InsideText = "policies"
    """Folder of the `.rego` files, as trunk has it."""
    engine: Engine = "regopy"
    """What evaluates them: the Python package regopy, or the program opa or conftest on PATH."""
    namespaces: Annotated[tuple[Package, ...], Field(min_length=1)] = ("main",)
    """Packages whose rules count."""


@dataclass(frozen=True)
class Policy(ConfigSection):
    """What a plan may do. These rules are read from trunk, never from the branch under review."""

    destroy: Annotated[
        Mapping[EnvironmentName, DestroyLevel],
        FieldEmpty,
        Field(examples=[{"dev": "allow", "prod": "prevent"}]),
    ] = field(default_factory=dict)
    """By environment, what it takes to delete or replace. Default: label if protected, else warn."""
    label: Text = "allow-destroy"
    """The label on a pull request that allows to delete or replace."""
    protect: tuple[Protected, ...] = ()
    """Resources that no plan may delete or replace."""
    limits: PolicyLimits = PolicyLimits()
    """How much one change may touch in one environment."""
    labels: RequiredLabels = RequiredLabels()
    """Labels (tags) that everything must have."""
    deleted_stacks: Literal["report", "destroy"] = "report"
    """Whether a stack that a pull request deletes is only reported, or destroyed on merge."""
    rego: Rego = Rego()
    """Rules in Rego."""

    @property
    def is_limited(self) -> bool:
        """Whether anything limits how much one change may touch."""
        return self.limits != PolicyLimits()

    def destroy_level(self, environment: str, *, protected: bool) -> DestroyLevel:
        """What a plan that deletes or replaces needs: by default the label where it is protected."""
        return self.destroy.get(environment, "label" if protected else "warn")


@dataclass(frozen=True)
class AcceptedFinding(ConfigSection):
    """Findings of the guard that are accepted, and why."""

    rule: Annotated[Text, Field(examples=["provisioner"])]
    """The finding's rule, as `infra guard` prints it in brackets; may be a glob."""
    path: Annotated[Text, Field(examples=["infra/modules/legacy/**"])] = "**"
    """A glob over files from the repository's root."""
    reason: Annotated[
        Reason, Field(examples=["Reviewed by the platform team; goes with the old cluster."])
    ] = field(kw_only=True)
    """Why it is right as it is."""


@dataclass(frozen=True)
class Guard(ConfigSection):
    """What code may hold before Terraform touches it. Read from trunk, never from the branch under review."""

    providers: Annotated[Globs, Field(examples=[["hashicorp/google", "example.com/acme/*"]])] = (
        "hashicorp/google",
        "hashicorp/google-beta",
        "hashicorp/random",
        "hashicorp/time",
    )
    """Globs over provider sources, `NAMESPACE/TYPE` or with a registry before it."""
    modules: Annotated[Globs, Field(examples=[["terraform-google-modules/*/google"]])] = ()
    """Globs over module sources from elsewhere."""
    backends: Annotated[Globs | None, Field(examples=[["gcs"]])] = None
    """Globs over kinds of backends. Default: those of infra.yaml and of the stacks on trunk."""
    buckets: Annotated[Globs | None, Field(examples=[["acme-*-state"]])] = None
    """Globs over state buckets. Default: those of infra.yaml and of the stacks on trunk."""
    allow: tuple[AcceptedFinding, ...] = ()
    """Findings that are accepted."""
    prevent: Annotated[tuple[Prevented, ...], Field(examples=[["workflows", "policies"]])] = ()
    """What no pull request may change: an error there instead of a warning."""
    local: Annotated[LocalGuard, Off] = "warn"
    """What `infra plan` does on a laptop with findings in what differs from trunk: warn, refuse, or off."""
    lock_file_changes: LockFileChanges = "allow"
    """Another version of a listed provider in a lock file: allow, only with an owner's approval, or refuse.

    Where providers come from a mirror, `allow` means `owners`.
    """
