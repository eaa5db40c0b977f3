"""The configuration as the rest of the program sees it: valid, complete and frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from orchestrator.config.checks import Check
from orchestrator.config.drift import Drift
from orchestrator.config.rules import Guard, Policy

# Promotion order of the names that need no configuration.
WELL_KNOWN = ("dev", "development", "test", "qa", "staging", "stage", "preprod", "prod", "production")

MODULES = PurePosixPath("infra/modules")
ENVS = PurePosixPath("infra/envs")

# The workspace that every Terraform has.
DEFAULT_WORKSPACE = "default"

MINUTE = 60.0
HOUR = 60 * MINUTE


@dataclass(frozen=True)
class Roots:
    """Where modules and environments lie, from the repository's root."""

    modules: PurePosixPath = MODULES
    envs: PurePosixPath = ENVS


@dataclass(frozen=True)
class ProviderInstallation:
    """From where Terraform installs providers in CI.

    `filesystem_mirror` are absolute folders, `network_mirror` https addresses that end in a slash. `direct`
    is whether the registries are asked as well.
    """

    filesystem_mirror: tuple[str, ...] = ()
    network_mirror: tuple[str, ...] = ()
    direct: bool = True

    @property
    def has_mirrors(self) -> bool:
        """Whether packages may come from somewhere that checks no registry signatures."""
        return bool(self.filesystem_mirror or self.network_mirror)


@dataclass(frozen=True)
class TerraformSettings:
    """`binary` is a name on PATH or a path, None to look for one; `version` a constraint like `>= 1.11`.

    `binaries` maps exact versions to further programs.
    `provider_installation`, `cli_config` and `credentials` (hosts that may get a TF_TOKEN_* of the job) hold
    in CI: there `infra` writes Terraform's CLI configuration unless `cli_config` is `environment`.
    """

    binary: str | None = None
    version: str | None = None
    binaries: Mapping[str, str] = field(default_factory=dict)
    provider_installation: ProviderInstallation = ProviderInstallation()
    cli_config: Literal["infra", "environment"] = "infra"
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True)
class GcsBackend:
    """Where states lie in GCS; both fields may hold `{environment}` and `{stack}`."""

    bucket: str
    prefix: str = "{environment}/state/{stack}"

    def settings(self, environment: str, stack: str) -> dict[str, str]:
        """The backend's arguments for a stack, named as `-backend-config` wants them.

        `stack` is the name below the environment; it is empty for an environment that is itself a stack.
        """
        return {
            "bucket": render(self.bucket, environment, stack),
            "prefix": render(self.prefix, environment, stack),
        }


@dataclass(frozen=True)
class LocalBackend:
    """Where states lie on disk: a path from the repository's root with `{environment}` and `{stack}`."""

    path: str

    def settings(self, environment: str, stack: str) -> dict[str, str]:
        """The backend's `path` for a stack, from the repository's root."""
        return {"path": render(self.path, environment, stack)}


Backend = GcsBackend | LocalBackend


def render(template: str, environment: str, stack: str) -> str:
    """Fill `{environment}` and `{stack}` in; an empty stack name leaves no empty path segment behind."""
    filled = template.replace("{environment}", environment).replace("{stack}", stack)
    if stack:
        return filled
    absolute = "/" if filled.startswith("/") else ""
    return absolute + "/".join(part for part in filled.split("/") if part)


@dataclass(frozen=True)
class Accounts:
    """E-mail addresses of the service accounts of an environment, as far as they are given."""

    plan: str | None = None
    apply: str | None = None
    drift: str | None = None


@dataclass(frozen=True)
class SharedAccounts:
    """E-mail addresses of the service accounts that all environments share, as far as they are given."""

    attest: str | None = None


@dataclass(frozen=True)
class Timeouts:
    """How long a command may take, in seconds."""

    plan: float = 20 * MINUTE
    apply: float = 2 * HOUR
    unlock: float = MINUTE


ApprovedBy = Literal["review", "merge", "codeowners"]


@dataclass(frozen=True)
class ApprovalIgnore:
    """An attribute whose value may differ from the approved one, such as a time that is new in every plan.

    `address` is a resource's; without an instance key it means all its instances. `attribute` is a path in
    it, and means what lies below it too.
    """

    address: str
    attribute: str
    reason: str


@dataclass(frozen=True)
class Environment:
    """An environment's settings, with defaults for what infra.yaml leaves out.

    `protected` is None when not given: the last environment of the order is protected then, see
    `Config.is_protected`. `var_files` are paths from the repository's root, `env` names of variables that
    Terraform may see, `parallelism` the number of its stacks that run at once (None: the machine's choice),
    `soak` seconds.
    """

    protected: bool | None = None
    apply: Literal["anywhere", "ci"] = "anywhere"
    approval: Literal["strict", "upstream", "actions"] = "upstream"
    approved_by: ApprovedBy = "review"
    approval_ignores: tuple[ApprovalIgnore, ...] = ()
    unapproved: Literal["gate", "refuse", "apply"] = "gate"
    accounts: Accounts = Accounts()
    var_files: tuple[PurePosixPath, ...] = ()
    env: tuple[str, ...] = ()
    timeouts: Timeouts = Timeouts()
    parallelism: int | None = None
    checks: tuple[Check, ...] = ()
    soak: float = 0.0


@dataclass(frozen=True)
class SharedEnvironment:
    """What a root that serves several environments adds in one of them; `workspace` is Terraform's.

    `moved_from` as in `StackSettings`.
    """

    var_files: tuple[PurePosixPath, ...] = ()
    workspace: str = DEFAULT_WORKSPACE
    moved_from: str | None = None


@dataclass(frozen=True)
class StackSettings:
    """Settings of one stack, or of one root that serves several environments (then `path` is given).

    `depends_on` are stack ids, `reads` paths from the repository's root, `moved` the id the stack had before,
    `moved_from` the `gs://` URL where its state was before its backend changed.
    """

    depends_on: tuple[str, ...] = ()
    reads: tuple[PurePosixPath, ...] = ()
    moved: str | None = None
    moved_from: str | None = None
    path: PurePosixPath | None = None
    environments: Mapping[str, SharedEnvironment] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """True for a root that serves several environments."""
        return self.path is not None


@dataclass(frozen=True)
class Masking:
    """What is hidden beyond the built-in rules.

    `names` are words that mark an attribute as secret, `attributes` globs over `ADDRESS.ATTRIBUTE`,
    `patterns` regular expressions of values.
    """

    names: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class LintIgnore:
    """Findings that are accepted: `rule` and `path` are globs, `reason` says why."""

    rule: str
    path: str
    reason: str


@dataclass(frozen=True)
class Lint:
    """Settings of `infra lint`."""

    ignore: tuple[LintIgnore, ...] = ()


@dataclass(frozen=True)
class Order:
    """Promotion order of the environments found, and those whose place is not known."""

    names: tuple[str, ...]
    unordered: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every environment: the ordered ones first, the others by name."""
        return self.names + self.unordered


@dataclass(frozen=True)
class Config:
    """infra.yaml. `environments` and `stacks` keep the file's order; `file` is None when there is none."""

    version: int = 1
    trunk: str | None = None
    roots: Roots = Roots()
    exclude: tuple[str, ...] = ()
    terraform: TerraformSettings = TerraformSettings()
    backend: Backend | None = None
    lock_files: Literal["optional", "required"] = "optional"
    accounts: SharedAccounts = SharedAccounts()
    environments: Mapping[str, Environment] = field(default_factory=dict)
    stacks: Mapping[str, StackSettings] = field(default_factory=dict)
    lint: Lint = Lint()
    masking: Masking = Masking()
    policy: Policy = field(default_factory=Policy)
    guard: Guard = field(default_factory=Guard)
    drift: Drift = field(default_factory=Drift)
    file: str | None = None
    given: tuple[tuple[str, ...], ...] = ()

    def environment(self, name: str) -> Environment:
        """The settings of an environment, the defaults when infra.yaml does not name it."""
        return self.environments.get(name, Environment())

    def earlier_id(self, stack: str) -> str | None:
        """The id that a stack had before, as `moved` says; None where it says nothing."""
        settings = self.stacks.get(stack)
        return settings.moved if settings else None

    @property
    def earlier_ids(self) -> frozenset[str]:
        """All ids that stacks had before."""
        return frozenset(settings.moved for settings in self.stacks.values() if settings.moved)

    def promotion_order(self, found: Iterable[str]) -> Order:
        """Sort the environments found in the repository.

        Once infra.yaml lists environments, that list is the order and a name outside it has no place;
        without a list the well-known names have theirs.
        """
        known = tuple(self.environments) or WELL_KNOWN
        names = set(found)
        return Order(tuple(n for n in known if n in names), tuple(sorted(names.difference(known))))

    def is_protected(self, name: str, order: Order | Iterable[str]) -> bool:
        """Whether an environment is protected: as configured, else the last one of the order is.

        One whose place in the order is not known is protected too: nobody has said that it is harmless.
        """
        setting = self.environment(name).protected
        if setting is not None:
            return setting
        names = order.names if isinstance(order, Order) else tuple(order)
        return name not in names or name == names[-1]

    def needs_approval(self, name: str, order: Order | Iterable[str]) -> bool:
        """Whether CI applies only what was approved: to a protected environment, or one that says how."""
        given = {key[2] for key in self.given if key[:2] == ("environments", name) and len(key) == 3}
        return self.is_protected(name, order) or bool(given & {"approved_by", "unapproved"})
