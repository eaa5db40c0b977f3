"""Options that several commands share, and how a command gets its options as one typed object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, TypeVar

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App, pass_app

F = TypeVar("F", bound=Callable[..., Any])
Options = TypeVar("Options")


def with_options(kind: type[Options]) -> Callable[[Callable[[App, Options], int]], Callable[..., int]]:
    """Call a command's function with the invocation's App and its options as one object of `kind`.

    `kind` is a frozen dataclass whose fields are named as click's parameters.
    """

    def decorate(function: Callable[[App, Options], int]) -> Callable[..., int]:
        @click.pass_context
        def invoke(context: click.Context, /, **values: Any) -> int:
            return function(pass_app(context), kind(**values))

        invoke.options = kind  # type: ignore[attr-defined]
        return update_wrapper(invoke, function)

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@dataclass(frozen=True, kw_only=True)
class JsonOptions:
    """The option of `json_option`."""

    as_json: bool


@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    """The options of `selection`."""

    stacks: tuple[str, ...]
    everything: bool


def selection(function: F) -> F:
    """The stacks to work on: names, globs, or --all."""
    function = click.option("--all", "everything", is_flag=True, help="Every stack of the project.")(function)
    return click.argument(
        "stacks", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks
    )(function)


@dataclass(frozen=True, kw_only=True)
class TerraformOptions:
    """The options of `terraform_options`."""

    parallelism: int | None
    variables: tuple[str, ...]
    replaces: tuple[str, ...]
    targets: tuple[str, ...]
    refresh_only: bool


def terraform_options(function: F) -> F:
    """Terraform's own planning options, under its own names."""
    for option in (
        click.option(
            "--parallelism",
            type=click.IntRange(1),
            metavar="N",
            help="Stacks at once (default: one per core).",
        ),
        click.option(
            "--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set an input variable."
        ),
        click.option(
            "--replace", "replaces", multiple=True, metavar="ADDRESS", help="Replace this resource."
        ),
        click.option("--target", "targets", multiple=True, metavar="ADDRESS", help="Only this resource."),
        click.option("--refresh-only", is_flag=True, help="Only take what changed outside into the state."),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, kw_only=True)
class RequestOptions(SelectionOptions, TerraformOptions):
    """The options of a command that plans stacks."""


@dataclass(frozen=True, kw_only=True)
class ConsentOptions:
    """The options of `consent_options`."""

    confirmed: tuple[str, ...]
    allow_destroy: bool
    adopt: bool
    auto_approve: bool


def consent_options(function: F) -> F:
    """The answers that can be given beforehand."""
    for option in (
        click.option("--confirm", "confirmed", multiple=True, metavar="ENV", help="Yes, protected ENV too."),
        click.option(
            "--allow-destroy", is_flag=True, help="Yes, also where something is deleted or replaced."
        ),
        click.option("--adopt", is_flag=True, help="Yes, also from a state that no run has recorded."),
        click.option("--auto-approve", is_flag=True, help="Do not ask."),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """The options of `answer_options`."""

    auto_approve: bool
    confirmed: tuple[str, ...]


def answer_options(function: F) -> F:
    """The answers to `consent.confirm_change` that can be given beforehand."""
    for option in (
        click.option("--confirm", "confirmed", multiple=True, metavar="ENV", help="Yes, protected ENV too."),
        click.option("--auto-approve", is_flag=True, help="Do not ask."),
    ):
        function = option(function)
    return function


pending_option = click.option(
    "--pending", is_flag=True, help="The stacks whose code, or what they read, differs from what was applied."
)


def rollout_request_options(function: F) -> F:
    """What somebody asks of a rollout beside what trunk says; each as the input of the workflow has it."""
    for option in (
        click.option(
            "--supersede",
            metavar="COMMIT",
            default="",
            help="Go over what was applied from COMMIT, which trunk does not have.",
        ),
        click.option(
            "--forget",
            metavar="'STACK REASON'",
            default="",
            help="Give up the state of STACK, which is gone for good, and create everything anew.",
        ),
        click.option(
            "--resume",
            metavar="'STACK [--forget ADDRESS]…'",
            default="",
            help="Agree to finish the interrupted apply of STACK; objects at ADDRESS are left alone.",
        ),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, kw_only=True)
class RolloutRequestOptions:
    """The options of `rollout_request_options`, empty where they are not given."""

    resume: str
    forget: str
    supersede: str


class Duration(click.ParamType):  # type: ignore[type-arg]
    """`90s`, `10m`, `1h`, as infra.yaml has them; in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from orchestrator.config.duration import seconds

        if isinstance(value, float):
            return value
        try:
            return seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Reason(click.ParamType):  # type: ignore[type-arg]
    """Why an exception is made, in words that can be read; where `optional`, blanks are none."""

    name = "reason"

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from orchestrator.config.reason import reason

        if self.optional and not str(value).strip():
            return ""
        try:
            return reason(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, kw_only=True)
class TermsOptions:
    """The options of `terms_options`; `wait` and `lock_timeout` are in seconds."""

    over: tuple[str, ...]
    break_glass: str | None
    lock_timeout: float
    wait: float


def terms_options(function: F) -> F:
    """How to deal with others at work, and with rules in an emergency."""
    for option in (
        click.option(
            "--supersede",
            "over",
            multiple=True,
            metavar="COMMIT",
            help="Go over what was applied from COMMIT, which is gone from trunk's history.",
        ),
        click.option(
            "--break-glass",
            type=Reason(),
            metavar="REASON",
            help="Apply where only CI does; the ledger remembers why.",
        ),
        click.option(
            "--lock-timeout",
            type=Duration(),
            default=0.0,
            metavar="DURATION",
            help="Wait so long for a state's lock.",
        ),
        click.option(
            "--wait",
            type=Duration(),
            default=0.0,
            metavar="DURATION",
            help="Wait so long for another run on the same stack, such as 10m.",
        ),
    ):
        function = option(function)
    return function
