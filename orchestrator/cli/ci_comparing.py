"""What `infra ci compare` does: the comparison, its outputs for the job, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ci.event import skip_reason
from orchestrator.ci.landing.comparing import Comparison, approve_advice, compare, mismatch_words
from orchestrator.ci.landing.landed import Landed
from orchestrator.ci.landing.results import landing_of, write_landing
from orchestrator.ci.outputs import add_summary, set_outputs
from orchestrator.cli.ci_applying import chosen, facts_of, host_for, requests_of, say
from orchestrator.cli.context import App
from orchestrator.cli.running import print_report
from orchestrator.engine.context import RunContext
from orchestrator.engine.session import Session
from orchestrator.errors import Exit, InfraError
from orchestrator.hosts.port import Host
from orchestrator.report.landing import Landing
from orchestrator.report.words import plural
from orchestrator.review.gate import gate_name, write_ticket

if TYPE_CHECKING:
    from orchestrator.cli.ci_compare import CiCompareOptions


def run(app: App, session: Session, options: CiCompareOptions) -> int:
    """`infra ci compare`; returns its exit code."""
    context = session.context
    (environment,) = chosen(context, [options.environment])
    folder = app.cwd / options.report if options.report else None
    skip_checks = options.skip_checks or skip_reason(app.environ, environment)
    requests = requests_of(app, options, [environment])
    try:
        with host_for(app, context.project, [environment], posts=False) as host:
            found = compare(session, environment, host, skip_checks, requests)
            ticket = _ticket(session, found, host)
    except InfraError as error:
        if folder:
            write_landing(folder, _hindered(app, context, environment, error))
        raise
    if context.supervisor.interrupted:
        return int(Exit.INTERRUPTED)
    if found.hold:
        return _held(app, context, found, folder)
    outputs = {
        "owed": str(len(found.owed)),
        "gate": "true" if found.gate else "false",
        "seal": ticket,
        "run": context.info.id,
        "checks_due": "true" if found.checks_due else "false",
    }
    set_outputs(app.environ, outputs)
    code = exit_code(found)
    add_summary(app.environ, told(app, context, found, folder, fails=bool(code)))
    if app.json:
        verdicts = {id_: verdict.kind for id_, verdict in found.verdicts.items()}
        document = {**found.report.document(), "owed": dict(found.owed), "verdicts": verdicts}
        return app.emit(
            "ci compare",
            code,
            gate=found.gate,
            way_out=found.way_out if found.undecided else None,
            seal=ticket or None,
            checks_due=found.checks_due or None,
            **document,
        )
    print_report(app, found.report)
    for id_, verdict in found.verdicts.items():
        app.note(f"{id_}: {verdict.kind}{': ' if verdict.reason else ''}{verdict.reason}")
    app.write(f"{environment}: {len(found.owed)} pending; {_decision(found)}")
    if found.checks_due:
        app.write(f"{environment}: its checks are due: {found.checks_due}.")
    return code


def _held(app: App, context: RunContext, found: Comparison, folder: Path | None) -> int:
    """An environment that must wait for an earlier one; returns the exit code."""
    from orchestrator.report.landing_comment import landing_summary

    hold, owed = found.hold, found.owed
    if hold is None:
        raise ValueError(f"{found.environment} is not held")
    landed = Landed(found.environment, owed=owed, behind=hold.environment, held=hold.reason)
    landing = landing_of(facts_of(app, context), landed)
    if folder:
        write_landing(folder, landing)
    set_outputs(
        app.environ,
        {"owed": str(len(owed)), "gate": "false", "seal": "", "run": context.info.id, "checks_due": "false"},
    )
    add_summary(app.environ, landing_summary(landing))
    if app.json:
        document = {**found.report.document(), "owed": dict(owed), "verdicts": {}, "held": hold.reason}
        return app.emit(
            "ci compare", landed.exit_code, gate=False, way_out=None, seal=None, checks_due=None, **document
        )
    say(app, landed)
    return landed.exit_code


def _ticket(session: Session, found: Comparison, host: Host | None) -> str:
    """What names the plans that the gate shows: all that were made, so that one yes is enough."""
    if not found.gate or session.context.supervisor.interrupted:
        return ""
    digests = {id_: one.inspected.digest for id_, one in found.planned.items()}
    shown = {id_: digest for id_, digest in digests.items() if digest is not None}
    return str(write_ticket(session, found.environment, shown, host))


def _decision(found: Comparison) -> str:
    """Who has to approve something, as the rest of a sentence."""
    count = len(found.undecided)
    if found.skip_checks:
        return f"its checks are skipped if {gate_name(found.environment)} approves: {found.skip_checks}"
    if found.gate:
        return f"{plural(count, 'stack')} must be approved in {gate_name(found.environment)}."
    if found.undecided:
        advice = approve_advice(found.environment, found.way_out)
        return f"{plural(count, 'stack')} will be refused, since nobody approved what it does. {advice}"
    return "nobody has to approve anything now."


def exit_code(found: Comparison) -> int:
    """A stack that cannot be planned is the apply's to tell, as long as there is another one to apply."""
    going = any(one.has_changes or one.report.result == "waiting" for one in found.planned.values())
    unchanged = all(one.report.result == "unchanged" for one in found.planned.values())
    return 0 if going or unchanged else found.report.exit_code


def told(app: App, context: RunContext, found: Comparison, folder: Path | None, *, fails: bool) -> str:
    """What people must know before anything is applied: for the summary, and for the pull requests."""
    from orchestrator.report.landing_comment import landing_summary

    if not (found.undecided or found.skip_checks or fails):
        return f"{len(found.owed)} pending; {_decision(found)}\n"
    landing = _landing(app, context, found)
    if folder:
        write_landing(folder, landing)
    return landing_summary(landing)


def _landing(app: App, context: RunContext, found: Comparison) -> Landing:
    """The environment as it waits at its gate, or why it could not even be compared."""
    stacks = []
    for one in found.report.stacks:
        verdict = found.verdicts.get(one.id)
        if verdict and not verdict.may_apply:
            words = mismatch_words(verdict) if verdict.kind == "mismatch" else verdict.reason
            stacks.append(replace(one, result="blocked", reason=words))
        else:
            stacks.append(one)
    report = context.report("compare", stacks)
    facts = facts_of(app, context)
    skip = f"Its checks are skipped if this is approved: {found.skip_checks}."
    notes = (context.mask(skip),) if found.skip_checks else ()
    landed = Landed(found.environment, report, found.owed, found.verdicts, way_out=found.way_out, notes=notes)
    landing = landing_of(facts, landed)
    return replace(landing, state="gate", gate_url=facts.url) if found.gate else landing


def _hindered(app: App, context: RunContext, environment: str, error: InfraError) -> Landing:
    """That what is owed cannot be told, so that the pull requests hear of it too."""
    message = context.mask(error.message)
    landed = Landed(environment, error=message, error_code=int(error.exit_code), notes=(error.advice,))
    return landing_of(facts_of(app, context), landed)
