"""What `infra ci compare`, `apply`, `comment` and `finalize` share: environments, facts, and the forge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from orchestrator.cli.app import App
from orchestrator.cli.options import RolloutRequestOptions
from orchestrator.cli.support.session import print_report
from orchestrator.engine.commit_order import is_on_trunk
from orchestrator.engine.context import RunContext
from orchestrator.engine.origin import origin_of
from orchestrator.engine.pipeline import environments_in_order
from orchestrator.engine.rollout_requests import NO_REQUESTS, RolloutRequests, parse_requests
from orchestrator.errors import BlockedError, UsageError
from orchestrator.forge.factory import open_forge, read_rollout_requests
from orchestrator.forge.interface import Forge
from orchestrator.repository.model import Project
from orchestrator.review.rollout.compare import needs_approval
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.results import RolloutFacts


def select_environments(context: RunContext, names: Sequence[str]) -> tuple[str, ...]:
    """The environments named, or all, in promotion order; those whose stacks were all deleted come last.

    Raises ConfigError where no order is configured, and BlockedError for a commit that is not on trunk: what
    is not merged was not approved. Raises GitError instead in a shallow clone, which may lack it.
    """
    if not is_on_trunk(context.project, context.info.commit):
        reason = (
            f"{context.info.commit[:10] or 'This checkout'} is not on trunk: only what is merged is applied."
        )
        if context.project.repository.is_shallow:
            raise context.project.repository.lacking_error(reason)
        raise BlockedError(reason, advice="Check out trunk, with its whole history (`fetch-depth: 0`).")
    known = (*context.project.order.all, *context.project.environments_without_stacks)
    unknown = sorted(set(names) - set(known))
    if unknown:
        existing = ", ".join(known) or "none"
        raise UsageError(f"There is no environment {', '.join(unknown)}.", advice=f"There are {existing}.")
    selected = tuple(name for name in known if not names or name in names)
    if len(selected) > 1:
        environments_in_order(
            context.project, [stack.id for name in selected for stack in context.project.of(name)]
        )
    return selected


def make_rollout_requests(
    app: App, options: RolloutRequestOptions, environments: Sequence[str]
) -> RolloutRequests:
    """Requests for the rollout of one environment: from options, else from the workflow's inputs."""
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
        return read_rollout_requests(app.environ, environments[0])
    return parse_requests(**{name: text.strip() for name, text in texts.items()})


@contextmanager
def open_forge_if_needed(
    app: App, project: Project, environments: Sequence[str], *, posts: bool
) -> Iterator[Forge | None]:
    """Opens the forge; None where it cannot be opened and no environment needs an approval.

    With a CI other than GitHub Actions there is none, whatever the environment names.
    """
    if not project.config.ci.has_reviews:
        yield None
        return
    try:
        forge = open_forge(app.environ)
    except UsageError as error:
        if any(needs_approval(project, name) for name in environments):
            raise
        if posts:
            app.note(f"Nothing is published to GitHub: {error.message}")
        yield None
        return
    with forge:
        yield forge


def make_rollout_facts(app: App, context: RunContext) -> RolloutFacts:
    """The facts that all environment results of this run share."""
    return replace(make_job_facts(app, context.project), run=context.info.id)


def make_job_facts(app: App, project: Project) -> RolloutFacts:
    """The same facts for a job without a run."""
    return RolloutFacts(
        repository=app.environ.get("GITHUB_REPOSITORY", ""),
        trunk=project.trunk_branch,
        commit=project.commit or "",
        run="",
        url=origin_of(app.environ).link,
        order=project.order.names,
    )


def print_environment(app: App, run: EnvironmentRun) -> None:
    """Prints the result of one environment."""
    if run.hold_reason:
        app.note(f"error: {run.environment} is not applied: {run.hold_reason}.")
        app.note(f"  {_promotion_advice(run.behind)}")
        return
    if run.behind:
        app.write(f"{run.environment}: not started; {run.behind} comes first and is not done.")
        return
    if run.error:
        app.note(f"error: {run.environment}: {run.error}")
        for advice in run.notes:
            app.note(f"  {advice}")
        return
    if run.heartbeat:
        app.note(run.heartbeat)
    if run.report is None or not run.report.stacks:
        app.write(f"{run.environment}: nothing to do; no stack is pending.")
    else:
        print_report(app, run.report)
    for check in run.checks:
        app.write(
            f"{run.environment}: check {check.name}: {'ok' if check.ok else 'FAILED: ' + check.message}"
        )
    if run.is_incomplete:
        app.note(f"error: stacks of {run.environment} are pending, and none of them was applied.")


def _promotion_advice(environment: str) -> str:
    """What to do about an environment that has not passed, and so blocks the next ones."""
    return (
        f"Promotion continues once {environment} passes: `infra ci apply {environment}`, or `/infra apply "
        f"{environment}` on a merged pull request, runs its checks again, as trunk's infra.yaml has them."
    )
