"""`infra ci apply ENV --drift DIGEST`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def refuse_more(asked: Mapping[str, Any]) -> None:
    """Drift is put right in one environment, and what trunk owes it is another matter."""
    if len(asked["environments"]) != 1:
        raise UsageError(
            "--drift belongs to one environment.", advice="Name it: `infra ci apply dev --drift …`."
        )
    if asked["seal"] or asked["shard"] or asked["skip_checks"]:
        raise UsageError(
            "--drift goes with none of --gate, --shard and --skip-checks.", advice="Leave them out."
        )


def run(app: App, session: Session, asked: Mapping[str, Any]) -> int:
    """Put right what may be put right, and leave a report for the job that tells the issues."""
    from orchestrator.cli.ci_applying import chosen

    (environment,) = chosen(session.context, asked["environments"])
    digests = digests_of(asked["drift"])
    terms = Terms(wait=asked["wait"], lock_timeout=60.0)
    inspect = policy_inspection(session.context)
    righted = put_right(session, environment, digests, Agreed(), terms, inspect)
    if asked["report"]:
        write_report(app.cwd / asked["report"], righted.report)
    lines = "".join(f"- {text(line)}\n" for line in righted.lines)
    add_summary(app.environ, f"{lines}\n{drift_markdown.summary(righted.report)}")
    if app.json:
        return app.emit("ci apply --drift", righted.code, **righted.report.document(), done=righted.lines)
    for line in righted.lines:
        app.write(line)
    return righted.code
