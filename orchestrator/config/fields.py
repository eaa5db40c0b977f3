"""Field types of infra.yaml, each with its validation and its JSON Schema, and the base of all sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from orchestrator.config.duration import PATTERN, parse_duration
from orchestrator.config.expressions import parse_expression
from orchestrator.config.reason import clean_reason
from orchestrator.config.stack_pattern import StackPattern, is_pattern

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


_ACCOUNT = r"^[a-z0-9.-]+@[a-z0-9.-]+$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_OTHERS = frozenset({"TF", "INFRA", "GITHUB", "GIT", "SSH", "LD", "DYLD", "PYTHON", "STORAGE", "XDG"})
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")


def _duration(value: Any) -> float:
    return parse_duration(value)


def _timeout(value: Any) -> float:
    if (length := parse_duration(value)) <= 0:
        raise ValueError("must be longer than zero, such as 20m")
    return length


def _warm(value: Any) -> Any:
    # YAML reads a bare `off` as false.
    if value is False or value in ("off", "run"):
        return value or "off"
    try:
        return _timeout(value)
    except ValueError as error:
        raise ValueError("must be off, run, or a duration longer than zero, such as 10m") from error


def _check_relative_path(value: Any) -> Any:
    """Validate a path from the repository's root that stays inside it."""
    if not isinstance(value, str):
        return value
    path = PurePosixPath(value)
    if not value.strip() or path.is_absolute() or value.startswith("~"):
        raise ValueError("must be a path from the repository's root, such as infra/envs")
    if ".." in path.parts:
        raise ValueError("must stay inside the repository, without `..`")
    return value


def _relative_path(value: Any) -> Any:
    """A path from the repository's root."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    return PurePosixPath(_check_relative_path(value))


def _version(value: Any) -> Any:
    """An exact version of Terraform."""
    if not isinstance(value, str) or not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", value):
        raise ValueError('must be an exact version in quotes, such as "1.9.8"')
    return value


def _not_the_workspace(name: str) -> str:
    if name == "TF_WORKSPACE":
        raise ValueError("cannot be passed: set stacks.NAME.environments.ENV.workspace instead")
    return name


def _of_a_provider(name: str) -> str:
    """Validate a provider's variable: none that configures programs, Terraform, Git or infra itself."""
    if name.partition("_")[0] in _OTHERS:
        raise ValueError("must be a variable of the provider, such as AWS_ENDPOINT_URL")
    return name


def _template(value: Any) -> Any:
    """A template that knows `{environment}` and `{stack}` only."""
    return _check_placeholders(value, ("{environment}", "{stack}"))


def _file_template(value: Any) -> Any:
    """A path in the repository that knows the folder of the stack too."""
    return _check_relative_path(_check_placeholders(value, ("{environment}", "{stack}", "{path}")))


def _check_placeholders(value: Any, known: tuple[str, ...]) -> Any:
    for placeholder in _PLACEHOLDER.findall(value) if isinstance(value, str) else ():
        if placeholder not in known:
            raise ValueError(f"may hold {', '.join(known[:-1])} and {known[-1]} only")
    return value


def _regular_expression(value: Any) -> Any:
    if isinstance(value, str):
        parse_expression(value)
    return value


def _stack_id(value: Any) -> Any:
    if isinstance(value, str) and any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError("must be a stack id such as prod/network")
    return value


def _stack_key(value: Any) -> Any:
    """A stack id, the name of a shared root, or a pattern of folders."""
    if isinstance(value, str) and is_pattern(value):
        StackPattern(value)
    return _stack_id(value)


_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("must be a date such as 2027-01-31")


def _time(value: Any) -> Any:
    if isinstance(value, str) and len(value) == len("22:00"):
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError('must be a time of day in quotes, such as "22:00"')


def _zone(value: str) -> str:
    """Only when it is said, since to know them all is to read files."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"must be a time zone such as Europe/Berlin; {value} is none") from None
    return value


def _volatile(value: Any) -> Any:
    if isinstance(value, str) and "." not in value:
        raise ValueError("must be TYPE.ATTRIBUTE, such as google_vertex_ai_schedule.next_run_time")
    return value


def _address(value: Any) -> Any:
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("must be an http or https address without a user or a password in it")
    return value


def or_empty(value: Any) -> Any:
    return {} if value is None else value


def _schema(**words: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **words})


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"anyOf": [{"const": 0}, {"type": "string", "pattern": PATTERN}]}),
]
Timeout = Annotated[float, BeforeValidator(_timeout), _schema(pattern=PATTERN)]
Warm = Annotated[
    Literal["off", "run"] | float,
    BeforeValidator(_warm),
    WithJsonSchema({"anyOf": [{"enum": ["off", "run", False]}, {"type": "string", "pattern": PATTERN}]}),
]
InsideText = Annotated[
    str,
    BeforeValidator(_check_relative_path),
    _schema(minLength=1, pattern=r"^(?!/|~|\.\.(/|$))(?!.*/\.\.(/|$)).+$"),
]
Inside = Annotated[
    PurePosixPath,
    BeforeValidator(_relative_path),
    _schema(minLength=1, pattern=r"^(?!/|~|\.\.(/|$))(?!.*/\.\.(/|$)).+$"),
]
Template = Annotated[
    str,
    BeforeValidator(_template),
    _schema(minLength=1, pattern=r"^([^{}]|\{environment\}|\{stack\})+$"),
    Field(min_length=1),
]
Prefix = Annotated[Template, AfterValidator(lambda prefix: prefix.strip("/"))]
LocalPath = Annotated[Template, BeforeValidator(_check_relative_path)]
Address = Annotated[str, BeforeValidator(_address), Field(pattern=r"^https?://[^/?#@\s]+.*$")]
Text = Annotated[str, Field(min_length=1)]
MaskedName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Reason = Annotated[str, Field(min_length=1), AfterValidator(clean_reason)]
Expression = Annotated[
    str, BeforeValidator(_regular_expression), _schema(minLength=1, format="regex"), Field(min_length=1)
]
ExactVersion = Annotated[str, BeforeValidator(_version), _schema(pattern=r"^\d+\.\d+\.\d+")]
FileTemplate = Annotated[
    str,
    BeforeValidator(_file_template),
    _schema(minLength=1, pattern=r"^(?!/|~|\.\.(/|$))([^{}]|\{environment\}|\{stack\}|\{path\})+$"),
    Field(min_length=1),
]
StackId = Annotated[str, BeforeValidator(_stack_id), _schema(pattern=r"^[^/]+(/[^/]+)*$")]
StackKey = Annotated[str, BeforeValidator(_stack_key), _schema(pattern=r"^[^/]+(/[^/]+)*$")]
# Both stand in a file of Terraform's, between quotes.
MirrorFolder = Annotated[str, Field(pattern=r"^/[^\"\\$\x00-\x1f\x7f]*$")]
MirrorUrl = Annotated[
    str,
    Field(pattern=r"^https://[^\s\"\\$/@?#]+(/[^\s\"\\$@?#]*)?$"),
    AfterValidator(lambda url: f"{url.rstrip('/')}/"),
]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$"), AfterValidator(str.lower)]
# A folder of states in a bucket, as a `prefix` has it, or one state's object.
StateUrl = Annotated[str, Field(pattern=r"^gs://[a-z0-9][a-z0-9._-]*(/[^/{}\s][^{}\s]*)?$")]
# A folder in a bucket, which also stands in conditions of IAM: plain names between slashes.
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")]
BucketTemplate = Annotated[str, Field(pattern=r"^([a-z0-9._-]|\{environment\})+$")]
Workspace = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~-]+$", max_length=90)]
Account = Annotated[str, Field(pattern=_ACCOUNT)]
# A subscription of Pub/Sub by its full name.
Subscription = Annotated[
    str, Field(pattern=r"^projects/[a-z0-9:.-]+/subscriptions/[A-Za-z][A-Za-z0-9._~%+-]{2,254}$")
]
Variable = Annotated[str, Field(pattern=_VARIABLE), AfterValidator(_not_the_workspace)]
# What OpenTelemetry's libraries are configured by.
TelemetryVariable = Annotated[str, Field(pattern=r"^OTEL_[A-Z0-9_]+$")]
# A provider's source; its host may be left out.
Source = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+/)?[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$")]
ProviderVariable = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9]*_[A-Z0-9_]+$"), AfterValidator(_of_a_provider)
]
# What git fetches from; no helper programs (`ext::`), no options, no passwords.
GitUrl = Annotated[
    str, Field(pattern=r"^((https|ssh|file)://[^\s:@-][^\s:@]*(:[0-9]+/[^\s@]*)?|(ssh://)?git@[^\s@-]\S*)$")
]
FullCommit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
TemplateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Globs = tuple[Text, ...]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None
Limit = Annotated[int, Field(ge=0, le=100_000)] | None
Package = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
ChannelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[^/\s,*?\[\]{}:\\]+$")]


Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
TimeOfDay = Annotated[time, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": _TIME})]
Volatile = Annotated[
    str, BeforeValidator(_volatile), WithJsonSchema({"type": "string", "pattern": r"^[^.]+\..+$"})
]
Zone = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"), AfterValidator(_zone)]
# A key with nothing after it is an empty mapping.
FieldEmpty = BeforeValidator(or_empty)
# YAML reads a bare `off` as false.
Off = BeforeValidator(lambda value: "off" if value is False else value)


class Section(BaseModel):
    """What every section shares: no unknown keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        """A key with nothing after it (`dev:`) is an empty section."""
        return or_empty(value)


def section_schema(keys: Mapping[str, str], schema: CoreSchema) -> CoreSchema:
    """The schema of a section from that of its dataclass: a mapping makes it, and keys have their names."""
    dataclass_schema: Any = schema
    while dataclass_schema["type"] != "dataclass":
        dataclass_schema = dataclass_schema["schema"]
    # Only the values are strict.
    dataclass_schema["strict"] = False
    for field in dataclass_schema["schema"]["fields"]:
        if field["name"] in keys:
            field["validation_alias"] = keys[field["name"]]
    return core_schema.no_info_before_validator_function(or_empty, schema)
