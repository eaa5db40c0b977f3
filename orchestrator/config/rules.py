"""The rules of a project: what a plan may do, and what code may hold before Terraform touches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DestroyLevel = Literal["allow", "warn", "label", "prevent"]
Engine = Literal["regopy", "opa", "conftest"]
Prevented = Literal["config", "workflows", "policies", "codeowners"]
LocalGuard = Literal["warn", "refuse", "off"]
LockFileChanges = Literal["allow", "owners", "refuse"]


@dataclass(frozen=True)
class Protected:
    """Resources that no plan may delete or replace.

    `address` and `type` are globs, of which at least one is given; `environments` are globs over names.
    """

    address: str | None
    type: str | None
    environments: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Limits:
    """How much one change may touch in one environment; None: as much as it wants.

    `resources` counts what is created, changed, replaced, deleted or forgotten, `deletes` what is deleted or
    replaced.
    """

    stacks: int | None = None
    resources: int | None = None
    deletes: int | None = None


@dataclass(frozen=True)
class RequiredLabels:
    """Labels (tags) that everything must have which can have some. `types` and `environments` are globs."""

    required: tuple[str, ...] = ()
    types: tuple[str, ...] = ("*",)
    environments: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Rego:
    """Rules in Rego: the folder they lie in, what evaluates them, and the packages that hold rules."""

    folder: str = "policies"
    engine: Engine = "regopy"
    namespaces: tuple[str, ...] = ("main",)


@dataclass(frozen=True)
class Policy:
    """What a plan may do. `destroy` holds the environments for which a level is given."""

    destroy: Mapping[str, DestroyLevel] = field(default_factory=dict)
    label: str = "allow-destroy"
    protect: tuple[Protected, ...] = ()
    limits: Limits = Limits()
    labels: RequiredLabels = RequiredLabels()
    deleted_stacks: Literal["report", "destroy"] = "report"
    rego: Rego = Rego()

    def destroy_level(self, environment: str, *, protected: bool) -> DestroyLevel:
        """What a plan that deletes or replaces needs: by default the label where it is protected."""
        return self.destroy.get(environment, "label" if protected else "warn")


@dataclass(frozen=True)
class Allowed:
    """Findings of the guard that are accepted: `rule` and `path` are globs, `reason` says why."""

    rule: str
    path: str
    reason: str


@dataclass(frozen=True)
class Guard:
    """What code may hold. All lists are globs.

    `providers` are source addresses, `modules` sources from elsewhere. `backends` and `buckets` are None when
    not given: then those count that infra.yaml and the stacks of trunk have. `prevent` names what may not
    change in a pull request at all. `local` is what `infra plan` does with findings outside CI.
    `lock_file_changes` says whether a listed provider may get another version: always, with an owner's
    approval of the lock file, or never.
    """

    providers: tuple[str, ...] = (
        "hashicorp/google",
        "hashicorp/google-beta",
        "hashicorp/random",
        "hashicorp/time",
    )
    modules: tuple[str, ...] = ()
    backends: tuple[str, ...] | None = None
    buckets: tuple[str, ...] | None = None
    allow: tuple[Allowed, ...] = ()
    prevent: tuple[Prevented, ...] = ()
    local: LocalGuard = "warn"
    lock_file_changes: LockFileChanges = "allow"
