"""`infra apply`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    ConsentOptions,
    CoordinationOptions,
    DisplayOptions,
    JsonOptions,
    RequestOptions,
    consent_options,
    coordination_options,
    display_options,
    json_option,
    pending_option,
    selection_options,
    terraform_options,
    with_options,
)
from orchestrator.errors import UsageError

EPILOG = """\b
Examples:
  infra apply dev/network          plan one stack, ask, apply
  infra apply --all                everything, in promotion order
  infra apply prod --confirm prod --auto-approve      without a terminal
  infra apply --pending            every stack with unapplied changes on trunk
  infra apply --plan plans         the plans that `infra plan --out plans` saved
"""


@dataclass(frozen=True, kw_only=True)
class ApplyOptions(RequestOptions, DisplayOptions, ConsentOptions, CoordinationOptions, JsonOptions):
    """The options of `infra apply`; `plans` is the folder of saved plans."""

    plans: str | None
    pending: bool


@click.command(epilog=EPILOG)
@selection_options
@click.option("--plan", "plans", metavar="DIR", help="Apply the plans that `infra plan --out DIR` saved.")
@pending_option
@terraform_options
@display_options
@consent_options
@coordination_options
@json_option
@with_options(ApplyOptions)
def command(app: App, options: ApplyOptions) -> int:
    """Plan, show the plan, ask, and apply exactly that plan.

    Applies environments in promotion order, and stacks after the stacks that they read. A failure stops
    dependents and later environments; other stacks continue.

    Without a name, applies the stacks that differ from trunk.
    """
    from orchestrator.cli.support.session import (
        given_variables,
        make_consent,
        make_recorder_options,
        make_run_request,
        narrow,
        policy_inspection,
        print_result,
        run_session,
    )
    from orchestrator.engine import pipeline

    if options.plans and (
        options.everything
        or options.pending
        or options.variables
        or options.var_files
        or options.targets
        or options.replaces
    ):
        raise UsageError(
            "A saved plan is applied as it is.",
            advice="Leave --all, --pending, --var, --var-file, --target and --replace to the plan.",
        )
    recorder_options = make_recorder_options(options)
    with run_session(
        app, parallelism=options.parallelism, variables=given_variables(app, options)
    ) as session:
        context = session.context
        consent = make_consent(app, context, options, "apply")
        if options.plans:
            names = context.select(options.stacks, app.cwd) if options.stacks else ()
            if options.excluded or options.tags:
                names, _ = narrow(app, context.project, options, names or tuple(context.project.stacks))
            report = pipeline.apply_saved_plans(
                session, app.cwd / options.plans, names, consent, recorder_options, policy_inspection(context)
            )
            return print_result(app, report, after_report=True)
        request = make_run_request(
            app, session, options, pending=options.pending, recorder_options=recorder_options
        )
        consent.before_plan(context.protected(request.stacks))
        return print_result(app, pipeline.apply(session, request, consent), after_report=True)
