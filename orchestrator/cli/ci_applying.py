"""What `infra ci compare` and `infra ci apply` share: whom they ask, and how the result is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.ci import shards
from orchestrator.ci.event import rollout_requests, skip_reason
from orchestrator.ci.landing import sharding
from orchestrator.ci.landing.applying import Asked, land
from orchestrator.ci.landing.comparing import needs_approval
from orchestrator.ci.landing.landed import Landed
from orchestrator.ci.landing.results import Facts, begun, landing_of, tell, write_landing
from orchestrator.ci.outputs import add_summary
from orchestrator.ci.requests import NO_REQUESTS, RolloutRequests, requests_in
from orchestrator.cli.context import App
from orchestrator.cli.options import RolloutRequestOptions
from orchestrator.cli.running import print_report
from orchestrator.engine.context import RunContext
from orchestrator.engine.origin import origin_of
from orchestrator.engine.session import Session
from orchestrator.errors import BlockedError, Exit, UsageError, exit_code_of
from orchestrator.hosts.port import Host
from orchestrator.project.model import Project
from orchestrator.report.landing import Landing
from orchestrator.review.gate import Ticket
from orchestrator.review.pending import trunk_branch
from orchestrator.run.forward import is_on_trunk
from orchestrator.run.pipeline import environments_in_order
from orchestrator.run.recording import Terms

if TYPE_CHECKING:
    from orchestrator.cli.ci_apply import CiApplyOptions


def run(app: App, session: Session, options: CiApplyOptions) -> int:
    """`infra ci apply`; returns its exit code."""
    context = session.context
    environments = chosen(context, options.environments)
    seal = options.seal
    if seal and len(environments) != 1:
        raise UsageError(
            "--gate belongs to one environment.", advice="Name it: `infra ci apply prod --gate …`."
        )
    skip_checks = options.skip_checks
    if len(environments) == 1:
        skip_checks = skip_checks or skip_reason(app.environ, environments[0])
    elif skip_checks:
        raise UsageError(
            "--skip-checks belongs to one environment.",
            advice="Name it: `infra ci apply staging --skip-checks …`.",
        )
    folder = app.cwd / options.report if options.report else None
    facts = facts_of(app, context)

    def beginning(landed: Landed) -> None:
        if folder:
            write_landing(folder, begun(facts, landed), options.shard or "")

    parts = parts_of(session, environments, options.shard)
    job = Asked(
        environments,
        Terms(wait=options.wait, lock_timeout=60.0),
        Ticket.parse(seal) if seal.strip() else None,
        tuple(id_ for one in parts for id_ in one.stacks) if parts else None,
        parts[0] if len(parts) == 1 else None,
        options.parallelism,
        skip_checks,
        requests_of(app, options, environments),
        beginning,
    )
    with host_for(app, context.project, environments, posts=not folder) as host:
        landed = land(session, job, host)
        landings = [landing_of(facts, one) for one in landed]
        return told(app, context, landed, landings, host, folder, options.shard or "")


def requests_of(app: App, options: RolloutRequestOptions, environments: Sequence[str]) -> RolloutRequests:
    """What is asked of the rollout of one environment: by options, else by inputs of the workflow."""
    texts = {"resume": options.resume, "forget": options.forget, "supersede": options.supersede}
    if len(environments) != 1:
        for name, text in texts.items():
            if text:
                raise UsageError(
                    f"--{name} belongs to one environment.",
                    advice=f"Name it: `infra ci apply ENV --{name} …`.",
                )
        return NO_REQUESTS
    if not any(text.strip() for text in texts.values()):
        return rollout_requests(app.environ, environments[0])
    return requests_in(**{name: text.strip() for name, text in texts.items()})


def told(
    app: App,
    context: RunContext,
    landed: Sequence[Landed],
    landings: Sequence[Landing],
    host: Host | None,
    folder: Path | None,
    shard: str = "",
) -> int:
    """Say on the terminal, in the summary and on GitHub what became of each environment."""
    from orchestrator.report.landing_comment import landing_summary

    code = code_of(landed)
    trouble = ""
    if folder:
        for one in landings:
            write_landing(folder, one, shard)
    elif host:
        outbox = tell(host, context.project, landings)
        trouble = outbox.summary
        for failure in outbox.failures:
            app.note(f"GitHub could not be told: {failure}")
    add_summary(app.environ, "\n".join(landing_summary(one) for one in landings) + trouble)
    if app.json:
        stacks = [stack.document() for one in landed for stack in one.stacks]
        environments = [environment_document(one) for one in landed]
        run = context.report("apply", ()).run.document()
        return app.emit("ci apply", code, run=run, environments=environments, stacks=stacks)
    for done in landed:
        say(app, done)
    return code


def say(app: App, one: Landed) -> None:
    """An environment on the terminal."""
    if one.held:
        app.note(f"error: {one.environment} is not applied: {one.held}.")
        app.note(f"  {held_advice(one.behind)}")
        return
    if one.behind:
        app.write(f"{one.environment}: not begun, since {one.behind} comes before it and is not done.")
        return
    if one.error:
        app.note(f"error: {one.environment}: {one.error}")
        for advice in one.notes:
            app.note(f"  {advice}")
        return
    if one.heartbeat:
        app.note(one.heartbeat)
    if one.report is None or not one.report.stacks:
        app.write(f"{one.environment}: nothing to do; trunk owes it nothing.")
    else:
        print_report(app, one.report)
    for check in one.checks:
        app.write(
            f"{one.environment}: check {check.name}: {'ok' if check.ok else 'FAILED: ' + check.message}"
        )
    if one.lost:
        app.note(f"error: {one.environment} is owed something, and nothing of it was applied.")


def held_advice(environment: str) -> str:
    """What to do about an environment that has not passed and so holds back the next ones."""
    return (
        f"Promotion goes on once {environment} passes: `infra ci apply {environment}`, or `/infra apply "
        f"{environment}` on a merged pull request, runs its checks again, as trunk's infra.yaml has them."
    )


def code_of(landed: Sequence[Landed]) -> int:
    """The exit code over all environments."""
    codes = [one.exit_code for one in landed]
    if int(Exit.INTERRUPTED) in codes and not any(one.applied for one in landed):
        return int(Exit.INTERRUPTED)
    return exit_code_of(int(Exit.PARTIAL) if code == int(Exit.INTERRUPTED) else code for code in codes)


def environment_document(one: Landed) -> dict[str, Any]:
    """An environment as it stands in `--json`."""
    return {
        "name": one.environment,
        "state": one.state,
        "owed": dict(one.owed),
        "behind": one.behind or None,
        "held": one.held or None,
        "error": one.error or None,
        "pull_requests": list(one.pull_requests),
        "verdicts": {id_: verdict.kind for id_, verdict in one.verdicts.items()},
        "checks": [{"name": c.name, "ok": c.ok, "words": c.message} for c in one.checks],
        "soak": round(one.soaked, 3),
        "notes": list(one.notes),
    }


@contextmanager
def host_for(
    app: App, project: Project, environments: Sequence[str], *, posts: bool
) -> Iterator[Host | None]:
    """The host, where something is asked of it or told it; None when it cannot be had and is not needed."""
    from orchestrator.hosts.github import open_host

    try:
        host = open_host(app.environ)
    except UsageError as error:
        if any(needs_approval(project, name) for name in environments):
            raise
        if posts:
            app.note(f"GitHub is told nothing: {error.message}")
        yield None
        return
    with host:
        yield host


def facts_of(app: App, context: RunContext) -> Facts:
    """What all landings of this job share."""
    return replace(facts_of_job(app, context.project), run=context.info.id)


def facts_of_job(app: App, project: Project) -> Facts:
    """The same for a job that runs nothing."""
    return Facts(
        repository=app.environ.get("GITHUB_REPOSITORY", ""),
        trunk=trunk_branch(project),
        commit=project.commit or "",
        run="",
        url=origin_of(app.environ).link,
        order=project.order.names,
    )


def chosen(context: RunContext, names: Sequence[str]) -> tuple[str, ...]:
    """The environments named, all when none are, in promotion order.

    Raises ConfigError where there is no such order, BlockedError for a commit that trunk does not have: what
    is not merged was not approved.
    """
    if not is_on_trunk(context.project, context.info.commit):
        raise BlockedError(
            f"{context.info.commit[:10] or 'This checkout'} is not on trunk: only what is merged is applied.",
            advice="Check out trunk, with its whole history (`fetch-depth: 0`).",
        )
    order = context.project.order
    unknown = sorted(set(names) - set(order.all))
    if unknown:
        there = ", ".join(order.all) or "none"
        raise UsageError(f"There is no environment {', '.join(unknown)}.", advice=f"There are {there}.")
    found = tuple(name for name in order.all if not names or name in names)
    if len(found) > 1:
        environments_in_order(
            context.project, [stack.id for name in found for stack in context.project.of(name)]
        )
    return found


def parts_of(session: Session, environments: Sequence[str], shard: str | None) -> tuple[shards.Shard, ...]:
    """What `--shard I/N` is of each environment; nothing without it, and where one job applies all."""
    if not shard:
        return ()
    index, count, _ = shards.parse(shard)
    if count == 1:
        return ()
    project = session.context.project
    return tuple(
        shards.Shard(name, index, count, sharding.part(project, name, index, count)) for name in environments
    )
