"""`infra ci`: what jobs of GitHub Actions run; the same commands work on one machine."""

from __future__ import annotations

import click

from orchestrator.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "plan": ("orchestrator.cli.ci_plan:command", "Plan what a pull request changes, for its review."),
    "comment": ("orchestrator.cli.ci_comment:command", "Tell a pull request what the plan jobs found."),
    "compare": ("orchestrator.cli.ci_compare:command", "Compare what trunk owes with what was approved."),
    "apply": ("orchestrator.cli.ci_apply:command", "Apply on trunk exactly what was approved."),
    "settle": ("orchestrator.cli.ci_settle:command", "Follow what a cancelled job left running to its end."),
    "approve": ("orchestrator.cli.ci_approve:command", "Open a pull request that approves what is owed."),
    "drift": ("orchestrator.cli.ci_drift:command", "Tell what checks for drift found; have it put right."),
    "account": ("orchestrator.cli.ci_account:command", "Print which service account a job acts as."),
    "chat": ("orchestrator.cli.ci_chat:command", "Answer a command in a pull request's comment."),
}

EPILOG = """\b
Examples:
  infra ci plan --dry-run        what a pull request from this branch would be told
  infra ci plan --env dev        in a job: plan dev, and tell the pull request
  infra ci comment reports       in a job: one comment from the reports of all plan jobs
  infra ci apply                 in a job on trunk: catch up with what is owed
"""


@click.group(cls=LazyGroup, table=COMMANDS, epilog=EPILOG)
def command() -> None:
    """From pull request to production: what the jobs of GitHub Actions run.

    They read their job's environment; `plan --dry-run` needs none and prints instead of posting.
    """
