"""What infra.yaml has in another shape than the program: a choice of keys, or former names.

Used while loading only; see `config.section`. Every other key is a field of a section of `config.model`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import core_schema

from orchestrator.config import fields
from orchestrator.config.catalog import CatalogSource
from orchestrator.config.checks import Check, CommandCheck, HttpCheck, TerraformCheck
from orchestrator.config.drift import ACCEPTABLE, Action, Drift
from orchestrator.config.fields import (
    Address,
    ChannelName,
    Duration,
    EnvironmentName,
    FileTemplate,
    ProviderVariable,
    Section,
    StackKey,
    TelemetryVariable,
    TemplateName,
    Text,
    Timeout,
    or_empty,
)
from orchestrator.config.hooks import Hooks
from orchestrator.config.model import (
    Backend,
    Ci,
    Environment,
    FileBackend,
    GcsBackend,
    Insight,
    Lint,
    LocalBackend,
    Masking,
    MemorySettings,
    Roots,
    SandboxSettings,
    SharedAccounts,
    StackSettings,
    TerraformSettings,
)
from orchestrator.config.notify import NotifyChannel
from orchestrator.config.raw_hooks import RawHooks
from orchestrator.config.rules import Guard, Policy
from orchestrator.config.stack_pattern import is_pattern

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from orchestrator.config.section import ConfigSection

_HTTP_KEYS = ("status", "contains", "retries", "every")


class MadeFrom:
    """A value that is made from a section of another shape."""

    def __init__(self, section: type[Section], make: Callable[[Any], Any]) -> None:
        self.section, self._make = section, make

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The section's schema, and then the function that makes the value."""
        return core_schema.no_info_after_validator_function(self._make, handler.generate_schema(self.section))


class RawBackend(Section):
    """Passed to stacks whose backend block leaves settings open; one that names its own is left alone."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in ("gcs", "local", "config_file")]},
    )

    gcs: GcsBackend | None = None
    """For stacks with `backend "gcs" {}`."""
    local: LocalBackend | None = None
    """For stacks with `backend "local" {}`."""
    config_file: FileTemplate | None = Field(None, examples=["{path}/backend.hcl"])
    """A file with the backend's settings, of any kind, as `-backend-config=FILE` takes it: a path from the
    repository's root with {environment}, {stack} and {path}, the stack's folder."""

    @model_validator(mode="after")
    def _one(self) -> RawBackend:
        if [self.gcs, self.local, self.config_file].count(None) != 2:
            raise ValueError("must hold one of gcs, local and config_file")
        return self

    def backend(self) -> Backend:
        """The settings of the kind that is given."""
        backend = self.gcs or self.local
        return FileBackend(self.config_file or "") if backend is None else backend


class RawCheck(Section):
    """What must hold after an apply: exactly one of `http`, `command` and `terraform`."""

    name: Text | None = Field(None, examples=["the shop answers"])
    """What to call it; by default its address or its command."""
    http: Address | None = Field(None, examples=["https://shop.example.com/health"])
    """An address that must answer."""
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    """The status of the answer. Default: 200."""
    contains: Text | None = None
    """What the answer's body must hold."""
    retries: Annotated[int, Field(ge=0, le=1000)] | None = None
    """How often it is asked again after a wrong answer. Default: 5."""
    every: Duration | None = Field(None, examples=["10s"])
    """How long to wait before it is asked again. Default: 10s."""
    command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None, examples=[["bin/smoke", "--fast"]]
    )
    """A program and its arguments, without a shell; it must exit with 0."""
    timeout: Timeout | None = Field(None, examples=["30s"])
    """How long one request (default 10s) or the program (default 5m) may take."""
    terraform: Literal[True] | None = None
    """Terraform's `check` blocks in what was applied must pass."""

    @model_validator(mode="after")
    def _one(self) -> RawCheck:
        kinds = [key for key in ("http", "command", "terraform") if getattr(self, key) is not None]
        if len(kinds) != 1:
            raise ValueError("must hold one of http, command and terraform")
        strangers = [key for key in _HTTP_KEYS if getattr(self, key) is not None and kinds != ["http"]]
        if kinds == ["terraform"] and self.timeout is not None:
            strangers.append("timeout")
        if strangers:
            raise ValueError(f"`{strangers[0]}` does not belong to a check with `{kinds[0]}`")
        return self

    def check(self) -> Check:
        """The check with its defaults filled in."""
        if self.http is not None:
            options = {key: getattr(self, key) for key in (*_HTTP_KEYS, "timeout")}
            settings = {key: value for key, value in options.items() if value is not None}
            return HttpCheck(self.name or self.http, self.http, **settings)
        if self.command is not None:
            name = self.name or " ".join(self.command)
            return CommandCheck(name, self.command, *(() if self.timeout is None else (self.timeout,)))
        return TerraformCheck(self.name) if self.name else TerraformCheck()


class RawActions(Section):
    """What is done about each class of drift."""

    reverted: Action = "report"
    """The code puts the old value back."""
    conflict: Action = "report"
    """The code wants a third value."""
    codified: Action = "report"
    """The code has the real value already."""
    ignored: Action = "report"
    """`ignore_changes` covers it."""
    baseline: Action = "report"
    """It is so since the first check after an apply."""
    noise: Action = "report"
    """It changes by itself."""
    unmanaged: Action = "report"
    """The code does not set it."""
    unapplied: Action = "report"
    """The code and the state differ, although nothing changed outside since."""
    owed: Action = Field("report", json_schema_extra={"deprecated": True})
    """The former name of `unapplied`, accepted until 1.0."""

    @model_validator(mode="after")
    def _stays(self) -> RawActions:
        for kind, action in self:
            if action == "accept" and kind not in ACCEPTABLE:
                raise ValueError(
                    f"`{kind}` cannot be accepted: the next apply would undo it; "
                    f"only {', '.join(ACCEPTABLE)} can"
                )
        if {"owed", "unapplied"} <= self.model_fields_set:
            raise ValueError("`owed` is the former name of `unapplied`: write `unapplied` only")
        return self

    def named(self) -> Mapping[str, Action]:
        """The actions that are named, by the present names of the classes."""
        kinds = sorted(self.model_fields_set)
        return {"unapplied" if kind == "owed" else kind: getattr(self, kind) for kind in kinds}


class RawRealProvider(Section):
    """How a real provider reaches the sandbox's servers."""

    env: dict[ProviderVariable, str] = Field(
        examples=[
            {"GOOGLE_STORAGE_CUSTOM_ENDPOINT": "{gcs}/storage/v1/", "GOOGLE_OAUTH_ACCESS_TOKEN": "none"}
        ]
    )
    """Its variables for `infra sandbox exec --real`. {gcs} and {github} are the addresses of the sandbox's
    servers; each address must be on this machine, and there must be one."""


BackendSettings = Annotated[Backend, MadeFrom(RawBackend, RawBackend.backend)]
CheckSettings = Annotated[Check, MadeFrom(RawCheck, RawCheck.check)]
HookSettings = Annotated[Hooks, MadeFrom(RawHooks, RawHooks.hooks)]
# By the present names of the classes, and only what is named.
DriftActions = Annotated[Mapping[str, Action], MadeFrom(RawActions, RawActions.named)]
RealProvider = Annotated[Mapping[str, str], MadeFrom(RawRealProvider, lambda raw: raw.env)]


class RawPlan(Section):
    """How plans are made on a laptop."""

    reuse: Duration = Field(3600.0, examples=["10m", 0])
    """How long `infra plan` shows a plan again, with its age, as long as nothing that it was made from has
    changed. `0` plans every time; so do an apply, a check for drift and CI."""


class RawTest(Section):
    """What `infra test` wants."""

    required: bool = False
    """Whether a module without tests is an error; else it is a warning."""


class RawConfig(Section):
    """Settings of a repository that `infra` takes care of. Every key is optional."""

    version: Literal[1] = 1
    """Version of this file's format."""
    trunk: Text | None = Field(None, examples=["main"])
    """The branch everything merges to. Without it: origin/HEAD, main, master."""
    roots: Roots = Roots()
    """Where modules and environments lie."""
    exclude: tuple[Text, ...] = Field((), examples=[["**/_template", "infra/envs/*/archive"]])
    """Globs over folders that are no stacks, nor is what lies in them. `*` stays between slashes, `**` does
    not."""
    terraform: TerraformSettings = TerraformSettings()
    """Which Terraform runs."""
    plan: RawPlan = RawPlan()
    """How plans are made on a laptop."""
    test: RawTest = RawTest()
    """What `infra test` wants."""
    backend: BackendSettings | None = None
    """Backend settings for stacks that leave them open."""
    tags: dict[Text, tuple[Text, ...]] = Field({}, examples=[{"network": ["*/network", "prod/vpn"]}])
    """Names for groups of stacks, each with globs over their ids, for `--tag`."""
    memory: MemorySettings = MemorySettings()
    """Where the ledgers are: for a bucket that several repositories share."""
    lock_files: Literal["optional", "required"] = "optional"
    """Whether a stack without .terraform.lock.hcl is an error or a warning."""
    ci: Ci = Ci()
    """Which CI runs infra."""
    accounts: SharedAccounts = SharedAccounts()
    """Service accounts that CI uses for all environments."""
    environments: Annotated[dict[EnvironmentName, Environment], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"dev": {}, "staging": {}, "prod": {"protected": True, "apply": "ci"}}]
    )
    """Environments in promotion order."""
    stacks: Annotated[dict[StackKey, StackSettings], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"prod/service": {"depends_on": ["prod/network"]}, "{stage}/envs/{environment}": {}}]
    )
    """Stacks that need settings of their own, and patterns of folders that are stacks."""
    policy: Policy = Policy()
    """Rules about what a plan may do."""
    guard: Guard = Guard()
    """Rules about what code may hold before Terraform touches it."""
    drift: Drift = Drift()
    """How drift is checked and remediated."""
    notify: Annotated[dict[ChannelName, NotifyChannel], BeforeValidator(or_empty)] = Field(
        {},
        examples=[{"operations": {"kind": "slack", "url_variable": "SLACK_WEBHOOK_URL", "severity": "high"}}],
    )
    """Channels that messages about rollouts and drift are sent to, by a name of your choice."""
    sandbox: SandboxSettings = SandboxSettings()
    """How real providers run on the sandbox."""
    catalog: Annotated[dict[TemplateName, CatalogSource], BeforeValidator(or_empty)] = Field(
        {}, examples=[{"queue": {"kind": "stack", "folder": "templates/queue"}}]
    )
    """Templates for `infra new`, by name, beside those of infra itself."""
    lint: Lint = Lint()
    """What `infra lint` does not complain about."""
    masking: Masking = Masking()
    """What else is hidden."""
    insight: Insight = Insight()
    """What the dataset of `infra query` holds."""
    cost: Literal["infracost"] | None = Field(None, examples=["infracost"])
    """The program on PATH that estimates what plans change of the monthly cost. Default: none."""
    telemetry: Annotated[
        tuple[TelemetryVariable, ...],
        Field(examples=[["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"]]),
    ] = ()
    """Names of the secrets and variables that configure telemetry in CI; with one the jobs that run Terraform
    install the extra `telemetry`."""

    @model_validator(mode="after")
    def _cost_limit(self) -> RawConfig:
        if self.policy.limits.cost is not None and self.cost is None:
            raise ValueError("`policy.limits.cost` needs `cost: infracost`, which estimates the cost")
        return self

    @model_validator(mode="after")
    def _patterns(self) -> RawConfig:
        for key, stack in self.stacks.items():
            strangers = [
                setting.name
                for setting in dataclasses.fields(stack)
                if setting.name not in ("backend", "reads", "var_files")
                and getattr(stack, setting.name) != getattr(StackSettings(), setting.name)
            ]
            if is_pattern(key) and strangers:
                raise ValueError(f"`{min(strangers)}` of {key} belongs to one stack; a pattern has several")
        return self


# Sections name the types of their keys, which are not imported where they are defined.
RawConfig.model_rebuild(_types_namespace={**vars(fields), **globals()})


def section_fields(section: type[ConfigSection]) -> dict[str, Any]:
    """The types of a section's keys, by key."""
    hints = get_type_hints(section, localns={**vars(fields), **globals()}, include_extras=True)
    names = [field.name for field in dataclasses.fields(section)]  # type: ignore[arg-type]
    return {section.keys.get(name, name): hints[name] for name in names}
