"""Options that several commands share, and how a command gets its options as one typed object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Literal, TypeVar

import click

from orchestrator.cli.app import App, pass_app
from orchestrator.cli.support.completers import (
    complete_addresses,
    complete_environments,
    complete_stacks,
    complete_tags,
)

Detail = Literal["full", "short", "none"]
DETAILS: tuple[Detail, ...] = ("full", "short", "none")
F = TypeVar("F", bound=Callable[..., Any])
Options = TypeVar("Options")


def with_options(kind: type[Options]) -> Callable[[Callable[[App, Options], int]], Callable[..., int]]:
    """Call a command's function with the invocation's App and its options as one object of `kind`.

    `kind` is a frozen dataclass whose fields are named as click's parameters.
    """

    def decorate(function: Callable[[App, Options], int]) -> Callable[..., int]:
        @click.pass_context
        def invoke(context: click.Context, /, **values: Any) -> int:
            app, options = pass_app(context), kind(**values)
            if isinstance(options, DisplayOptions):
                app.detail, app.quiet = options.shown_detail, options.quiet
            return function(app, options)

        invoke.options = kind  # type: ignore[attr-defined]
        return update_wrapper(invoke, function)

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@dataclass(frozen=True, kw_only=True)
class JsonOptions:
    """The option of `json_option`."""

    as_json: bool


@dataclass(frozen=True, kw_only=True)
class DisplayOptions:
    """The options of `display_options`."""

    diff: Detail
    summary: bool
    quiet: bool

    @property
    def shown_detail(self) -> Detail:
        """How much is shown of each stack before the table."""
        return "none" if self.summary or self.quiet else self.diff


def display_options(function: F) -> F:
    """How much is printed."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Print failures and totals only."),
        click.option("--summary", is_flag=True, help="Print the table and the totals only."),
        click.option(
            "--diff",
            type=click.Choice(DETAILS),
            default="full",
            show_default=True,
            help="How much to show of each change: the full diff, the addresses, or nothing.",
        ),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, kw_only=True)
class SelectionOptions:
    """The options of `selection_options`."""

    stacks: tuple[str, ...]
    everything: bool
    excluded: tuple[str, ...]
    tags: tuple[str, ...]


def selection_options(function: F) -> F:
    """The stacks to work on: names, globs, or --all; less those that --exclude and --tag leave out."""
    for option in (
        click.option(
            "--exclude",
            "excluded",
            multiple=True,
            metavar="GLOB",
            help="Exclude these stacks.",
            shell_complete=complete_stacks,
        ),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="TAG",
            help="Only stacks with this tag of infra.yaml.",
            shell_complete=complete_tags,
        ),
        click.option("--all", "everything", is_flag=True, help="Select every stack."),
    ):
        function = option(function)
    return click.argument(
        "stacks", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks
    )(function)


@dataclass(frozen=True, kw_only=True)
class TerraformOptions:
    """The options of `terraform_options`."""

    parallelism: int | None
    variables: tuple[str, ...]
    var_files: tuple[str, ...]
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
            help="The number of stacks to run at once (default: one per core).",
        ),
        click.option(
            "--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set an input variable."
        ),
        click.option(
            "--var-file",
            "var_files",
            multiple=True,
            metavar="FILE",
            type=click.Path(),
            help="Load input variables from FILE, after the files in infra.yaml.",
        ),
        click.option(
            "--replace",
            "replaces",
            multiple=True,
            metavar="ADDRESS",
            help="Replace this resource.",
            shell_complete=complete_addresses,
        ),
        click.option(
            "--target",
            "targets",
            multiple=True,
            metavar="ADDRESS",
            help="Limit the run to this resource.",
            shell_complete=complete_addresses,
        ),
        click.option(
            "--refresh-only", is_flag=True, help="Only update the state with changes made outside Terraform."
        ),
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
        click.option(
            "--confirm",
            "confirmed",
            multiple=True,
            metavar="ENV",
            shell_complete=complete_environments,
            help="Confirm the protected environment ENV without a prompt.",
        ),
        click.option(
            "--allow-destroy", is_flag=True, help="Allow deletions and replacements without a prompt."
        ),
        click.option("--adopt", is_flag=True, help="Apply also from a state that no run has recorded."),
        click.option("--auto-approve", "-y", is_flag=True, help="Skip the confirmation prompt."),
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
        click.option(
            "--confirm",
            "confirmed",
            multiple=True,
            metavar="ENV",
            shell_complete=complete_environments,
            help="Confirm the protected environment ENV without a prompt.",
        ),
        click.option("--auto-approve", "-y", is_flag=True, help="Skip the confirmation prompt."),
    ):
        function = option(function)
    return function


pending_option = click.option("--pending", is_flag=True, help="Select the stacks with unapplied changes.")


def rollout_request_options(function: F) -> F:
    """What somebody asks of a rollout beside what trunk says; each as the input of the workflow has it."""
    for option in (
        click.option(
            "--supersede",
            metavar="COMMIT",
            default="",
            help="Apply over COMMIT, which was applied and is no longer in trunk's history.",
        ),
        click.option(
            "--forget",
            metavar="'STACK REASON'",
            default="",
            help="Forget the lost state of STACK, and create everything again.",
        ),
        click.option(
            "--resume",
            metavar="'STACK [--forget ADDRESS]…'",
            default="",
            help="Finish the interrupted apply of STACK, without the object at ADDRESS.",
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
        from orchestrator.config.duration import parse_duration

        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Reason(click.ParamType):  # type: ignore[type-arg]
    """Why an exception is made, in words that can be read; where `optional`, blanks are none."""

    name = "reason"

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from orchestrator.config.reason import clean_reason

        if self.optional and not str(value).strip():
            return ""
        try:
            return clean_reason(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, kw_only=True)
class CoordinationOptions:
    """The options of `coordination_options`; `wait` and `lock_timeout` are in seconds."""

    over: tuple[str, ...]
    break_glass: str | None
    lock_timeout: float
    wait: float


def coordination_options(function: F) -> F:
    """How to deal with others at work, and with rules in an emergency."""
    for option in (
        click.option(
            "--supersede",
            "over",
            multiple=True,
            metavar="COMMIT",
            help="Apply over COMMIT, which was applied and is no longer in trunk's history.",
        ),
        click.option(
            "--break-glass",
            type=Reason(),
            metavar="REASON",
            help="Apply where only CI may; the reason is recorded in the ledger.",
        ),
        click.option(
            "--lock-timeout",
            type=Duration(),
            default=0.0,
            metavar="DURATION",
            help="How long to wait for a state's lock.",
        ),
        click.option(
            "--wait",
            type=Duration(),
            default=0.0,
            metavar="DURATION",
            help="How long to wait for another run on the same stack, such as 10m.",
        ),
    ):
        function = option(function)
    return function
