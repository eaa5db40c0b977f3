"""`/repos/…`: changes of a repository's settings, as its administrators make them."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.sandbox.github import api_repository
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall
from orchestrator.sandbox.github.errors import GitHubError, invalid, not_found, unprocessable
from orchestrator.sandbox.github.model import DeploymentEnvironment
from orchestrator.sandbox.github.shapes import team_id

_VARIABLE = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*")
_MOST_REVIEWERS = 6


def put_environment(call: RepositoryCall) -> ApiResponse:
    """Create or replace a deployment environment; what the request leaves out is set to its default."""
    name, environments = call.arguments["environment_name"], call.service.repository.environments
    existing = environments.get(name)
    policy = call.content.get("deployment_branch_policy")
    if policy is not None and bool(policy.get("protected_branches")) == bool(
        policy.get("custom_branch_policies")
    ):
        raise unprocessable("protected_branches and custom_branch_policies cannot have the same value")
    own = policy is not None and bool(policy.get("custom_branch_policies"))
    environment = DeploymentEnvironment(
        existing.id if existing else call.service.next_id() * 10,
        name,
        existing.created_at if existing else call.service.now(),
        [_reviewer(call, reviewer) for reviewer in call.content.get("reviewers") or ()],
        bool(call.content.get("prevent_self_review")),
        int(call.content.get("wait_timer") or 0),
        ((existing.branches if existing else None) or []) if own else None,
        policy is not None and not own,
    )
    if len(environment.reviewers) > _MOST_REVIEWERS:
        raise unprocessable("Failed to create the environment protection rule. Too many reviewers.")
    environments[name] = environment
    return ApiResponse(200, call.commits.environment(environment))


def _reviewer(call: RepositoryCall, reviewer: dict[str, Any]) -> str:
    """The login, or `ORGANIZATION/TEAM`, of a reviewer in a request."""
    world, id_ = call.service.world, reviewer.get("id")
    names = (
        [name for name in world.teams if team_id(name) == id_]
        if reviewer.get("type") == "Team"
        else [login for login, user in world.users.items() if user.id == id_]
    )
    if not names:
        raise unprocessable(f"Failed to create the environment protection rule. No reviewer {id_}.")
    return names[0]


def _environment(call: RepositoryCall) -> tuple[DeploymentEnvironment, list[str]]:
    """The environment of a request, with the branches that may deploy to it."""
    environment = call.service.repository.environments.get(call.arguments["environment_name"])
    if environment is None or environment.branches is None:
        raise not_found()
    return environment, environment.branches


def create_branch_policy(call: RepositoryCall) -> ApiResponse:
    """Let the branches of a pattern deploy to an environment."""
    environment, branches = _environment(call)
    name = call.text("name")
    if name in branches:
        raise GitHubError(303, "Branch policy already exists")
    branches.append(name)
    return ApiResponse(200, api_repository.branch_policy(environment, name))


def delete_branch_policy(call: RepositoryCall) -> ApiResponse:
    """Let the branches of a pattern no longer deploy to an environment."""
    environment, branches = _environment(call)
    for name in branches:
        document = api_repository.branch_policy(environment, name)
        if str(document["id"]) == call.arguments["branch_policy_id"]:
            branches.remove(name)
            return ApiResponse(204)
    raise not_found()


def get_variable(call: RepositoryCall) -> ApiResponse:
    """A variable of the repository's workflows."""
    return ApiResponse(200, _variable(call))


def create_variable(call: RepositoryCall) -> ApiResponse:
    """Create a variable; its name is unique."""
    name, value = call.text("name").upper(), call.text("value")
    if not _VARIABLE.fullmatch(name):
        raise invalid("Variable", "name", "Variable names may only hold letters, digits and underscores.")
    if name in call.service.repository.variables:
        raise GitHubError(409, "Already exists - Variable already exists")
    call.service.repository.variables[name] = [value, call.service.now()]
    return ApiResponse(201, {})


def update_variable(call: RepositoryCall) -> ApiResponse:
    """Change a variable's value."""
    document = _variable(call)
    value = str(call.content.get("value", document["value"]))
    call.service.repository.variables[document["name"]] = [value, document["created_at"]]
    return ApiResponse(204)


def _variable(call: RepositoryCall) -> dict[str, Any]:
    name = call.arguments["name"].upper()
    if name not in call.service.repository.variables:
        raise not_found()
    value, at = call.service.repository.variables[name]
    return {"name": name, "value": value, "created_at": at, "updated_at": at}


def create_ruleset(call: RepositoryCall) -> ApiResponse:
    """Create a ruleset; two of a repository have different names."""
    name = call.text("name")
    if any(ruleset["name"] == name for ruleset in call.service.repository.rulesets):
        raise invalid("RepositoryRuleset", "name", "Name must be unique")
    ruleset = {"id": call.service.next_id(), "target": "branch", **call.content}
    call.service.repository.rulesets.append(ruleset)
    return ApiResponse(201, api_repository.whole_ruleset(call, ruleset))


def update_ruleset(call: RepositoryCall) -> ApiResponse:
    """Change a ruleset; what the request leaves out stays."""
    ruleset = api_repository.find_ruleset(call)
    ruleset.update(call.content)
    return ApiResponse(200, api_repository.whole_ruleset(call, ruleset))


def delete_ruleset(call: RepositoryCall) -> ApiResponse:
    """Delete a ruleset."""
    call.service.repository.rulesets.remove(api_repository.find_ruleset(call))
    return ApiResponse(204)


def set_workflow_permissions(call: RepositoryCall) -> ApiResponse:
    """Set what a workflow's token may do by default."""
    workflow = call.service.repository.actions.setdefault("workflow", {})
    names = ("default_workflow_permissions", "can_approve_pull_request_reviews")
    workflow.update({name: call.content[name] for name in names if name in call.content})
    return ApiResponse(204)
