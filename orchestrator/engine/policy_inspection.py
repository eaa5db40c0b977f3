"""Evaluates trunk's policy on a run's plans, and estimates their cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.config.rules import Policy
from orchestrator.engine.context import RunContext
from orchestrator.engine.inspection import Inspect, PlanInspection
from orchestrator.errors import ConfigError, GitError, PolicyError, ProjectError
from orchestrator.masking import SecretSet
from orchestrator.plan.cost import MonthlyCost
from orchestrator.plan.infracost import SETTINGS, VARIABLES, Infracost
from orchestrator.plan.model import Plan
from orchestrator.plan.plan_json import PlanJson
from orchestrator.plan.policy import PlanSize, PolicyContext, Violation, check_sizes, evaluate, size_of
from orchestrator.plan.rego import RegoRules
from orchestrator.report.model import StackReport
from orchestrator.repository.declarations import find_declaration
from orchestrator.repository.model import Finding, Project, Stack
from orchestrator.repository.tree import Tree
from orchestrator.terraform.environment import child_environment, plain_environment

SUFFIX = ".rego"
CONFIG = "infra.yaml"


def policy_inspection(
    context: RunContext,
    policy: Policy,
    *,
    allow_destroy: bool,
    rego: Mapping[str, str] | None = None,
    estimates_cost: bool = False,
) -> Inspect:
    """An inspection that judges each plan by the policy; findings of severity `error` forbid it.

    `policy` and `rego` (texts by path) are trunk's. `allow_destroy` says whether the label allows to delete
    and replace, or a person is asked that; `estimates_cost` whether each plan gets its cost. The inspection
    raises PolicyError where Rego cannot be evaluated.
    """
    rules = RegoRules(rego or {}, policy.rego, context.supervisor, child_environment(context.environ))

    def inspect(stack: Stack, plan: Plan, plan_json: PlanJson) -> PlanInspection:
        config, order = context.project.config, context.project.order
        at = PolicyContext(stack.environment, config.is_protected(stack.environment, order), allow_destroy)
        violations = list(evaluate(plan, plan_json.parts, policy, at))
        if rules:
            violations += _by_rego(context, stack, plan, rules, plan_json.show())
        return PlanInspection(
            findings=tuple(_finding(context, stack, plan, violation) for violation in violations),
            cost=estimate_cost(context, stack, plan, plan_json) if estimates_cost else None,
        )

    return inspect


def estimate_cost(context: RunContext, stack: Stack, plan: Plan, plan_json: PlanJson) -> MonthlyCost:
    """What a plan changes of the monthly cost; masked, since what the program prints may quote the plan.

    The program gets no credentials but its own, and is never one of the checkout.
    """
    own = {name: value for name, value in context.environ.items() if name.startswith(VARIABLES)}
    env = plain_environment(
        context.environ, passed=tuple(own), extra=SETTINGS, outside=context.project.root.resolve()
    )
    folder = context.folders.run(context.info.id, stack.id)
    cost = Infracost(context.supervisor, env).estimate(plan_json.show(), folder)
    secrets = plan.secrets | SecretSet.of(value for name, value in own.items() if name.endswith("KEY"))
    return replace(cost, problem=context.mask(cost.problem, secrets))


def _by_rego(
    context: RunContext, stack: Stack, plan: Plan, rules: RegoRules, raw: bytes
) -> tuple[Violation, ...]:
    """What the rules in Rego say; their errors may quote the plan, and are masked as it is."""
    try:
        return rules.evaluate(raw, context.folders.run(context.info.id, stack.id))
    except PolicyError as error:
        raise PolicyError(
            context.mask(error.message, plan.secrets), advice=error.advice, file=error.file, stack=stack.id
        ) from None


def _finding(context: RunContext, stack: Stack, plan: Plan, violation: Violation) -> Finding:
    """A violation at the line of the resource, where the code has it."""
    declaration = find_declaration(context.project, stack, violation.address) if violation.address else None
    file, line = declaration or (None, None)
    message = context.mask(violation.message, plan.secrets)
    return Finding(violation.severity, violation.rule, message, violation.advice, file, line, stack.id)


def check_limits(
    reports: Iterable[StackReport], environments: Sequence[str], policy: Policy
) -> tuple[Finding, ...]:
    """What all plans of one change are against the limits, by environment in the order given."""
    sizes: dict[str, dict[str, PlanSize]] = {}
    for report in reports:
        if report.result in ("changed", "blocked"):
            sizes.setdefault(report.environment, {})[report.id] = size_of(report.counts, report.cost)
    names = [*environments, *sorted(sizes.keys() - set(environments))]
    return tuple(
        Finding(violation.severity, violation.rule, violation.message, violation.advice, CONFIG)
        for name in names
        if name in sizes
        for violation in check_sizes(sizes[name], policy, name)
    )


def rego_texts(tree: Tree, folder: str) -> dict[str, str]:
    """The rules in Rego of a tree, by path; bytes that are no UTF-8 make a rule that cannot be read."""
    return {
        path: tree.read(path).decode("utf-8", "replace")
        for path in tree.below(folder)
        if path.endswith(SUFFIX) and path in tree.ids
    }


def read_policy(project: Project) -> tuple[Policy, dict[str, str]]:
    """The policy of a project, and its rules in Rego by path."""
    policy = project.config.policy
    return policy, rego_texts(project.tree, policy.rego.folder)


def rules_of_trunk(project: Project) -> tuple[Policy, dict[str, str]]:
    """Policy and Rego of the commit from which the work at hand parted from trunk.

    Those of the files at hand where there is no such commit, or its infra.yaml cannot be read.
    """
    from orchestrator.config import load_text
    from orchestrator.repository.affected import base_commit

    try:
        commit = base_commit(project)
        tree = project.repository.commit_tree(commit) if commit else project.tree
        config = load_text(tree.read(CONFIG)) if commit and CONFIG in tree.ids else project.config
    except (GitError, ConfigError, ProjectError):
        tree, config = project.tree, project.config
    return config.policy, rego_texts(tree, config.policy.rego.folder)
