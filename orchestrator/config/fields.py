"""The kinds of values that infra.yaml holds: what each may be, and how the JSON Schema says it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from orchestrator.config.duration import PATTERN, seconds
from orchestrator.config.reason import reason

_ACCOUNT = r"^[a-z0-9.-]+@[a-z0-9.-]+$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")


def _duration(value: Any) -> float:
    return seconds(value)


def _timeout(value: Any) -> float:
    if (length := seconds(value)) <= 0:
        raise ValueError("must be longer than zero, such as 20m")
    return length


def inside(value: Any) -> Any:
    """A path from the repository's root that stays inside it."""
    if not isinstance(value, str):
        return value
    path = PurePosixPath(value)
    if not value.strip() or path.is_absolute() or value.startswith("~"):
        raise ValueError("must be a path from the repository's root, such as infra/envs")
    if ".." in path.parts:
        raise ValueError("must stay inside the repository, without `..`")
    return value


def _version(value: Any) -> Any:
    """An exact version of Terraform."""
    if not isinstance(value, str) or not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", value):
        raise ValueError('must be an exact version in quotes, such as "1.9.8"')
    return value


def _not_the_workspace(name: str) -> str:
    if name == "TF_WORKSPACE":
        raise ValueError("cannot be passed: set stacks.NAME.environments.ENV.workspace instead")
    return name


def _template(value: Any) -> Any:
    """A template that knows `{environment}` and `{stack}` only."""
    for placeholder in _PLACEHOLDER.findall(value) if isinstance(value, str) else ():
        if placeholder not in ("{environment}", "{stack}"):
            raise ValueError("may hold {environment} and {stack} only")
    return value


def _regular_expression(value: Any) -> Any:
    if isinstance(value, str):
        try:
            expression = re.compile(value)
        except re.error as error:
            raise ValueError(f"must be a regular expression: {error}") from None
        if expression.search(""):
            raise ValueError("must be a regular expression that does not match an empty text")
    return value


def _stack_id(value: Any) -> Any:
    if isinstance(value, str) and any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError("must be a stack id such as prod/network")
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
Inside = Annotated[
    str, BeforeValidator(inside), _schema(minLength=1, pattern=r"^(?!/|~|\.\.(/|$))(?!.*/\.\.(/|$)).+$")
]
Template = Annotated[
    str,
    BeforeValidator(_template),
    _schema(minLength=1, pattern=r"^([^{}]|\{environment\}|\{stack\})+$"),
    Field(min_length=1),
]
Text = Annotated[str, Field(min_length=1)]
Reason = Annotated[str, Field(min_length=1), AfterValidator(reason)]
Expression = Annotated[
    str, BeforeValidator(_regular_expression), _schema(minLength=1, format="regex"), Field(min_length=1)
]
ExactVersion = Annotated[str, BeforeValidator(_version), _schema(pattern=r"^\d+\.\d+\.\d+")]
StackId = Annotated[str, BeforeValidator(_stack_id), _schema(pattern=r"^[^/]+(/[^/]+)*$")]
# Both stand in a file of Terraform's, between quotes.
MirrorFolder = Annotated[str, Field(pattern=r"^/[^\"\\$\x00-\x1f\x7f]*$")]
MirrorUrl = Annotated[str, Field(pattern=r"^https://[^\s\"\\$/@?#]+(/[^\s\"\\$@?#]*)?$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")]
# A folder of states in a bucket, as a `prefix` has it, or one state's object.
StateUrl = Annotated[str, Field(pattern=r"^gs://[a-z0-9][a-z0-9._-]*(/[^/{}\s][^{}\s]*)?$")]
Workspace = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~-]+$", max_length=90)]
Account = Annotated[str, Field(pattern=_ACCOUNT)]
Variable = Annotated[str, Field(pattern=_VARIABLE), AfterValidator(_not_the_workspace)]
EnvironmentName = Annotated[str, Field(pattern=r"^[^/\s,*?\[\]{}:\\]+$")]
