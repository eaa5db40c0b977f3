"""`infra ci`: what jobs of GitHub Actions run; the same commands work on one machine."""

from __future__ import annotations

import click

from orchestrator.cli.support.lazy_group import FormerNames, LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "plan": ("orchestrator.cli.ci_plan:command", "Plan what a pull request changes, for its review."),
    "comment": ("orchestrator.cli.ci_comment:command", "Post the plan of all plan jobs to a pull request."),
    "report": ("orchestrator.cli.ci_report:command", "Run the report hooks for a change."),
    "charts": ("orchestrator.cli.ci_charts:command", "Report how rendered Helm charts differ (report hook)."),
    "compare": ("orchestrator.cli.ci_compare:command", "Compare pending changes with what was approved."),
    "apply": ("orchestrator.cli.ci_apply:command", "Apply on trunk exactly what was approved."),
    "finalize": ("orchestrator.cli.ci_finalize:command", "Follow a cancelled apply until Terraform ends."),
    "approve": ("orchestrator.cli.ci_approve:command", "Open a pull request that approves pending changes."),
    "drift": ("orchestrator.cli.ci_drift:command", "Publish drift to issues, and start its remediation."),
    "account": ("orchestrator.cli.ci_account:command", "Print which service account a job acts as."),
    "chat": ("orchestrator.cli.ci_chat:command", "Answer a command in a pull request's comment."),
}

# Until 1.0 the names of earlier versions are accepted too.
FORMER_NAMES = FormerNames(
    commands={"settle": "finalize"},
    options={"apply": {"--patience": "--grace-period"}, "drift": {"--corrected": "--remediated"}},
)

EPILOG = """\b
Examples:
  infra ci plan --dry-run        what would be posted for this branch
  infra ci plan --env dev        in a job: plan dev, and comment on the pull request
  infra ci comment reports       in a job: one comment from the reports of all plan jobs
  infra ci apply                 in a job on trunk: apply what is pending
"""


@click.group(cls=LazyGroup, table=COMMANDS, former_names=FORMER_NAMES, epilog=EPILOG)
def command() -> None:
    """Take a pull request to production. The jobs of a CI run these commands.

    They read the variables of their job. `plan --dry-run` works without a job, and prints instead of posting.
    """
