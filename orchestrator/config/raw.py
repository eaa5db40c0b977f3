"""infra.yaml as pydantic sees it: types, limits and the words of the JSON Schema. Used while loading only."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from orchestrator.config.fields import (
    Account,
    Duration,
    EnvironmentName,
    ExactVersion,
    Expression,
    Host,
    Inside,
    MirrorFolder,
    MirrorUrl,
    Reason,
    StackId,
    StateUrl,
    Template,
    Text,
    Timeout,
    Variable,
    Workspace,
    inside,
    or_empty,
)
from orchestrator.config.model import DEFAULT_WORKSPACE
from orchestrator.config.raw_checks import RawCheck
from orchestrator.config.raw_drift import RawDrift
from orchestrator.config.raw_rules import RawGuard, RawPolicy
from orchestrator.config.section import Section


class RawRoots(Section):
    """Where modules and environments lie, from the repository's root."""

    modules: Inside = "infra/modules"
    """Folder of the modules."""
    envs: Inside = "infra/envs"
    """Folder of the environments; each folder in it is one."""

    @model_validator(mode="after")
    def _apart(self) -> RawRoots:
        modules, envs = PurePosixPath(self.modules), PurePosixPath(self.envs)
        if modules == envs or modules in envs.parents or envs in modules.parents:
            raise ValueError("modules and envs must be two folders, neither inside the other")
        return self


class RawProviderInstallation(Section):
    """From where Terraform installs providers in CI. Read from trunk, never from the branch under review."""

    filesystem_mirror: tuple[MirrorFolder, ...] = Field((), examples=[["/opt/terraform/providers"]])
    """Absolute paths of folders outside the repository."""
    network_mirror: tuple[MirrorUrl, ...] = Field((), examples=[["https://mirror.example.com/providers/"]])
    """Addresses of network mirrors."""
    direct: bool | None = None
    """Whether the registries are asked as well. Default: true where no mirror is given."""

    @model_validator(mode="after")
    def _from_somewhere(self) -> RawProviderInstallation:
        if self.direct is False and not (self.filesystem_mirror or self.network_mirror):
            raise ValueError("`direct: false` needs a filesystem_mirror or a network_mirror")
        return self


class RawTerraform(Section):
    """Which Terraform runs, and from where it takes providers in CI."""

    binary: Text | None = Field(None, examples=["terraform", "tofu"])
    """A name on PATH or a path. Without it: terraform, tofu, then the embedded one."""
    version: Text | None = Field(None, examples=[">= 1.11", "~> 1.11.4"])
    """A constraint in Terraform's grammar; a binary that does not fit is an error."""
    binaries: dict[ExactVersion, Text] = Field({}, examples=[{"1.9.8": "/opt/terraform/1.9.8/terraform"}])
    """Further programs by their version: a stack that asks for that version gets it."""
    provider_installation: RawProviderInstallation = RawProviderInstallation()
    """From where providers are installed in CI. Default: from their registries only."""
    cli_config: Literal["infra", "environment"] = "infra"
    """Whose CLI configuration Terraform gets in CI: one that infra writes, or the file that
    TF_CLI_CONFIG_FILE names, if it lies outside the repository. Read from trunk."""
    credentials: tuple[Host, ...] = Field((), examples=[["app.terraform.io"]])
    """Hosts to which Terraform may send a TF_TOKEN_* variable of a CI job. Read from trunk."""


class RawGcs(Section):
    """States in Google Cloud Storage."""

    bucket: Template = Field(examples=["acme-terraform-state"])
    """The bucket's name; may hold {environment}."""
    prefix: Template = "{environment}/state/{stack}"
    """The state's folder in the bucket; {stack} is the name below the environment."""


class RawLocal(Section):
    """States on disk."""

    path: Annotated[Template, BeforeValidator(inside)] = Field(
        examples=[".states/{environment}/{stack}.tfstate"]
    )
    """The state's file, from the repository's root, with {environment} and {stack}."""


class RawBackend(Section):
    """Passed to stacks that declare an empty backend block; one that names its own is left alone."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["gcs"]}, {"required": ["local"]}]},
    )

    gcs: RawGcs | None = None
    """For stacks with `backend "gcs" {}`."""
    local: RawLocal | None = None
    """For stacks with `backend "local" {}`."""

    @model_validator(mode="after")
    def _one(self) -> RawBackend:
        if (self.gcs is None) == (self.local is None):
            raise ValueError("must hold one of gcs and local")
        return self


class RawAccounts(Section):
    """Service accounts of an environment, one a duty, by e-mail address."""

    plan: Account | None = None
    """Reads the world and the state."""
    apply: Account | None = None
    """Changes the world."""
    drift: Account | None = None
    """Reads the world at night."""


class RawSharedAccounts(Section):
    """Service accounts that all environments share, by e-mail address."""

    attest: Account | None = None
    """Attests which plans of a pull request count: creates in ENV/attestations/, reads ENV/plans/."""


class RawTimeouts(Section):
    """How long a command may take."""

    plan: Timeout = Field(1200.0, examples=["20m"])
    """A plan, reading the world included."""
    apply: Timeout = Field(7200.0, examples=["2h"])
    """An apply or a destroy."""
    unlock: Timeout = Field(60.0, examples=["1m"])
    """Releasing the state's lock at the end."""


class RawApprovalIgnore(Section):
    """An attribute whose value may differ from the approved one, and why."""

    address: Text = Field(examples=["google_storage_bucket_object.stamp"])
    """The resource's address; without an instance key it means all its instances."""
    attribute: Text = Field(examples=["content"])
    """The attribute's path; what lies below it is meant too."""
    reason: Reason = Field(examples=["The time of the plan."])
    """Why its value does not matter."""


class RawEnvironment(Section):
    """One environment. The order of the environments is the promotion order."""

    protected: bool | None = None
    """Wants an approved plan in CI and its name typed locally. Default: true for the last environment."""
    apply: Literal["anywhere", "ci"] = "anywhere"
    """Where it may be applied from."""
    approval: Literal["strict", "upstream", "actions"] = "upstream"
    """How closely an apply must match what was approved when an upstream changed too."""
    approved_by: Literal["review", "merge", "codeowners"] = "review"
    """What approves a plan: an approving review, the merge, or a review by the owners of what changed."""
    approval_ignores: tuple[RawApprovalIgnore, ...] = Field(
        (),
        examples=[
            [
                {
                    "address": "google_storage_bucket_object.stamp",
                    "attribute": "content",
                    "reason": "The time of the plan.",
                }
            ]
        ],
    )
    """Attributes whose values may differ from what was approved: those that are new in every plan."""
    unapproved: Literal["gate", "refuse", "apply"] = "gate"
    """What happens to a change that nobody approved."""
    accounts: RawAccounts = RawAccounts()
    """Service accounts that CI uses."""
    var_files: tuple[Inside, ...] = Field((), examples=[["infra/envs/common.tfvars"]])
    """Variable files for all its stacks, from the repository's root."""
    env: tuple[Variable, ...] = Field((), examples=[["TF_VAR_image"]])
    """Names of environment variables that its stacks may see; never values."""
    timeouts: RawTimeouts = RawTimeouts()
    """How long commands may take."""
    parallelism: Annotated[int, Field(ge=1, le=256)] | None = None
    """How many of its stacks run at once."""
    checks: tuple[RawCheck, ...] = ()
    """What must hold after an apply before the next environment is promoted."""
    soak: Duration = Field(0.0, examples=["30m"])
    """How long it must stay healthy before the next environment is promoted."""


class RawSharedEnvironment(Section):
    """One environment of a root that serves several."""

    var_files: tuple[Inside, ...] = ()
    """Variable files for this environment, from the repository's root."""
    workspace: Workspace = Field(DEFAULT_WORKSPACE, examples=["dev"])
    """The Terraform workspace that this environment's state is in."""
    moved_from: StateUrl | None = Field(None, examples=["gs://acme-old-state/dev/service"])
    """Where this environment's state was before its backend changed: the next apply copies it from there."""


class RawStack(Section):
    """One stack by its id (prod/network), or with `path` one root that serves several environments."""

    depends_on: tuple[StackId, ...] = Field((), examples=[["prod/network"]])
    """Stacks that are applied before it although its code does not read them."""
    reads: tuple[Inside, ...] = Field((), examples=[["infra/files"]])
    """Files and folders that its code reads by a path that cannot be told from the code."""
    moved: StackId | None = Field(None, examples=["prod/net"])
    """The id that the stack had before."""
    moved_from: StateUrl | None = Field(None, examples=["gs://acme-old-state/prod/network"])
    """Where the state was before its backend changed: the next apply copies it from there."""
    path: Inside | None = Field(None, examples=["infra/roots/service"])
    """The folder of a root that serves several environments."""
    environments: dict[Text, RawSharedEnvironment] | None = None
    """The environments that a shared root serves."""

    @model_validator(mode="after")
    def _shared_or_not(self) -> RawStack:
        if self.path is not None and not self.environments:
            raise ValueError("a stack with `path` must name the `environments` that it serves")
        if self.path is None and self.environments is not None:
            raise ValueError("`environments` needs `path`, the root that they share")
        if self.path is not None and self.moved is not None:
            raise ValueError("`moved` belongs to one stack; a shared root has several")
        if self.path is not None and self.moved_from is not None:
            raise ValueError("`moved_from` of a shared root belongs below `environments`, one for each")
        return self


class RawIgnore(Section):
    """Findings that are accepted, and why."""

    rule: Text = Field(examples=["basic-role"])
    """The finding's rule, as `infra lint` prints it in brackets; may be a glob."""
    path: Text = Field("**", examples=["infra/modules/github-identity/**"])
    """A glob over files from the repository's root."""
    reason: Reason = Field(examples=["Plan accounts read, and viewer is what reads."])
    """Why it is right as it is."""


class RawLint(Section):
    """Settings of `infra lint`."""

    ignore: tuple[RawIgnore, ...] = Field(
        (), examples=[[{"rule": "basic-role", "path": "infra/modules/**", "reason": "Plans read."}]]
    )
    """Findings that are accepted."""


class RawMasking(Section):
    """What is hidden beyond sensitive values, the built-in names and the built-in shapes."""

    names: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")], ...] = Field((), examples=[["pin"]])
    """Words: an attribute whose name holds one is secret."""
    attributes: tuple[Text, ...] = Field((), examples=[["google_sql_user.*.password", "*.bootstrap_data"]])
    """Globs over ADDRESS.ATTRIBUTE."""
    patterns: tuple[Expression, ...] = Field((), examples=[["ACME-[0-9A-F]{16}"]])
    """Regular expressions: text that matches is hidden wherever it appears."""


class RawConfig(Section):
    """Settings of a repository that `infra` takes care of. Every key is optional."""

    version: Literal[1] = 1
    """Version of this file's format."""
    trunk: Text | None = Field(None, examples=["main"])
    """The branch everything merges to. Without it: origin/HEAD, main, master."""
    roots: RawRoots = RawRoots()
    """Where modules and environments lie."""
    exclude: tuple[Text, ...] = Field((), examples=[["**/_template", "infra/envs/*/archive"]])
    """Globs over folders that are no stacks, nor is what lies in them. `*` stays between slashes, `**` does
    not."""
    terraform: RawTerraform = RawTerraform()
    """Which Terraform runs."""
    backend: RawBackend | None = None
    """Backend settings for stacks that leave them open."""
    lock_files: Literal["optional", "required"] = "optional"
    """Whether a stack without .terraform.lock.hcl is an error or a warning."""
    accounts: RawSharedAccounts = RawSharedAccounts()
    """Service accounts that CI uses for all environments."""
    environments: Annotated[dict[EnvironmentName, RawEnvironment], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"dev": {}, "staging": {}, "prod": {"protected": True, "apply": "ci"}}]
    )
    """Environments in promotion order."""
    stacks: Annotated[dict[StackId, RawStack], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"prod/service": {"depends_on": ["prod/network"]}}]
    )
    """Stacks that need settings of their own."""
    policy: RawPolicy = RawPolicy()
    """Rules about what a plan may do."""
    guard: RawGuard = RawGuard()
    """Rules about what code may hold before Terraform touches it."""
    drift: RawDrift = RawDrift()
    """How drift is watched and put right."""
    lint: RawLint = RawLint()
    """What `infra lint` does not complain about."""
    masking: RawMasking = RawMasking()
    """What else is hidden."""
