"""`infra ci apply ENV --drift DIGEST`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.ci.drift.applying import digests_of, put_right
from orchestrator.ci.drift.reports import write_report
from orchestrator.ci.landing.applying import Agreed
from orchestrator.ci.outputs import add_summary
from orchestrator.cli.context import App
from orchestrator.cli.running import policy_inspection
from orchestrator.engine.session import Session
from orchestrator.errors import UsageError
from orchestrator.report import drift_markdown
from orchestrator.report.escape import text
from orchestrator.run.recording import Terms

if TYPE_CHECKING:
    from orchestrator.cli.ci_apply import CiApplyOptions


def refuse_more(options: CiApplyOptions) -> None:
    """Drift is put right in one environment, and what trunk owes it is another matter."""
    if len(options.environments) != 1:
        raise UsageError(
            "--drift belongs to one environment.", advice="Name it: `infra ci apply dev --drift …`."
        )
    if options.seal or options.shard or options.skip_checks:
        raise UsageError(
            "--drift goes with none of --gate, --shard and --skip-checks.", advice="Leave them out."
        )


def run(app: App, session: Session, options: CiApplyOptions) -> int:
    """Put right what may be put right, and leave a report for the job that tells the issues."""
    from orchestrator.cli.ci_applying import chosen

    (environment,) = chosen(session.context, options.environments)
    digests = digests_of(options.drift)
    terms = Terms(wait=options.wait, lock_timeout=60.0)
    inspect = policy_inspection(session.context)
    righted = put_right(session, environment, digests, Agreed(), terms, inspect)
    if options.report:
        write_report(app.cwd / options.report, righted.report)
    lines = "".join(f"- {text(line)}\n" for line in righted.lines)
    add_summary(app.environ, f"{lines}\n{drift_markdown.summary(righted.report)}")
    if app.json:
        return app.emit("ci apply --drift", righted.code, **righted.report.document(), done=righted.lines)
    for line in righted.lines:
        app.write(line)
    return righted.code
