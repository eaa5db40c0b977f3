"""The checks of an environment as pydantic sees them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.config.checks import Check, CommandCheck, HttpCheck, TerraformCheck
from orchestrator.config.fields import Duration, Text, Timeout
from orchestrator.config.section import Section

_HTTP_KEYS = ("status", "contains", "retries", "every")


def _address(value: Any) -> Any:
    if isinstance(value, str):
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("must be an http or https address without a user or a password in it")
    return value


Address = Annotated[str, BeforeValidator(_address), Field(pattern=r"^https?://[^/?#@\s]+.*$")]


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
        given = [key for key in ("http", "command", "terraform") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("must hold one of http, command and terraform")
        strangers = [key for key in _HTTP_KEYS if getattr(self, key) is not None and given != ["http"]]
        if given == ["terraform"] and self.timeout is not None:
            strangers.append("timeout")
        if strangers:
            raise ValueError(f"`{strangers[0]}` does not belong to a check with `{given[0]}`")
        return self

    def check(self) -> Check:
        """The check with its defaults filled in."""
        if self.http is not None:
            given = {key: getattr(self, key) for key in (*_HTTP_KEYS, "timeout")}
            known = {key: value for key, value in given.items() if value is not None}
            return HttpCheck(self.name or self.http, self.http, **known)
        if self.command is not None:
            name = self.name or " ".join(self.command)
            return CommandCheck(name, self.command, *(() if self.timeout is None else (self.timeout,)))
        return TerraformCheck(self.name) if self.name else TerraformCheck()
