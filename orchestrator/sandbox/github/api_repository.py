"""`/repos/…` itself: roles, branches and what protects them, files, references, environments, settings."""

from __future__ import annotations

from base64 import encodebytes
from typing import Any
from urllib.parse import quote

from orchestrator.sandbox.github import activity
from orchestrator.sandbox.github.call import Answer, Call
from orchestrator.sandbox.github.errors import GitHubError, not_found, unprocessable
from orchestrator.sandbox.github.model import ROLES, Activity

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


def get_repository(call: Call) -> Answer:
    """The repository; an app reads it as somebody who may write."""
    role = "write" if call.token.app else call.place.repository.roles.get(call.token.login, "read")
    return Answer(200, call.shapes.whole_repository(call.place.repository, role))


def get_permission(call: Call) -> Answer:
    """What somebody may do here."""
    login = call.arguments["username"]
    if login not in call.place.world.users:
        raise not_found()
    role = call.place.repository.roles.get(login, "none" if call.place.repository.private else "read")
    rights = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    may = {name: ROLES.index(role) >= ROLES.index(least) for name, least in rights.items()}
    user = {**call.shapes.user(login), "permissions": may, "role_name": role}
    return Answer(200, {"permission": _OLD_NAMES.get(role, role), "role_name": role, "user": user})


def list_branches(call: Call) -> Answer:
    """The branches."""
    heads = sorted(call.place.git.heads().items())
    wanted = call.request.query.get("protected")
    known = call.place.repository.protection
    found = [one for one in heads if wanted is None or (one[0] in known) == (wanted == "true")]
    return call.page([call.commits.branch(name, sha, whole=False) for name, sha in found])


def get_branch(call: Call) -> Answer:
    """One branch."""
    return Answer(200, call.commits.branch(*_branch(call)))


def get_protection(call: Call) -> Answer:
    """What protects a branch."""
    name, _ = _branch(call)
    found = call.place.repository.protection.get(name)
    if found is None:
        raise GitHubError(404, "Branch not protected")
    url = call.shapes.api(call.place.repository, f"/branches/{quote(name)}/protection")
    return Answer(200, {"url": url, **_with_urls(found, url)})


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


def list_rulesets(call: Call) -> Answer:
    """The rulesets in brief."""
    return call.page([_ruleset(call, one) for one in call.place.repository.rulesets])


def get_ruleset(call: Call) -> Answer:
    """One ruleset with its rules."""
    for one in call.place.repository.rulesets:
        if str(one["id"]) == call.arguments["ruleset_id"]:
            told = {name: one[name] for name in ("rules", "conditions", "bypass_actors") if name in one}
            return Answer(200, {**_ruleset(call, one), **told})
    raise not_found()


def _ruleset(call: Call, one: dict[str, Any]) -> dict[str, Any]:
    repository = call.place.repository
    return {
        "id": one["id"],
        "name": one["name"],
        "target": one.get("target", "branch"),
        "source_type": "Repository",
        "source": repository.full_name,
        "enforcement": one.get("enforcement", "active"),
        "created_at": repository.created_at,
        "updated_at": repository.created_at,
    }


def rules_of_branch(call: Call) -> Answer:
    """The rules in force on a branch, those of all rulesets."""
    name = call.arguments["branch"]
    repository = call.place.repository
    found = []
    for one in repository.rulesets:
        includes = one.get("conditions", {}).get("ref_name", {}).get("include", ["~DEFAULT_BRANCH"])
        default = name == repository.default_branch and "~DEFAULT_BRANCH" in includes
        applies = default or "~ALL" in includes or f"refs/heads/{name}" in includes
        if applies and one.get("enforcement", "active") == "active":
            of = {"ruleset_source_type": "Repository", "ruleset_source": repository.full_name}
            found += [{**rule, **of, "ruleset_id": one["id"]} for rule in one.get("rules", [])]
    return call.page(found)


def get_content(call: Call) -> Answer:
    """A file, or what a folder holds."""
    path = call.arguments["path"]
    ref = call.request.query.get("ref") or call.place.repository.default_branch
    commit = call.place.git.resolve(ref)
    if not commit:
        raise GitHubError(404, f"No commit found for the ref {ref}")
    found = call.place.git.read(commit, path)
    if found:
        blob, data = found
        raw = call.as_media({"raw": lambda: data})
        if raw:
            return raw
        file = _entry(call, "file", path, blob, ref)
        encoded = encodebytes(data).decode()
        return Answer(200, {**file, "size": len(data), "encoding": "base64", "content": encoded})
    names = call.place.git.names(commit, path)
    if not names:
        raise not_found()
    kinds = {"tree": "dir", "blob": "file", "commit": "submodule"}
    return Answer(200, [_entry(call, kinds[kind], name, sha, ref) for kind, sha, name in names])


def _entry(call: Call, kind: str, path: str, sha: str, ref: str) -> dict[str, Any]:
    repository = call.place.repository
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


def get_ref(call: Call) -> Answer:
    """A branch as a reference."""
    name = call.arguments["ref"].removeprefix("heads/")
    sha = call.place.git.heads().get(name)
    if sha is None:
        raise not_found()
    return Answer(200, _ref(call, name, sha))


def create_ref(call: Call) -> Answer:
    """Make a branch at a commit."""
    name, sha = call.text("ref"), call.text("sha")
    if not name.startswith("refs/heads/"):
        raise unprocessable("Reference name must start with 'refs/heads/'.")
    branch = name.removeprefix("refs/heads/")
    if branch in call.place.git.heads():
        raise unprocessable("Reference already exists")
    if call.place.git.resolve(sha) != sha:
        raise unprocessable("Object does not exist")
    call.place.git.set_ref(name, sha)
    activity.record(call.place, branch, sha, call.token.login)
    return Answer(201, _ref(call, branch, sha))


def delete_ref(call: Call) -> Answer:
    """Delete a branch."""
    branch = call.arguments["ref"].removeprefix("heads/")
    if branch not in call.place.git.heads():
        raise unprocessable("Reference does not exist")
    call.place.git.set_ref(f"refs/heads/{branch}", "")
    activity.record(call.place, branch, "", call.token.login)
    return Answer(204)


def _ref(call: Call, branch: str, sha: str) -> dict[str, Any]:
    api = call.shapes.api(call.place.repository, "/git")
    target = {"sha": sha, "type": "commit", "url": f"{api}/commits/{sha}"}
    name = f"refs/heads/{branch}"
    return {"ref": name, "node_id": f"REF_{branch}", "url": f"{api}/{name}", "object": target}


def list_activities(call: Call) -> Answer:
    """Which branches moved, and who moved them, newest first; pages are asked for by a cursor."""
    query = call.request.query
    ref = query.get("ref", "")
    wanted = ref if not ref or ref.startswith("refs/") else f"refs/heads/{ref}"
    mine = [
        one
        for one in call.place.repository.activities
        if wanted in ("", one.ref)
        and query.get("actor", one.actor) == one.actor
        and query.get("activity_type", one.kind) == one.kind
    ]
    if query.get("direction", "desc") == "desc":
        mine.reverse()
    return call.cursor_page([(str(one.id), _activity(call, one)) for one in mine])


def _activity(call: Call, one: Activity) -> dict[str, Any]:
    return {
        "id": one.id,
        "node_id": f"PSH_{one.id}",
        "before": one.before,
        "after": one.after,
        "ref": one.ref,
        "timestamp": one.at,
        "activity_type": one.kind,
        "actor": call.shapes.maybe_user(one.actor),
    }


def list_environments(call: Call) -> Answer:
    """The deployment environments."""
    known = call.place.repository.environments
    return call.page([call.commits.environment(known[name]) for name in sorted(known)], "environments")


def get_environment(call: Call) -> Answer:
    """One deployment environment."""
    found = call.place.repository.environments.get(call.arguments["environment_name"])
    if found is None:
        raise not_found()
    return Answer(200, call.commits.environment(found))


def list_branch_policies(call: Call) -> Answer:
    """The patterns of branches that may deploy to an environment."""
    found = call.place.repository.environments.get(call.arguments["environment_name"])
    if found is None or found.branches is None:
        raise not_found()
    policies = [
        {"id": found.id * 100 + at, "node_id": f"BP_{at}", "name": name, "type": "branch"}
        for at, name in enumerate(found.branches)
    ]
    return call.page(policies, "branch_policies")


def actions_permissions(call: Call) -> Answer:
    """Whether Actions may run here."""
    return Answer(200, {**_ACTIONS, **call.place.repository.actions.get("permissions", {})})


def workflow_permissions(call: Call) -> Answer:
    """What a workflow's token may do by default."""
    return Answer(200, {**_WORKFLOW, **call.place.repository.actions.get("workflow", {})})


def fork_approval(call: Call) -> Answer:
    """Whose forks' workflows wait for an approval."""
    return Answer(200, {**_FORKS, **call.place.repository.actions.get("forks", {})})


def private_forks(call: Call) -> Answer:
    """What forks of a private repository may do."""
    if not call.place.repository.private:
        raise not_found()
    return Answer(200, {**_PRIVATE_FORKS, **call.place.repository.actions.get("private_forks", {})})


def codeowners_errors(call: Call) -> Answer:
    """Owners in CODEOWNERS who may not write; 404 when there is no such file."""
    commit = call.place.git.resolve(call.request.query.get("ref") or call.place.repository.default_branch)
    for path in (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"):
        found = call.place.git.read(commit, path) if commit else None
        if found:
            lines = enumerate(found[1].decode("utf-8", "replace").splitlines(), 1)
            errors = [wrong for at, line in lines for wrong in _strangers(call, path, at, line)]
            return Answer(200, {"errors": errors})
    raise not_found()


def _strangers(call: Call, path: str, at: int, line: str) -> list[dict[str, Any]]:
    roles = call.place.repository.roles
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


def _branch(call: Call) -> tuple[str, str]:
    name = call.arguments["branch"]
    sha = call.place.git.heads().get(name)
    if sha is None:
        raise GitHubError(404, "Branch not found")
    return name, sha
