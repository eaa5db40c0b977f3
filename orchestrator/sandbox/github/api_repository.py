"""`/repos/…` itself: roles, branches and what protects them, files, references, environments, settings."""

from __future__ import annotations

import zlib
from base64 import encodebytes
from typing import Any
from urllib.parse import quote

from orchestrator.sandbox.github import activity
from orchestrator.sandbox.github.call import ApiResponse, RepositoryCall
from orchestrator.sandbox.github.errors import GitHubError, not_found, unprocessable
from orchestrator.sandbox.github.model import ROLES, Activity, DeploymentEnvironment

_OLD_NAMES = {"maintain": "write", "triage": "read"}
_ACTIONS = {"enabled": True, "allowed_actions": "all", "sha_pinning_required": False}
_WORKFLOW = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
_PRIVATE_FORKS = {
    "run_workflows_from_fork_pull_requests": False,
    "send_write_tokens_to_workflows": False,
    "send_secrets_and_variables": False,
    "require_approval_for_fork_pr_workflows": True,
}
_FORKS = {"approval_policy": "first_time_contributors"}


def get_repository(call: RepositoryCall) -> ApiResponse:
    """The repository; an app reads it as somebody who may write."""
    role = "write" if call.token.app else call.service.repository.roles.get(call.token.login, "read")
    return ApiResponse(200, call.shapes.whole_repository(call.service.repository, role))


def get_permission(call: RepositoryCall) -> ApiResponse:
    """What somebody may do here."""
    login = call.arguments["username"]
    if login not in call.service.world.users:
        raise not_found()
    role = call.service.repository.roles.get(login, "none" if call.service.repository.private else "read")
    rights = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    may = {name: ROLES.index(role) >= ROLES.index(least) for name, least in rights.items()}
    user = {**call.shapes.user(login), "permissions": may, "role_name": role}
    return ApiResponse(200, {"permission": _OLD_NAMES.get(role, role), "role_name": role, "user": user})


def list_branches(call: RepositoryCall) -> ApiResponse:
    """The branches."""
    heads = sorted(call.service.git.heads().items())
    protected = call.request.query.get("protected")
    protection = call.service.repository.protection
    selected = [
        head for head in heads if protected is None or (head[0] in protection) == (protected == "true")
    ]
    return call.page([call.commits.branch(name, sha, whole=False) for name, sha in selected])


def get_branch(call: RepositoryCall) -> ApiResponse:
    """One branch."""
    return ApiResponse(200, call.commits.branch(*_branch(call)))


def get_protection(call: RepositoryCall) -> ApiResponse:
    """What protects a branch."""
    name, _ = _branch(call)
    rules = call.service.repository.protection.get(name)
    if rules is None:
        raise GitHubError(404, "Branch not protected")
    url = call.shapes.api(call.service.repository, f"/branches/{quote(name)}/protection")
    return ApiResponse(200, {"url": url, **_with_urls(rules, url)})


def _with_urls(rules: dict[str, Any], url: str) -> dict[str, Any]:
    """GitHub gives each part of a protection its address."""
    filled = dict(rules)
    reviews = rules.get("required_pull_request_reviews")
    if reviews is not None:
        empty = {"dismiss_stale_reviews": False, "require_code_owner_reviews": False}
        own = {"url": f"{url}/required_pull_request_reviews"}
        filled["required_pull_request_reviews"] = {**own, **empty, **reviews}
    checks = rules.get("required_status_checks")
    if checks is not None:
        own = {
            "url": f"{url}/required_status_checks",
            "contexts_url": f"{url}/required_status_checks/contexts",
        }
        contexts = checks.get("contexts", [])
        both = {
            "strict": False,
            "contexts": contexts,
            "checks": [{"context": name, "app_id": None} for name in contexts],
        }
        filled["required_status_checks"] = {**own, **both, **checks}
    filled["enforce_admins"] = {"url": f"{url}/enforce_admins", "enabled": bool(rules.get("enforce_admins"))}
    for name in ("allow_force_pushes", "allow_deletions", "required_linear_history"):
        filled[name] = {"enabled": bool(rules.get(name))}
    return filled


def list_rulesets(call: RepositoryCall) -> ApiResponse:
    """The rulesets in brief."""
    return call.page([_ruleset(call, ruleset) for ruleset in call.service.repository.rulesets])


def get_ruleset(call: RepositoryCall) -> ApiResponse:
    """One ruleset with its rules."""
    return ApiResponse(200, whole_ruleset(call, find_ruleset(call)))


def find_ruleset(call: RepositoryCall) -> dict[str, Any]:
    """The ruleset of a request; 404 when there is none."""
    for ruleset in call.service.repository.rulesets:
        if str(ruleset["id"]) == call.arguments["ruleset_id"]:
            return ruleset
    raise not_found()


def whole_ruleset(call: RepositoryCall, ruleset: dict[str, Any]) -> dict[str, Any]:
    """A ruleset's document with its rules."""
    names = ("rules", "conditions", "bypass_actors")
    details: dict[str, Any] = {name: ruleset[name] for name in names if name in ruleset}
    return {**_ruleset(call, ruleset), **details}


def _ruleset(call: RepositoryCall, ruleset: dict[str, Any]) -> dict[str, Any]:
    repository = call.service.repository
    return {
        "id": ruleset["id"],
        "name": ruleset["name"],
        "target": ruleset.get("target", "branch"),
        "source_type": "Repository",
        "source": repository.full_name,
        "enforcement": ruleset.get("enforcement", "active"),
        "created_at": repository.created_at,
        "updated_at": repository.created_at,
    }


def rules_of_branch(call: RepositoryCall) -> ApiResponse:
    """The rules in force on a branch, those of all rulesets."""
    name = call.arguments["branch"]
    repository = call.service.repository
    rules = []
    for ruleset in repository.rulesets:
        includes = ruleset.get("conditions", {}).get("ref_name", {}).get("include", ["~DEFAULT_BRANCH"])
        default = name == repository.default_branch and "~DEFAULT_BRANCH" in includes
        applies = default or "~ALL" in includes or f"refs/heads/{name}" in includes
        if applies and ruleset.get("enforcement", "active") == "active":
            of = {"ruleset_source_type": "Repository", "ruleset_source": repository.full_name}
            rules += [{**rule, **of, "ruleset_id": ruleset["id"]} for rule in ruleset.get("rules", [])]
    return call.page(rules)


def get_content(call: RepositoryCall) -> ApiResponse:
    """A file, or what a folder holds."""
    path = call.arguments["path"]
    ref = call.request.query.get("ref") or call.service.repository.default_branch
    commit = call.service.git.resolve(ref)
    if not commit:
        raise GitHubError(404, f"No commit found for the ref {ref}")
    blob_data = call.service.git.read(commit, path)
    if blob_data:
        blob, data = blob_data
        raw = call.as_media({"raw": lambda: data})
        if raw:
            return raw
        file = _entry(call, "file", path, blob, ref)
        encoded = encodebytes(data).decode()
        return ApiResponse(200, {**file, "size": len(data), "encoding": "base64", "content": encoded})
    names = call.service.git.names(commit, path)
    if not names:
        raise not_found()
    kinds = {"tree": "dir", "blob": "file", "commit": "submodule"}
    return ApiResponse(200, [_entry(call, kinds[kind], name, sha, ref) for kind, sha, name in names])


def _entry(call: RepositoryCall, kind: str, path: str, sha: str, ref: str) -> dict[str, Any]:
    repository = call.service.repository
    url = call.shapes.api(repository, f"/contents/{quote(path)}?ref={ref}")
    html = call.shapes.html(repository, f"/blob/{ref}/{quote(path)}")
    git = call.shapes.api(repository, f"/git/blobs/{sha}")
    return {
        "type": kind,
        "size": 0,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git,
        "html_url": html,
        "download_url": html if kind == "file" else None,
        "_links": {"self": url, "git": git, "html": html},
    }


def get_ref(call: RepositoryCall) -> ApiResponse:
    """A branch as a reference."""
    name = call.arguments["ref"].removeprefix("heads/")
    sha = call.service.git.heads().get(name)
    if sha is None:
        raise not_found()
    return ApiResponse(200, _ref(call, name, sha))


def create_ref(call: RepositoryCall) -> ApiResponse:
    """Make a branch at a commit."""
    name, sha = call.text("ref"), call.text("sha")
    if not name.startswith("refs/heads/"):
        raise unprocessable("Reference name must start with 'refs/heads/'.")
    branch = name.removeprefix("refs/heads/")
    if branch in call.service.git.heads():
        raise unprocessable("Reference already exists")
    if call.service.git.resolve(sha) != sha:
        raise unprocessable("Object does not exist")
    call.service.git.set_ref(name, sha)
    activity.record_move(call.service, branch, sha, call.token.login)
    return ApiResponse(201, _ref(call, branch, sha))


def delete_ref(call: RepositoryCall) -> ApiResponse:
    """Delete a branch."""
    branch = call.arguments["ref"].removeprefix("heads/")
    if branch not in call.service.git.heads():
        raise unprocessable("Reference does not exist")
    call.service.git.set_ref(f"refs/heads/{branch}", "")
    activity.record_move(call.service, branch, "", call.token.login)
    return ApiResponse(204)


def _ref(call: RepositoryCall, branch: str, sha: str) -> dict[str, Any]:
    api = call.shapes.api(call.service.repository, "/git")
    target = {"sha": sha, "type": "commit", "url": f"{api}/commits/{sha}"}
    name = f"refs/heads/{branch}"
    return {"ref": name, "node_id": f"REF_{branch}", "url": f"{api}/{name}", "object": target}


def list_activities(call: RepositoryCall) -> ApiResponse:
    """Which branches moved, and who moved them, newest first; pages are requested by a cursor."""
    query = call.request.query
    ref = query.get("ref", "")
    full_ref = ref if not ref or ref.startswith("refs/") else f"refs/heads/{ref}"
    activities = [
        activity
        for activity in call.service.repository.activities
        if full_ref in ("", activity.ref)
        and query.get("actor", activity.actor) == activity.actor
        and query.get("activity_type", activity.kind) == activity.kind
    ]
    if query.get("direction", "desc") == "desc":
        activities.reverse()
    return call.cursor_page([(str(activity.id), _activity(call, activity)) for activity in activities])


def _activity(call: RepositoryCall, activity: Activity) -> dict[str, Any]:
    return {
        "id": activity.id,
        "node_id": f"PSH_{activity.id}",
        "before": activity.before,
        "after": activity.after,
        "ref": activity.ref,
        "timestamp": activity.at,
        "activity_type": activity.kind,
        "actor": call.shapes.maybe_user(activity.actor),
    }


def list_environments(call: RepositoryCall) -> ApiResponse:
    """The deployment environments."""
    environments = call.service.repository.environments
    return call.page(
        [call.commits.environment(environments[name]) for name in sorted(environments)], "environments"
    )


def get_environment(call: RepositoryCall) -> ApiResponse:
    """One deployment environment."""
    environment = call.service.repository.environments.get(call.arguments["environment_name"])
    if environment is None:
        raise not_found()
    return ApiResponse(200, call.commits.environment(environment))


def list_branch_policies(call: RepositoryCall) -> ApiResponse:
    """The patterns of branches that may deploy to an environment."""
    environment = call.service.repository.environments.get(call.arguments["environment_name"])
    if environment is None or environment.branches is None:
        raise not_found()
    policies = [branch_policy(environment, name) for name in environment.branches]
    return call.page(policies, "branch_policies")


def branch_policy(environment: DeploymentEnvironment, name: str) -> dict[str, Any]:
    """One pattern of branches that may deploy to an environment; its id stays when another is deleted."""
    id_ = environment.id * 1_000_000 + zlib.crc32(name.encode()) % 1_000_000
    return {"id": id_, "node_id": f"BP_{id_}", "name": name, "type": "branch"}


def actions_permissions(call: RepositoryCall) -> ApiResponse:
    """Whether Actions may run here."""
    return ApiResponse(200, {**_ACTIONS, **call.service.repository.actions.get("permissions", {})})


def workflow_permissions(call: RepositoryCall) -> ApiResponse:
    """What a workflow's token may do by default."""
    return ApiResponse(200, {**_WORKFLOW, **call.service.repository.actions.get("workflow", {})})


def fork_approval(call: RepositoryCall) -> ApiResponse:
    """Whose forks' workflows wait for an approval."""
    return ApiResponse(200, {**_FORKS, **call.service.repository.actions.get("forks", {})})


def private_forks(call: RepositoryCall) -> ApiResponse:
    """What forks of a private repository may do."""
    if not call.service.repository.private:
        raise not_found()
    return ApiResponse(200, {**_PRIVATE_FORKS, **call.service.repository.actions.get("private_forks", {})})


def codeowners_errors(call: RepositoryCall) -> ApiResponse:
    """Owners in CODEOWNERS who may not write; 404 when there is no such file."""
    commit = call.service.git.resolve(call.request.query.get("ref") or call.service.repository.default_branch)
    for path in (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"):
        owners_file = call.service.git.read(commit, path) if commit else None
        if owners_file:
            lines = enumerate(owners_file[1].decode("utf-8", "replace").splitlines(), 1)
            errors = [wrong for at, line in lines for wrong in _unknown_owners(call, path, at, line)]
            return ApiResponse(200, {"errors": errors})
    raise not_found()


def _unknown_owners(call: RepositoryCall, path: str, at: int, line: str) -> list[dict[str, Any]]:
    roles = call.service.repository.roles
    owners = line.partition("#")[0].split()[1:]
    return [
        {
            "line": at,
            "column": line.index(owner) + 1,
            "kind": "Unknown owner",
            "source": line,
            "suggestion": None,
            "message": f"Unknown owner on line {at}: make sure {owner} exists and has write access",
            "path": path,
        }
        for owner in owners
        if owner.startswith("@") and "/" not in owner
        if roles.get(owner[1:], "none") not in ("write", "maintain", "admin")
    ]


def _branch(call: RepositoryCall) -> tuple[str, str]:
    name = call.arguments["branch"]
    sha = call.service.git.heads().get(name)
    if sha is None:
        raise GitHubError(404, "Branch not found")
    return name, sha
