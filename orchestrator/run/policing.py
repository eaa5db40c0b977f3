"""The policy over a run's plans: rules as trunk has them, findings at the lines that they are about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.config.rules import Policy
from orchestrator.engine.context import RunContext
from orchestrator.engine.inspection import Inspect, Inspected
from orchestrator.errors import ConfigError, GitError, PolicyError, ProjectError
from orchestrator.plan.model import Plan
from orchestrator.plan.policy import Circumstances, Size, Violation, across, evaluate, size_of
from orchestrator.plan.rego import RegoRules
from orchestrator.project.declared import declared
from orchestrator.project.model import Finding, Project, Stack
from orchestrator.report.model import StackReport
from orchestrator.repository.tree import Tree
from orchestrator.terraform.environment import child_environment

SUFFIX = ".rego"
CONFIG = "infra.yaml"


def police(
    context: RunContext,
    policy: Policy,
    *,
    allow_destroy: bool,
    rego: Mapping[str, str] | None = None,
) -> Inspect:
    """An inspection that judges each plan by the policy; findings of severity `error` forbid it.

    `policy` and `rego` (texts by path) are trunk's. `allow_destroy` says whether the label allows to delete
    and replace, or a person is asked that. The inspection raises PolicyError where Rego cannot be evaluated.
    """
    rules = RegoRules(rego or {}, policy.rego, context.supervisor, child_environment(context.environ))

    def inspect(stack: Stack, plan: Plan, raw: bytes) -> Inspected:
        config, order = context.project.config, context.project.order
        at = Circumstances(stack.environment, config.is_protected(stack.environment, order), allow_destroy)
        document: Mapping[str, Any] = json.loads(raw) if policy.labels.required else {}
        found = list(evaluate(plan, document, policy, at))
        if rules:
            found += _by_rego(context, stack, plan, rules, raw)
        return Inspected(findings=tuple(_finding(context, stack, plan, one) for one in found))

    return inspect


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


def _finding(context: RunContext, stack: Stack, plan: Plan, one: Violation) -> Finding:
    """A violation at the line of the resource, where the code has it."""
    place = declared(context.project, stack, one.address) if one.address else None
    file, line = place or (None, None)
    message = context.mask(one.message, plan.secrets)
    return Finding(one.severity, one.rule, message, one.advice, file, line, stack.id)


def limits(
    reports: Iterable[StackReport], environments: Sequence[str], policy: Policy
) -> tuple[Finding, ...]:
    """What all plans of one change are against the limits, by environment in the order given."""
    sizes: dict[str, dict[str, Size]] = {}
    for one in reports:
        if one.result in ("changed", "blocked"):
            sizes.setdefault(one.environment, {})[one.id] = size_of(one.counts)
    names = [*environments, *sorted(sizes.keys() - set(environments))]
    return tuple(
        Finding(found.severity, found.rule, found.message, found.advice, CONFIG)
        for name in names
        if name in sizes
        for found in across(sizes[name], policy, name)
    )


def rego_texts(tree: Tree, folder: str) -> dict[str, str]:
    """The rules in Rego of a tree, by path; bytes that are no UTF-8 make a rule that cannot be read."""
    return {
        path: tree.read(path).decode("utf-8", "replace")
        for path in tree.below(folder)
        if path.endswith(SUFFIX) and path in tree.ids
    }


def rules_of_trunk(project: Project) -> tuple[Policy, dict[str, str]]:
    """Policy and Rego of the commit from which the work at hand parted from trunk.

    Those of the files at hand where there is no such commit, or its infra.yaml cannot be read.
    """
    from orchestrator.config import load_text
    from orchestrator.project.affected import base_commit

    try:
        commit = base_commit(project)
        tree = project.repository.commit_tree(commit) if commit else project.tree
        config = load_text(tree.read(CONFIG)) if commit and CONFIG in tree.ids else project.config
    except (GitError, ConfigError, ProjectError):
        tree, config = project.tree, project.config
    return config.policy, rego_texts(tree, config.policy.rego.folder)
