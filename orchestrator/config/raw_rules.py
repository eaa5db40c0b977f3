"""The sections `policy` and `guard` as pydantic sees them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.config.fields import EnvironmentName, Inside, Reason, Text, or_empty
from orchestrator.config.rules import (
    Allowed,
    DestroyLevel,
    Engine,
    Guard,
    Limits,
    LocalGuard,
    LockFileChanges,
    Policy,
    Prevented,
    Protected,
    Rego,
    RequiredLabels,
)
from orchestrator.config.section import Section

Globs = tuple[Text, ...]
Limit = Annotated[int, Field(ge=0, le=100_000)] | None
Package = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]


def _off(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


class RawProtected(Section):
    """Resources that no plan may delete or replace: at least one of `address` and `type`."""

    address: Text | None = Field(None, examples=["module.database.*"])
    """A glob over addresses; `*` stands for anything."""
    type: Text | None = Field(None, examples=["google_sql_*"])
    """A glob over resource types."""
    environments: Globs = Field(("*",), examples=[["prod"]])
    """Globs over environments."""
    reason: Reason = Field(examples=["The customers' data."])
    """Why it must stay."""

    @model_validator(mode="after")
    def _one(self) -> RawProtected:
        if self.address is None and self.type is None:
            raise ValueError("must hold `address`, `type` or both")
        return self


class RawLimits(Section):
    """How much one change may touch in one environment. Default: as much as it wants."""

    stacks: Limit = Field(None, examples=[20])
    """Stacks that change."""
    resources: Limit = Field(None, examples=[200])
    """Resources that are created, changed, replaced, deleted or forgotten."""
    deletes: Limit = Field(None, examples=[10])
    """Resources that are deleted or replaced."""


class RawRequiredLabels(Section):
    """Labels (tags) that everything must have which can have some."""

    required: tuple[Text, ...] = Field((), examples=[["team", "cost-center"]])
    """Their keys."""
    types: Globs = Field(("*",), examples=[["google_storage_bucket", "google_sql_*"]])
    """Globs over resource types."""
    environments: Globs = ("*",)
    """Globs over environments."""


class RawRego(Section):
    """Rules in Rego on Terraform's plan JSON, in conftest's conventions: `deny`, `violation`, `warn`."""

    folder: Inside = "policies"
    """Folder of the `.rego` files, as trunk has it."""
    engine: Engine = "regopy"
    """What evaluates them: the Python package regopy, or the program opa or conftest on PATH."""
    namespaces: Annotated[tuple[Package, ...], Field(min_length=1)] = ("main",)
    """Packages whose rules count."""


class RawPolicy(Section):
    """What a plan may do. These rules are read from trunk, never from the branch under review."""

    destroy: Annotated[dict[EnvironmentName, DestroyLevel], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"dev": "allow", "prod": "prevent"}]
    )
    """By environment, what it takes to delete or replace. Default: label if protected, else warn."""
    label: Text = "allow-destroy"
    """The label on a pull request that allows to delete or replace."""
    protect: tuple[RawProtected, ...] = ()
    """Resources that no plan may delete or replace."""
    limits: RawLimits = RawLimits()
    """How much one change may touch in one environment."""
    labels: RawRequiredLabels = RawRequiredLabels()
    """Labels (tags) that everything must have."""
    deleted_stacks: Literal["report", "destroy"] = "report"
    """Whether a stack that a pull request deletes is only reported, or destroyed on merge."""
    rego: RawRego = RawRego()
    """Rules in Rego."""

    def policy(self) -> Policy:
        """The section in the program's own types."""
        return Policy(
            destroy=dict(self.destroy),
            label=self.label,
            protect=tuple(Protected(p.address, p.type, p.environments, p.reason) for p in self.protect),
            limits=Limits(self.limits.stacks, self.limits.resources, self.limits.deletes),
            labels=RequiredLabels(self.labels.required, self.labels.types, self.labels.environments),
            deleted_stacks=self.deleted_stacks,
            rego=Rego(self.rego.folder, self.rego.engine, self.rego.namespaces),
        )


class RawAllowed(Section):
    """Findings of the guard that are accepted, and why."""

    rule: Text = Field(examples=["provisioner"])
    """The finding's rule, as `infra guard` prints it in brackets; may be a glob."""
    path: Text = Field("**", examples=["infra/modules/legacy/**"])
    """A glob over files from the repository's root."""
    reason: Reason = Field(examples=["Reviewed by the platform team; goes with the old cluster."])
    """Why it is right as it is."""


class RawGuard(Section):
    """What code may hold before Terraform touches it. Read from trunk, never from the branch under review."""

    providers: Globs = Field(Guard.providers, examples=[["hashicorp/google", "example.com/acme/*"]])
    """Globs over provider sources, `NAMESPACE/TYPE` or with a registry before it."""
    modules: Globs = Field((), examples=[["terraform-google-modules/*/google"]])
    """Globs over module sources from elsewhere."""
    backends: Globs | None = Field(None, examples=[["gcs"]])
    """Globs over kinds of backends. Default: those of infra.yaml and of the stacks on trunk."""
    buckets: Globs | None = Field(None, examples=[["acme-*-state"]])
    """Globs over state buckets. Default: those of infra.yaml and of the stacks on trunk."""
    allow: tuple[RawAllowed, ...] = ()
    """Findings that are accepted."""
    prevent: tuple[Prevented, ...] = Field((), examples=[["workflows", "policies"]])
    """What no pull request may change: an error there instead of a warning."""
    local: Annotated[LocalGuard, BeforeValidator(_off)] = "warn"
    """What `infra plan` does on a laptop with findings in what differs from trunk: warn, refuse, or off."""
    lock_file_changes: LockFileChanges = "allow"
    """Another version of a listed provider in a lock file: allow, only with an owner's approval, or refuse.

    Where providers come from a mirror, `allow` means `owners`.
    """

    def guard(self) -> Guard:
        """The section in the program's own types."""
        return Guard(
            providers=self.providers,
            modules=self.modules,
            backends=self.backends,
            buckets=self.buckets,
            allow=tuple(Allowed(one.rule, one.path, one.reason) for one in self.allow),
            prevent=self.prevent,
            local=self.local,
            lock_file_changes=self.lock_file_changes,
        )
