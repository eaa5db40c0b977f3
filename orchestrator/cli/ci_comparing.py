"""What `infra ci compare` does: the comparison, its outputs for the job, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.ci.comparing import Comparison, compare
from orchestrator.ci.gates import write_gated
from orchestrator.ci.landed import Landed
from orchestrator.ci.landing import landing_of, write_landing
from orchestrator.ci.outputs import add_summary, set_outputs
from orchestrator.cli.ci_applying import chosen, facts_of, host_for
from orchestrator.cli.context import App
from orchestrator.cli.running import print_report
from orchestrator.errors import Exit
from orchestrator.run.session import Session


def run(app: App, session: Session, asked: Mapping[str, Any]) -> int:
    """`infra ci compare`; returns its exit code."""
    (environment,) = chosen(session, [asked["environment"]])
    with host_for(app, session, [environment], posts=False) as host:
        found = compare(session, environment, host)
    if session.supervisor.interrupted:
        return int(Exit.INTERRUPTED)
    seal = write_gated(session, environment, gated(found)) if found.gate else ""
    outputs = {
        "owed": str(len(found.owed)),
        "gate": "true" if found.gate else "false",
        "seal": seal,
        "run": session.info.id,
    }
    set_outputs(app.environ, outputs)
    tell(app, session, found, asked["report"])
    code = exit_code(found)
    if app.json:
        verdicts = {id_: verdict.kind for id_, verdict in found.verdicts.items()}
        document = {**found.report.document(), "owed": dict(found.owed), "verdicts": verdicts}
        return app.emit("ci compare", code, gate=found.gate, seal=seal or None, **document)
    print_report(app, found.report)
    for id_, verdict in found.verdicts.items():
        app.note(f"{id_}: {verdict.kind}{': ' if verdict.reason else ''}{verdict.reason}")
    what = "has to be approved in the gate" if found.gate else "needs nobody's word now"
    app.write(f"{environment}: {len(found.owed)} owed; it {what}.")
    return code


def gated(found: Comparison) -> dict[str, Any]:
    """The digests that the gate approves: of every plan that was made, so that one word is enough."""
    digests = {id_: one.inspected.digest for id_, one in found.planned.items()}
    return {id_: digest for id_, digest in digests.items() if digest is not None}


def exit_code(found: Comparison) -> int:
    """A stack that cannot be planned is the apply's to tell, as long as there is another one to apply."""
    going = any(one.has_changes or one.report.result == "waiting" for one in found.planned.values())
    unchanged = all(one.report.result == "unchanged" for one in found.planned.values())
    return 0 if going or unchanged else found.report.exit_code


def tell(app: App, session: Session, found: Comparison, folder: str | None) -> None:
    """The gate's text into the job's summary, and into a report where that is wanted."""
    from orchestrator.report.landing_comment import landing_summary

    if not found.gate:
        add_summary(app.environ, f"{len(found.owed)} owed; nobody has to approve anything now.\n")
        return
    landed = Landed(found.environment, found.report, found.owed, found.verdicts)
    facts = facts_of(app, session)
    landing = replace(landing_of(facts, landed), state="gate", gate_url=facts.url)
    if folder:
        write_landing(app.cwd / folder, landing)
    add_summary(app.environ, landing_summary(landing))
