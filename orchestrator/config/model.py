"""The sections of infra.yaml: valid, complete and frozen. See `config.section` for what reads them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from orchestrator.config.catalog import CatalogSource
from orchestrator.config.drift import Drift
from orchestrator.config.hooks import EVENTS, NO_HOOKS, HookOwner
from orchestrator.config.notify import DRIFT_EVENTS, NotifyChannel
from orchestrator.config.rules import Guard, Policy
from orchestrator.config.section import ConfigSection
from orchestrator.config.stack_pattern import StackPattern, is_pattern

if TYPE_CHECKING:
    from pydantic import Field

    from orchestrator.config.fields import (
        Account,
        BucketTemplate,
        Duration,
        ExactVersion,
        Expression,
        FieldEmpty,
        Folder,
        Host,
        Inside,
        LocalPath,
        MaskedName,
        MirrorFolder,
        MirrorUrl,
        Prefix,
        Reason,
        Source,
        StackId,
        StateUrl,
        Template,
        Text,
        Timeout,
        Variable,
        Warm,
        Workspace,
    )
    from orchestrator.config.raw import BackendSettings, CheckSettings, HookSettings, RealProvider

# How the names of variables with Terraform's tokens begin.
TOKENS = "TF_TOKEN_"

# Promotion order of the names that need no configuration.
WELL_KNOWN = ("dev", "development", "test", "qa", "staging", "stage", "preprod", "prod", "production")

MODULES = PurePosixPath("infra/modules")
ENVS = PurePosixPath("infra/envs")

# The workspace that every Terraform has.
DEFAULT_WORKSPACE = "default"

MINUTE = 60.0
HOUR = 60 * MINUTE


@dataclass(frozen=True)
class Roots(ConfigSection):
    """Where modules and environments lie, from the repository's root."""

    modules: Inside = MODULES
    """Folder of the modules."""
    envs: Inside = ENVS
    """Folder of the environments; each folder in it is one."""

    def __post_init__(self) -> None:
        if self.modules == self.envs or self.modules in self.envs.parents:
            raise ValueError("modules and envs must be two folders, and envs not inside modules")


@dataclass(frozen=True)
class ProviderInstallation(ConfigSection):
    """From where Terraform installs providers in CI. Read from trunk, never from the branch under review."""

    filesystem_mirror: Annotated[
        tuple[MirrorFolder, ...], Field(examples=[["/opt/terraform/providers"]])
    ] = ()
    """Absolute paths of folders outside the repository."""
    network_mirror: Annotated[
        tuple[MirrorUrl, ...], Field(examples=[["https://mirror.example.com/providers/"]])
    ] = ()
    """Addresses of network mirrors."""
    direct: bool | None = None
    """Whether the registries are asked as well. Default: true where no mirror is given."""

    def __post_init__(self) -> None:
        if self.direct is False and not self.has_mirrors:
            raise ValueError("`direct: false` needs a filesystem_mirror or a network_mirror")

    @property
    def uses_registries(self) -> bool:
        """Whether the registries are asked as well."""
        return not self.has_mirrors if self.direct is None else self.direct

    @property
    def has_mirrors(self) -> bool:
        """Whether packages may come from somewhere that checks no registry signatures."""
        return bool(self.filesystem_mirror or self.network_mirror)


Install = Literal["setup", "embedded", "own"]


@dataclass(frozen=True)
class TerraformSettings(ConfigSection):
    """Which Terraform runs, and from where it takes providers in CI."""

    binary: Annotated[Text | None, Field(examples=["terraform", "tofu"])] = None
    """A name on PATH or a path. Without it: terraform, tofu, then the embedded one."""
    version: Annotated[Text | None, Field(examples=[">= 1.11", "~> 1.11.4"])] = None
    """A constraint in Terraform's grammar; a binary that does not fit is an error."""
    binaries: Annotated[
        Mapping[ExactVersion, Text], Field(examples=[{"1.9.8": "/opt/terraform/1.9.8/terraform"}])
    ] = field(default_factory=dict)
    """Further programs by their version: a stack that asks for that version gets it."""
    provider_installation: ProviderInstallation = ProviderInstallation()
    """From where providers are installed in CI. Default: from their registries only."""
    cli_config: Literal["infra", "environment"] = "infra"
    """Whose CLI configuration Terraform gets in CI: one that infra writes, or the file that
    TF_CLI_CONFIG_FILE names, if it lies outside the repository. Read from trunk."""
    install: Install = "embedded"
    """How the workflows that `infra init` writes get Terraform: by the action setup-terraform (for OpenTofu,
    setup-opentofu), embedded in infra, or by your own runner."""
    credentials: Annotated[tuple[Host, ...], Field(examples=[["app.terraform.io"]])] = ()
    """Hosts to which Terraform may send a TF_TOKEN_* variable of a CI job. Read from trunk."""
    warm: Annotated[Warm, Field(examples=["10m"])] = "run"
    """Whether providers stay running between the plans of one run; a duration: also until they were idle for
    that long, outside CI. An apply always starts its own."""

    limits: Annotated[Mapping[Text, Annotated[int, Field(ge=1, le=256)]], Field(examples=[{"google": 4}])] = (
        field(default_factory=dict)
    )
    """How many stacks that use a provider run at once, by the provider's type or source: against answers that
    there are too many requests (429)."""

    @property
    def warm_idle(self) -> float:
        """Seconds for which idle providers stay running after a run, outside CI."""
        return 0.0 if isinstance(self.warm, str) else self.warm


@dataclass(frozen=True)
class GcsBackend(ConfigSection):
    """States in Google Cloud Storage."""

    kind: ClassVar[str] = "gcs"

    bucket: Annotated[Template, Field(examples=["acme-terraform-state"])]
    """The bucket's name; may hold {environment}."""
    prefix: Prefix = "{environment}/state/{stack}"
    """The state's folder in the bucket; {stack} is the name below the environment."""

    def settings(self, environment: str, stack: str) -> dict[str, str]:
        """The backend's arguments for a stack, named as `-backend-config` wants them.

        `stack` is the name below the environment; it is empty for an environment that is itself a stack.
        """
        return {
            "bucket": render(self.bucket, environment, stack),
            "prefix": render(self.prefix, environment, stack),
        }

    def document(self) -> dict[str, Any]:
        """The settings as infra.yaml has them, without what is the default."""
        prefix = {} if self.prefix == GcsBackend(self.bucket).prefix else {"prefix": self.prefix}
        return {self.kind: {"bucket": self.bucket, **prefix}}


@dataclass(frozen=True)
class LocalBackend(ConfigSection):
    """States on disk."""

    kind: ClassVar[str] = "local"
    bucket: ClassVar[str] = ""

    path: Annotated[LocalPath, Field(examples=[".states/{environment}/{stack}.tfstate"])]
    """The state's file, from the repository's root, with {environment} and {stack}."""

    def settings(self, environment: str, stack: str) -> dict[str, str]:
        """The backend's `path` for a stack, from the repository's root."""
        return {"path": render(self.path, environment, stack)}

    def document(self) -> dict[str, Any]:
        """The settings as infra.yaml has them."""
        return {self.kind: {"path": self.path}}


@dataclass(frozen=True)
class FileBackend:
    """A file with a backend's settings, as `-backend-config=FILE` takes it.

    `file` is a path from the repository's root with `{environment}`, `{stack}` and `{path}`. It fits any kind
    of backend.
    """

    kind: ClassVar[None] = None
    bucket: ClassVar[str] = ""

    file: str

    def path(self, environment: str, stack: str, folder: str) -> str:
        """The file of a stack in `folder`."""
        return posixpath.normpath(render(self.file, environment, stack).replace("{path}", folder or "."))

    def document(self) -> dict[str, Any]:
        """The settings as infra.yaml has them."""
        return {"config_file": self.file}


Backend = GcsBackend | LocalBackend | FileBackend


def _token_variable(host: str) -> str:
    """The name of the variable from which Terraform reads its token for a host."""
    return f"{TOKENS}{host.replace('-', '__').replace('.', '_')}"


def render(template: str, environment: str, stack: str) -> str:
    """Fill `{environment}` and `{stack}` in; an empty stack name leaves no empty path segment behind."""
    filled = template.replace("{environment}", environment).replace("{stack}", stack)
    if stack:
        return filled
    absolute = "/" if filled.startswith("/") else ""
    return absolute + "/".join(part for part in filled.split("/") if part)


@dataclass(frozen=True)
class MemorySettings(ConfigSection):
    """Where the ledgers, approved plans and drift records are. Read from trunk, never from the branch under
    review. Default: beside the states."""

    bucket: Annotated[BucketTemplate | None, Field(examples=["acme-infra-memory"])] = None
    """The bucket's name; may hold {environment}. Default: that of the states."""
    prefix: Annotated[Folder | None, Field(examples=["teams/shop"])] = None
    """The repository's own folder in the bucket; the environments' folders are in it. Default: what the
    states' names have before the environment's; with `bucket`, the top of the bucket."""

    def over(self, general: MemorySettings) -> MemorySettings:
        """These settings, with those of all environments for what they leave out."""
        return MemorySettings(
            general.bucket if self.bucket is None else self.bucket,
            general.prefix if self.prefix is None else self.prefix,
        )


@dataclass(frozen=True)
class Accounts(ConfigSection):
    """Service accounts of an environment, one a duty, by e-mail address."""

    plan: Account | None = None
    """Reads real resources and the state."""
    apply: Account | None = None
    """Changes real resources."""
    drift: Account | None = None
    """Reads real resources in scheduled checks."""


@dataclass(frozen=True)
class SharedAccounts(ConfigSection):
    """Service accounts that all environments share, by e-mail address."""

    attest: Account | None = None
    """Attests which plans of a pull request count: creates in ENV/attestations/, reads ENV/plans/."""


@dataclass(frozen=True)
class Timeouts(ConfigSection):
    """How long a command may take."""

    plan: Annotated[Timeout, Field(examples=["20m"])] = 20 * MINUTE
    """A plan, with its reading of real resources."""
    apply: Annotated[Timeout, Field(examples=["2h"])] = 2 * HOUR
    """An apply or a destroy."""
    unlock: Annotated[Timeout, Field(examples=["1m"])] = MINUTE
    """Releasing the state's lock at the end."""


ApprovedBy = Literal["review", "merge", "codeowners", "manifest"]


CiSystem = Literal["github", "gitlab", "bitbucket", "cloudbuild", "jenkins", "other"]


@dataclass(frozen=True)
class Ci(ConfigSection):
    """Which CI runs infra. Read from trunk, and for each pending change from trunk just before it."""

    system: CiSystem = "github"
    """The CI that applies. With another one than `github` (GitHub Actions), merges and manifests approve."""
    trunk_protected: bool = False
    """Your word that trunk is protected: nobody pushes to it, and each change reaches it as one reviewed
    merge commit or squash. `approved_by: merge` needs it with another CI than GitHub Actions."""

    @property
    def has_reviews(self) -> bool:
        """Whether infra can ask where reviews happen who approved a pull request."""
        return self.system == "github"


@dataclass(frozen=True)
class ApprovalIgnore(ConfigSection):
    """An attribute whose value may differ from the approved one, and why."""

    address: Annotated[Text, Field(examples=["google_storage_bucket_object.stamp"])]
    """The resource's address; without an instance key it means all its instances."""
    attribute: Annotated[Text, Field(examples=["content"])]
    """The attribute's path; what lies below it is meant too."""
    reason: Annotated[Reason, Field(examples=["The time of the plan."])]
    """Why its value does not matter."""


@dataclass(frozen=True)
class Environment(ConfigSection):
    """One environment. The order of the environments is the promotion order."""

    protected: bool | None = None
    """Wants an approved plan in CI and its name typed locally. Default: true for the last environment."""
    apply: Literal["anywhere", "ci"] = "anywhere"
    """Where it may be applied from."""
    approval: Literal["strict", "upstream", "actions"] = "upstream"
    """How closely an apply must match what was approved when an upstream changed too."""
    approved_by: ApprovedBy = "review"
    """What approves a plan: an approving review, the merge, a review by the owners of what changed, or a
    manifest of `infra ci compare` whose SHA-256 the CI passes on after an approval there."""
    approval_ignores: Annotated[
        tuple[ApprovalIgnore, ...],
        Field(
            examples=[
                [
                    {
                        "address": "google_storage_bucket_object.stamp",
                        "attribute": "content",
                        "reason": "The time of the plan.",
                    }
                ]
            ]
        ),
    ] = ()
    """Attributes whose values may differ from what was approved: those that are new in every plan."""
    unapproved: Literal["gate", "refuse", "apply"] = "gate"
    """What happens to a change that nobody approved."""
    accounts: Accounts = Accounts()
    """Service accounts that CI uses."""
    backend: BackendSettings | None = None
    """Backend settings of its stacks, in place of the general ones."""
    var_files: Annotated[tuple[Inside, ...], Field(examples=[["infra/envs/common.tfvars"]])] = ()
    """Variable files for all its stacks, from the repository's root."""
    env: Annotated[tuple[Variable, ...], Field(examples=[["TF_VAR_image"]])] = ()
    """Names of environment variables that its stacks may see; never values."""
    timeouts: Timeouts = Timeouts()
    """How long commands may take."""
    parallelism: Annotated[int, Field(ge=1, le=256)] | None = None
    """How many of its stacks run at once."""
    checks: tuple[CheckSettings, ...] = ()
    """What must hold after an apply before the next environment is promoted."""
    soak: Annotated[Duration, Field(examples=["30m"])] = 0.0
    """How long it must stay healthy before the next environment is promoted."""
    memory: MemorySettings = MemorySettings()
    """Where its ledger is, where that differs from the other environments'."""
    hooks: HookSettings = NO_HOOKS
    """Programs that run once for the environment."""


@dataclass(frozen=True)
class SharedEnvironment(ConfigSection):
    """One environment of a root that serves several."""

    var_files: tuple[Inside, ...] = ()
    """Variable files for this environment, from the repository's root."""
    workspace: Annotated[Workspace, Field(examples=["dev"])] = DEFAULT_WORKSPACE
    """The Terraform workspace that this environment's state is in."""
    backend: BackendSettings | None = None
    """Backend settings of the root in this environment."""
    moved_from: Annotated[StateUrl | None, Field(examples=["gs://acme-old-state/dev/service"])] = None
    """Where this environment's state was before its backend changed: the next apply copies it from there."""


@dataclass(frozen=True)
class StackSettings(ConfigSection):
    """One stack by its id (prod/network), with `path` one root that serves several environments, or all
    stacks whose folders match a pattern ({stage}/envs/{environment})."""

    depends_on: Annotated[tuple[StackId, ...], Field(examples=[["prod/network"]])] = ()
    """Stacks that are applied before it although its code does not read them."""
    reads: Annotated[tuple[Inside, ...], Field(examples=[["infra/files"]])] = ()
    """Files and folders that its code reads by a path that cannot be determined from the code."""
    var_files: Annotated[tuple[Inside, ...], Field(examples=[["config/{environment}/network.tfvars"]])] = ()
    """Variable files, from the repository's root, after the environment's; `{environment}` is filled in."""
    moved: Annotated[StackId | None, Field(examples=["prod/net"])] = None
    """The id that the stack had before."""
    moved_from: Annotated[StateUrl | None, Field(examples=["gs://acme-old-state/prod/network"])] = None
    """Where the state was before its backend changed: the next apply copies it from there."""
    path: Annotated[Inside | None, Field(examples=["infra/roots/service"])] = None
    """The folder of a root that serves several environments."""
    environments: Annotated[Mapping[Text, SharedEnvironment], FieldEmpty] = field(default_factory=dict)
    """The environments that a shared root serves."""
    backend: BackendSettings | None = None
    """Backend settings, in place of the environment's; they also replace what the block itself sets."""
    hooks: HookSettings = NO_HOOKS
    """Programs that run for this stack."""

    def __post_init__(self) -> None:
        if self.path is None:
            if self.environments:
                raise ValueError("`environments` needs `path`, the root that they share")
            return
        if not self.environments:
            raise ValueError("a stack with `path` must name the `environments` that it serves")
        if self.moved is not None:
            raise ValueError("`moved` belongs to one stack; a shared root has several")
        if self.moved_from is not None:
            raise ValueError("`moved_from` of a shared root belongs below `environments`, one for each")

    @property
    def is_shared(self) -> bool:
        """True for a root that serves several environments."""
        return self.path is not None


@dataclass(frozen=True)
class Masking(ConfigSection):
    """What is hidden beyond sensitive values, the built-in names and the built-in shapes."""

    names: Annotated[tuple[MaskedName, ...], Field(examples=[["pin"]])] = ()
    """Words: an attribute whose name holds one is secret."""
    attributes: Annotated[
        tuple[Text, ...], Field(examples=[["google_sql_user.*.password", "*.bootstrap_data"]])
    ] = ()
    """Globs over ADDRESS.ATTRIBUTE."""
    patterns: Annotated[tuple[Expression, ...], Field(examples=[["ACME-[0-9A-F]{16}"]])] = ()
    """Regular expressions: text that matches is hidden wherever it appears."""


@dataclass(frozen=True)
class Insight(ConfigSection):
    """What `infra query` and the commands like it may read."""

    values: Annotated[
        tuple[Text, ...], Field(examples=[["*.machine_type", "google_sql_database_instance.*"]])
    ] = ()
    """Globs over ADDRESS.ATTRIBUTE: values of states that are saved in the dataset too. What masking would
    hide never is."""


@dataclass(frozen=True)
class SandboxSettings(ConfigSection):
    """Settings of the sandbox."""

    real: Annotated[
        Mapping[Source, RealProvider],
        Field(examples=[{"hashicorp/aws": {"env": {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}}}]),
    ] = field(default_factory=dict)
    """Providers that may run as they are, by their source."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of all these variables."""
        return tuple(dict.fromkeys(name for variables in self.real.values() for name in variables))


@dataclass(frozen=True)
class LintIgnore(ConfigSection):
    """Findings that are accepted, and why."""

    rule: Annotated[Text, Field(examples=["basic-role"])]
    """The finding's rule, as `infra lint` prints it in brackets; may be a glob."""
    path: Annotated[Text, Field(examples=["infra/modules/github-identity/**"])] = "**"
    """A glob over files from the repository's root."""
    reason: Annotated[Reason, Field(examples=["Plan accounts read, and viewer is what reads."])] = field(
        kw_only=True
    )
    """Why it is right as it is."""


@dataclass(frozen=True)
class Lint(ConfigSection):
    """Settings of `infra lint`."""

    owners: Literal["optional", "required"] = "optional"
    """Whether a stack that nobody owns by CODEOWNERS is an error or a warning. Without the file nothing is
    reported, unless owners are required."""
    ignore: Annotated[
        tuple[LintIgnore, ...],
        Field(examples=[[{"rule": "basic-role", "path": "infra/modules/**", "reason": "Plans read."}]]),
    ] = ()
    """Findings that are accepted."""


@dataclass(frozen=True)
class Order:
    """Promotion order of the environments found, and those whose place is not known."""

    names: tuple[str, ...]
    unordered: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every environment: the ordered ones first, the others by name."""
        return self.names + self.unordered


def sort_by_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Environments in promotion order, others by name behind them."""
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


@dataclass(frozen=True)
class Config:
    """infra.yaml. `environments` and `stacks` keep the file's order; `file` is None when there is none.

    `plan_reuse` is in seconds: how long `infra plan` may show a plan again. `test_required` is whether each
    module must have tests. `tags` maps names to globs over
    ids of stacks.
    """

    version: int = 1
    trunk: str | None = None
    roots: Roots = Roots()
    exclude: tuple[str, ...] = ()
    terraform: TerraformSettings = TerraformSettings()
    plan_reuse: float = 3600.0
    test_required: bool = False
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    backend: Backend | None = None
    memory: MemorySettings = MemorySettings()
    lock_files: Literal["optional", "required"] = "optional"
    ci: Ci = Ci()
    accounts: SharedAccounts = SharedAccounts()
    environments: Mapping[str, Environment] = field(default_factory=dict)
    stacks: Mapping[str, StackSettings] = field(default_factory=dict)
    catalog: Mapping[str, CatalogSource] = field(default_factory=dict)
    lint: Lint = Lint()
    masking: Masking = Masking()
    insight: Insight = Insight()
    cost: Literal["infracost"] | None = None
    telemetry: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    guard: Guard = field(default_factory=Guard)
    drift: Drift = field(default_factory=Drift)
    notify: Mapping[str, NotifyChannel] = field(default_factory=dict)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    file: str | None = None
    given_keys: tuple[tuple[str, ...], ...] = ()

    def environment(self, name: str) -> Environment:
        """The settings of an environment, the defaults when infra.yaml does not name it."""
        return self.environments.get(name, Environment())

    def backend_of(self, environment: str) -> Backend | None:
        """The backend settings of an environment's stacks that have none of their own."""
        return self.environment(environment).backend or self.backend

    @property
    def backends(self) -> tuple[Backend, ...]:
        """All backend settings, of whatever they are."""
        shared = [each for settings in self.stacks.values() for each in settings.environments.values()]
        backends = [self.backend, *(each.backend for each in self.environments.values())]
        backends += [stack.backend for stack in self.stacks.values()]
        backends += [environment.backend for environment in shared]
        return tuple(dict.fromkeys(backend for backend in backends if backend is not None))

    @property
    def patterns(self) -> Mapping[StackPattern, StackSettings]:
        """The patterns of folders that are stacks, in the file's order."""
        return {StackPattern(key): settings for key, settings in self.stacks.items() if is_pattern(key)}

    def memory_of(self, environment: str) -> MemorySettings:
        """Where an environment's ledger is, with the placeholder filled in."""
        settings = self.environment(environment).memory.over(self.memory)
        bucket = settings.bucket
        return replace(settings, bucket=None if bucket is None else render(bucket, environment, ""))

    def environment_hooks(self, environment: str) -> HookOwner:
        """An environment with its hooks."""
        return HookOwner(environment, "", self.environment(environment).hooks)

    def stack_hooks(self, environment: str, stack: str) -> HookOwner:
        """A stack with its hooks, which a root that serves several environments has for all of them."""
        settings = self.stacks.get(stack)
        if settings is None or settings.is_shared:
            name = stack.removeprefix(f"{environment}/")
            shared = self.stacks.get(name)
            settings = shared if shared and environment in shared.environments else None
        return HookOwner(environment, stack, settings.hooks if settings else NO_HOOKS)

    @property
    def has_report_hooks(self) -> bool:
        """Whether anything has a report hook."""
        hooks = [
            *(environment.hooks for environment in self.environments.values()),
            *(stack.hooks for stack in self.stacks.values()),
        ]
        return any(each.report for each in hooks)

    def hook_variables(self, environment: str) -> tuple[str, ...]:
        """The names of variables that the hooks of an environment, and of its stacks, get."""
        owners = [self.environment_hooks(environment)]
        for name, settings in self.stacks.items():
            if environment in settings.environments or name.startswith(f"{environment}/"):
                owners.append(HookOwner(environment, name, settings.hooks))
        hooks = [hook for owner in owners for event in EVENTS for hook in owner.hooks.of(event)]
        return tuple(dict.fromkeys(name for hook in hooks for name in hook.env))

    def job_variables(self, environment: str) -> tuple[str, ...]:
        """The names of secrets and variables that jobs of an environment need: for Terraform, for hooks, for
        telemetry."""
        tokens = [_token_variable(host) for host in self.terraform.credentials]
        names = self.environment(environment).env
        return tuple(dict.fromkeys([*names, *tokens, *self.hook_variables(environment), *self.telemetry]))

    @property
    def notify_channels(self) -> Mapping[str, NotifyChannel]:
        """The channels for messages by name; `drift.webhook`, the former key, is one of Slack's kind."""
        former = self.drift.webhook
        channels = {"drift.webhook": NotifyChannel("slack", former, events=DRIFT_EVENTS)} if former else {}
        return {**channels, **self.notify}

    @property
    def notify_variables(self) -> tuple[str, ...]:
        """The names of secrets that jobs need which send messages."""
        channels = self.notify_channels.values()
        return tuple(dict.fromkeys(name for channel in channels for name in channel.variables))

    def earlier_id(self, stack: str) -> str | None:
        """The previous id of a stack, from `moved`; None without it."""
        settings = self.stacks.get(stack)
        return settings.moved if settings else None

    @property
    def earlier_ids(self) -> frozenset[str]:
        """All ids that stacks had before."""
        return frozenset(settings.moved for settings in self.stacks.values() if settings.moved)

    def promotion_order(self, discovered: Iterable[str]) -> Order:
        """Sort the environments found in the repository.

        Once infra.yaml lists environments, that list is the order and a name outside it has no place;
        without a list the well-known names have theirs.
        """
        environments = tuple(self.environments) or WELL_KNOWN
        names = set(discovered)
        return Order(
            tuple(n for n in environments if n in names), tuple(sorted(names.difference(environments)))
        )

    def is_protected(self, name: str, order: Order | Iterable[str]) -> bool:
        """Whether an environment is protected: as configured, else the last one of the order is.

        An environment without a place in the order is protected too.
        """
        setting = self.environment(name).protected
        if setting is not None:
            return setting
        names = order.names if isinstance(order, Order) else tuple(order)
        return name not in names or name == names[-1]

    def gated(self, names: Iterable[str], order: Order | Iterable[str]) -> tuple[str, ...]:
        """Those of some environments whose unapproved changes wait for reviewers."""
        return tuple(
            name
            for name in names
            if self.needs_approval(name, order) and self.environment(name).unapproved == "gate"
        )

    def needs_approval(self, name: str, order: Order | Iterable[str]) -> bool:
        """Whether CI applies only approved plans: where protected, or where approval is configured."""
        settings = {key[2] for key in self.given_keys if key[:2] == ("environments", name) and len(key) == 3}
        return self.is_protected(name, order) or bool(settings & {"approved_by", "unapproved"})
