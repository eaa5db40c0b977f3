"""The routes of the API, with the permission that each needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from orchestrator.sandbox.github import (
    api_actions,
    api_commits,
    api_issues,
    api_pulls,
    api_repository,
    api_settings,
)
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall

Handler = Callable[[RepositoryCall], ApiResponse]

REPOSITORY = "/repos/{owner}/{repo}"
_ANY = "issues:{0}|pull-requests:{0}"
_READ, _COMMENT, _WRITE = (_ANY.format(level) for level in ("read", "comment", "write"))
_ADMIN = "administration:read"
_ADMINISTER = "administration:write"
# Parts of a path that may hold slashes.
_DEEP = ("path", "ref", "branch")

Row = tuple[str, str, Handler, str]

_ISSUES: tuple[Row, ...] = (
    ("GET", "/issues", api_issues.list_issues, _READ),
    ("POST", "/issues", api_issues.create_issue, "issues:comment"),
    ("GET", "/issues/comments/{comment_id}", api_issues.get_comment, _READ),
    ("PATCH", "/issues/comments/{comment_id}", api_issues.update_comment, _COMMENT),
    ("DELETE", "/issues/comments/{comment_id}", api_issues.delete_comment, _COMMENT),
    ("GET", "/issues/comments/{comment_id}/reactions", api_issues.list_reactions, _READ),
    ("POST", "/issues/comments/{comment_id}/reactions", api_issues.create_reaction, _COMMENT),
    ("GET", "/issues/{issue_number}", api_issues.get_issue, _READ),
    ("PATCH", "/issues/{issue_number}", api_issues.update_issue, _WRITE),
    ("GET", "/issues/{issue_number}/comments", api_issues.list_comments, _READ),
    ("POST", "/issues/{issue_number}/comments", api_issues.create_comment, _COMMENT),
    ("GET", "/issues/{issue_number}/labels", api_issues.list_labels_of, _READ),
    ("POST", "/issues/{issue_number}/labels", api_issues.add_labels, _WRITE),
    ("PUT", "/issues/{issue_number}/labels", api_issues.set_labels, _WRITE),
    ("DELETE", "/issues/{issue_number}/labels/{name}", api_issues.remove_label, _WRITE),
    ("GET", "/issues/{issue_number}/events", api_issues.list_events, _READ),
    ("GET", "/issues/{issue_number}/timeline", api_issues.timeline, _READ),
    ("GET", "/labels", api_issues.list_labels, _READ),
    ("POST", "/labels", api_issues.create_label, _WRITE),
    ("GET", "/labels/{name}", api_issues.get_label, _READ),
)
_PULLS: tuple[Row, ...] = (
    ("GET", "/pulls", api_pulls.list_pulls, "pull-requests:read"),
    ("POST", "/pulls", api_pulls.create_pull, "pull-requests:comment"),
    ("GET", "/pulls/{pull_number}", api_pulls.get_pull, "pull-requests:read"),
    ("PATCH", "/pulls/{pull_number}", api_pulls.update_pull, "pull-requests:write"),
    ("PUT", "/pulls/{pull_number}/merge", api_pulls.merge_pull, "contents:write"),
    ("GET", "/pulls/{pull_number}/files", api_pulls.list_files, "pull-requests:read"),
    ("GET", "/pulls/{pull_number}/commits", api_pulls.list_commits, "pull-requests:read"),
    ("GET", "/pulls/{pull_number}/reviews", api_pulls.list_reviews, "pull-requests:read"),
    ("POST", "/pulls/{pull_number}/reviews", api_pulls.create_review, "pull-requests:comment"),
)
_COMMITS: tuple[Row, ...] = (
    ("GET", "/commits/{commit_sha}/pulls", api_commits.pulls_of_commit, "pull-requests:read"),
    ("GET", "/commits/{ref}/check-runs", api_commits.list_checks, "checks:read"),
    ("GET", "/commits/{ref}/statuses", api_commits.list_statuses, "statuses:read"),
    ("GET", "/commits/{ref}/status", api_commits.combined_status, "statuses:read"),
    ("GET", "/commits/{ref}", api_commits.get_commit, "contents:read"),
    ("POST", "/check-runs", api_commits.create_check, "checks:write"),
    ("GET", "/check-runs/{check_run_id}", api_commits.get_check, "checks:read"),
    ("PATCH", "/check-runs/{check_run_id}", api_commits.update_check, "checks:write"),
    ("GET", "/check-runs/{check_run_id}/annotations", api_commits.list_annotations, "checks:read"),
    ("GET", "/statuses/{sha}", api_commits.list_statuses, "statuses:read"),
    ("POST", "/statuses/{sha}", api_commits.create_status, "statuses:write"),
    ("GET", "/deployments", api_commits.list_deployments, "deployments:read"),
    ("POST", "/deployments", api_commits.create_deployment, "deployments:write"),
    ("GET", "/deployments/{deployment_id}", api_commits.get_deployment, "deployments:read"),
    (
        *("GET", "/deployments/{deployment_id}/statuses"),
        *(api_commits.list_deployment_statuses, "deployments:read"),
    ),
    (
        *("POST", "/deployments/{deployment_id}/statuses"),
        *(api_commits.create_deployment_status, "deployments:write"),
    ),
)
_SETTINGS: tuple[Row, ...] = (
    ("GET", "", api_repository.get_repository, "metadata:read"),
    ("GET", "/collaborators/{username}/permission", api_repository.get_permission, "metadata:read"),
    ("GET", "/activity", api_repository.list_activities, "contents:read"),
    ("GET", "/branches", api_repository.list_branches, "contents:read"),
    ("GET", "/branches/{branch}/protection", api_repository.get_protection, _ADMIN),
    ("GET", "/branches/{branch}", api_repository.get_branch, "contents:read"),
    ("GET", "/rulesets", api_repository.list_rulesets, "metadata:read"),
    ("GET", "/rulesets/{ruleset_id}", api_repository.get_ruleset, "metadata:read"),
    ("POST", "/rulesets", api_settings.create_ruleset, _ADMINISTER),
    ("PUT", "/rulesets/{ruleset_id}", api_settings.update_ruleset, _ADMINISTER),
    ("DELETE", "/rulesets/{ruleset_id}", api_settings.delete_ruleset, _ADMINISTER),
    ("GET", "/rules/branches/{branch}", api_repository.rules_of_branch, "metadata:read"),
    ("GET", "/contents/{path}", api_repository.get_content, "contents:read"),
    ("GET", "/git/ref/{ref}", api_repository.get_ref, "contents:read"),
    ("POST", "/git/refs", api_repository.create_ref, "contents:write"),
    ("DELETE", "/git/refs/{ref}", api_repository.delete_ref, "contents:write"),
    ("GET", "/environments", api_repository.list_environments, "actions:read"),
    ("GET", "/environments/{environment_name}", api_repository.get_environment, "actions:read"),
    ("PUT", "/environments/{environment_name}", api_settings.put_environment, _ADMINISTER),
    (
        *("GET", "/environments/{environment_name}/deployment-branch-policies"),
        *(api_repository.list_branch_policies, "actions:read"),
    ),
    (
        *("POST", "/environments/{environment_name}/deployment-branch-policies"),
        *(api_settings.create_branch_policy, _ADMINISTER),
    ),
    (
        *("DELETE", "/environments/{environment_name}/deployment-branch-policies/{branch_policy_id}"),
        *(api_settings.delete_branch_policy, _ADMINISTER),
    ),
    ("GET", "/actions/variables/{name}", api_settings.get_variable, "variables:read"),
    ("POST", "/actions/variables", api_settings.create_variable, "variables:write"),
    ("PATCH", "/actions/variables/{name}", api_settings.update_variable, "variables:write"),
    ("GET", "/actions/permissions", api_repository.actions_permissions, _ADMIN),
    ("GET", "/actions/permissions/workflow", api_repository.workflow_permissions, _ADMIN),
    ("PUT", "/actions/permissions/workflow", api_settings.set_workflow_permissions, _ADMINISTER),
    (
        *("GET", "/actions/permissions/fork-pr-contributor-approval"),
        *(api_repository.fork_approval, _ADMIN),
    ),
    ("GET", "/actions/permissions/fork-pr-workflows-private-repos", api_repository.private_forks, _ADMIN),
    ("GET", "/codeowners/errors", api_repository.codeowners_errors, "contents:read"),
    ("GET", "/assignees/{assignee}", api_issues.check_assignee, _READ),
    ("GET", "/actions/workflows", api_actions.list_workflows, "actions:read"),
    ("GET", "/actions/workflows/{workflow_id}", api_actions.get_workflow, "actions:read"),
    ("POST", "/actions/workflows/{workflow_id}/dispatches", api_actions.dispatch, "actions:write"),
    ("GET", "/actions/runs", api_actions.list_runs, "actions:read"),
    ("GET", "/actions/runs/{run_id}", api_actions.get_run, "actions:read"),
    ("GET", "/actions/runs/{run_id}/approvals", api_actions.list_approvals, "actions:read"),
)


@dataclass(frozen=True)
class Route:
    """One operation of the API. `template` is its path as GitHub's description of the API has it."""

    method: str
    template: str
    handler: Handler
    needs: str
    pattern: re.Pattern[str]

    def arguments(self, path: str) -> dict[str, str] | None:
        """The parts of a path, decoded; None when it is another operation's."""
        match = self.pattern.fullmatch(path)
        return {name: unquote(value) for name, value in match.groupdict().items()} if match else None


def _compile(row: Row) -> Route:
    method, path, handler, needs = row
    template = REPOSITORY + path

    def part(match: re.Match[str]) -> str:
        name = match[1]
        inside = ".+" if name in _DEEP else r"\d+" if name.endswith(("_id", "_number")) else "[^/]+"
        return f"(?P<{name}>{'[^/]+' if name == 'workflow_id' else inside})"

    return Route(method, template, handler, needs, re.compile(re.sub(r"\{(\w+)\}", part, template)))


ROUTES = tuple(_compile(row) for row in (*_ISSUES, *_PULLS, *_COMMITS, *_SETTINGS))


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a request, with the parts of its path."""
    for route in ROUTES:
        if route.method == method:
            arguments = route.arguments(path)
            if arguments is not None:
                return route, arguments
    return None
