"""`infra drift`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import (
    ConsentOptions,
    Duration,
    JsonOptions,
    Reason,
    consent_options,
    json_option,
    with_options,
)
from orchestrator.errors import UsageError

EPILOG = """\b
Classes of what differs:
  reverted    changed outside; the next apply puts it back
  conflict    changed outside, and the code wants a third value
  codified    changed outside, and the code says the same already
  ignored     covered by ignore_changes
  baseline    filled in by the provider: so since the first check after an apply
  noise       changes by itself: counters, timestamps, what only the provider sets
  unmanaged   changed outside, and the code does not set it
  owed        nothing changed outside since, and yet an apply would change it

\b
Exit codes: 0 clean, 8 drift, 1 a check failed.

\b
Examples:
  infra drift                       every stack
  infra drift prod --budget 30m     the longest unchecked first, as far as half an hour goes
  infra drift dev/network --show-ignored
  infra drift --shard 2/4 --json    a quarter of the stacks, for a program
  infra drift --last                what the last checks found, without a new one
  infra drift history               when what drifted, for how long, and what ended it
  infra drift history prod/network
  infra drift dev/network --fix     put it right, as infra.yaml says
  infra drift dev/network --fix --action accept
  infra drift --issues              tell GitHub as well, with a token and without a job
"""


class Shard(click.ParamType):  # type: ignore[type-arg]
    """`2/4`: the second of four parts."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        number, _, of = str(value).partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            self.fail(f"{value!r} is not a shard such as 2/4", param, ctx)
        return int(number), int(of)


@dataclass(frozen=True, kw_only=True)
class DriftOptions(ConsentOptions, JsonOptions):
    """The options of `infra drift`; `budget` is in seconds, `shard` is I and N, `junit`, `markdown` and
    `report` are paths."""

    names: tuple[str, ...]
    everything: bool
    environments: tuple[str, ...]
    budget: float | None
    shard: tuple[int, int]
    parallelism: int | None
    show_ignored: bool
    last: bool
    junit: str | None
    markdown: str | None
    report: str | None
    issues: bool
    fix: bool
    action: Literal["revert", "accept", "pr"] | None
    break_glass: str | None


def is_misspelt(word: str, meant: str) -> bool:
    """Whether a word is nearly another one."""
    from difflib import SequenceMatcher

    return "/" not in word and word != meant and SequenceMatcher(None, word, meant).ratio() > 0.75


@click.command(epilog=EPILOG)
@click.argument(
    "names",
    nargs=-1,
    metavar="[ENV | ENV/STACK | GLOB]... | history [STACK]...",
    shell_complete=complete_stacks,
)
@click.option("--all", "everything", is_flag=True, help="Every stack, which is so without a name too.")
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Only stacks of ENV.")
@click.option("--budget", type=Duration(), metavar="DURATION", help="Begin nothing new after so long.")
@click.option("--shard", type=Shard(), default="1/1", metavar="I/N", help="Only the I-th of N parts.")
@click.option(
    "--parallelism", type=click.IntRange(1), metavar="N", help="Stacks at once (default: one per core)."
)
@click.option("--show-ignored", is_flag=True, help="Show noise, and what is ignored or covered by a rule.")
@click.option("--last", is_flag=True, help="Show what the last checks found; check nothing.")
@click.option("--junit", metavar="FILE", help="Write JUnit XML too.")
@click.option("--markdown", metavar="FILE", help="Write Markdown too.")
@click.option("--report", metavar="DIR", help="Write what `infra ci drift` makes issues of.")
@click.option("--issues", is_flag=True, help="Keep the issues on GitHub, too, and send the message.")
@click.option("--fix", is_flag=True, help="Put right what drifts, after a question.")
@click.option(
    "--action",
    type=click.Choice(["revert", "accept", "pr"]),
    help="How: apply the code again, take it into the state, or write it into the code by a pull request. "
    "Without it infra.yaml says (drift.actions).",
)
@consent_options
@click.option(
    "--break-glass",
    type=Reason(),
    metavar="REASON",
    help="Fix where only CI applies; the ledger remembers why.",
)
@json_option
@with_options(DriftOptions)
def command(app: App, options: DriftOptions) -> int:
    """Show what was changed outside Terraform.

    Each stack is planned once at the commit last applied to it. Nothing is locked, and neither a state nor
    the world is changed, unless --fix asks for it. In a GitHub Actions job the summary of the step is written
    too.
    """
    from orchestrator.cli import drifting

    if options.names[:1] == ("history",):
        return drifting.history(app, options.names[1:])
    first = options.names[0] if options.names else ""
    if is_misspelt(first, "history") and first not in app.project().environments:
        raise UsageError(
            f"There is no environment or stack {first!r}.", advice="Did you mean `infra drift history`?"
        )
    if options.everything and options.names:
        raise UsageError("--all and names exclude each other.", advice="Leave one out.")
    if options.action and not options.fix:
        raise UsageError("--action says how to fix.", advice="Add --fix.")
    if options.last and (options.fix or options.issues):
        raise UsageError("--last checks nothing.", advice="Leave it out, or --fix and --issues.")
    if options.last:
        return drifting.last(app, options.names, options.environments)
    return drifting.check(app, options)
