"""Decides which settings of a repository on GitHub have to change, each with the requests that change it.

Pure: what the repository has is given, and nothing is sent. A setting that is stricter than needed stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from orchestrator.forge.settings import Protection, WorkflowRights
from orchestrator.forge.setup import Method, SettingChange, SettingsRequest, SetupPlan

# The variable that the workflows read.
VARIABLE = "INFRA_WORKLOAD_IDENTITY_PROVIDER"
# The ruleset that infra makes; protection that is there already is never touched.
RULESET = "infra"
ADMINISTRATION, VARIABLES = "administration: write", "variables: write"
# Paths below the repository, the last one below an environment.
RULESETS, ALL_VARIABLES, BRANCH_POLICIES = "/rulesets", "/actions/variables", "deployment-branch-policies"


@dataclass(frozen=True)
class Reviewer:
    """A user or a team that may approve in a gate; `name` is a login or `ORGANIZATION/TEAM`."""

    kind: Literal["User", "Team"]
    id: int
    name: str


@dataclass(frozen=True)
class EnvironmentRecord:
    """A deployment environment as it is. `policies` are the patterns of branches with their ids.

    `has_policies` is true where only branches of these patterns may deploy.
    """

    name: str
    reviewers: tuple[Reviewer, ...] = ()
    prevents_self_review: bool = False
    wait_minutes: int = 0
    protected_branches: bool = False
    has_policies: bool = False
    policies: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class SetupState:
    """What a repository has. `provider` is the variable's value; `ruleset` the id of infra's, 0 for none.

    `has_workflows` says whether trunk on GitHub has infra's workflows: before that, a protected trunk would
    wait for checks that nothing posts.
    """

    environments: Mapping[str, EnvironmentRecord]
    protection: Protection
    workflow_rights: WorkflowRights
    provider: str = ""
    ruleset: int = 0
    has_workflows: bool = True

    def reviewers_of(self, environment: str) -> tuple[Reviewer, ...]:
        """The reviewers of an environment; none where it does not exist."""
        record = self.environments.get(environment)
        return record.reviewers if record else ()


@dataclass(frozen=True)
class SetupTarget:
    """What a repository is to have. `gates` are environments whose unapproved changes wait for `reviewers`.

    `provider` is the workload identity provider, empty where it is unknown: then the variable stays.
    """

    trunk: str
    environments: Sequence[str]
    gates: Sequence[str] = ()
    reviewers: Sequence[Reviewer] = ()
    provider: str = ""


def plan_setup(target: SetupTarget, state: SetupState) -> SetupPlan:
    """The changes that lead from a state to a target.

    What a repository's plan may lack (reviewers, rulesets) comes first, so that its refusal leaves the rest
    as it is.
    """
    changes: list[SettingChange] = []
    notes: list[str] = []
    for name in target.gates:
        gate = state.environments.get(f"{name}-approval", EnvironmentRecord(f"{name}-approval"))
        if gate.reviewers:
            continue
        if target.reviewers:
            changes.append(_add_reviewers(gate, target.reviewers))
        else:
            notes.append(f"{gate.name} has no reviewers: name them by `--reviewer LOGIN|ORGANIZATION/TEAM`.")
    if state.has_workflows:
        changes += _protect(target, state)
    else:
        notes.append(
            f"{target.trunk} on GitHub has no workflows of infra yet, so it is not protected: push them, "
            "then run `infra doctor --github --fix`."
        )
    for name in target.environments:
        changes += _restrict(state.environments.get(name, EnvironmentRecord(name)), target.trunk)
    if state.workflow_rights.default == "write":
        changes.append(_read_only(state.workflow_rights))
    if target.provider and target.provider != state.provider:
        changes.append(_set_variable(target.provider, exists=bool(state.provider)))
    elif not (target.provider or state.provider):
        notes.append(f"The variable {VARIABLE} is not set: `infra bootstrap --github` sets it.")
    return SetupPlan(tuple(changes), tuple(notes))


def _body(environment: EnvironmentRecord, **changes: Any) -> dict[str, Any]:
    """The whole environment for a request, which replaces it; with some fields changed."""
    policy = (
        {
            "protected_branches": environment.protected_branches,
            "custom_branch_policies": environment.has_policies,
        }
        if environment.protected_branches or environment.has_policies
        else None
    )
    return {
        "wait_timer": environment.wait_minutes,
        "prevent_self_review": environment.prevents_self_review,
        "reviewers": [_reviewer(reviewer) for reviewer in environment.reviewers],
        "deployment_branch_policy": policy,
        **changes,
    }


def _reviewer(reviewer: Reviewer) -> dict[str, Any]:
    return {"type": reviewer.kind, "id": reviewer.id}


def _path(environment: str) -> str:
    return f"/environments/{quote(environment, safe='')}"


def _add_reviewers(gate: EnvironmentRecord, reviewers: Sequence[Reviewer]) -> SettingChange:
    names = ", ".join(reviewer.name for reviewer in reviewers)
    body = _body(gate, reviewers=[_reviewer(reviewer) for reviewer in reviewers])
    request = SettingsRequest("PUT", _path(gate.name), body)
    return SettingChange(f"environment {gate.name}: {names} may approve", ADMINISTRATION, (request,))


def _restrict(environment: EnvironmentRecord, trunk: str) -> Iterator[SettingChange]:
    """Lets only trunk deploy to an environment; trunk is added before others are taken away."""
    path, names = _path(environment.name), [name for _, name in environment.policies]
    if environment.has_policies and names == [trunk]:
        return
    requests = []
    if not environment.has_policies:
        policy = {"protected_branches": False, "custom_branch_policies": True}
        requests.append(SettingsRequest("PUT", path, _body(environment, deployment_branch_policy=policy)))
    if trunk not in names:
        body = {"name": trunk, "type": "branch"}
        requests.append(SettingsRequest("POST", f"{path}/{BRANCH_POLICIES}", body))
    requests += [
        SettingsRequest("DELETE", f"{path}/{BRANCH_POLICIES}/{id_}")
        for id_, name in environment.policies
        if name != trunk
    ]
    others = ", ".join(name for name in names if name != trunk)
    text = f"environment {environment.name}: only {trunk} may deploy to it"
    yield SettingChange(
        f"{text}, and no longer {others}" if others else text, ADMINISTRATION, tuple(requests)
    )


def _protect(target: SetupTarget, state: SetupState) -> Iterator[SettingChange]:
    """Protects trunk by a ruleset, beside what protects it already; GitHub enforces the stricter of both."""
    protection, checks = state.protection, {f"infra/{name}" for name in target.environments}
    is_complete = (
        protection.reviews > 0
        and protection.dismisses_stale
        and protection.wants_code_owners
        and protection.forbids_force_pushes
        and protection.forbids_deletion
        and checks <= protection.checks
    )
    if is_complete:
        return
    required = ", ".join(sorted(checks))
    text = (
        f"ruleset {RULESET}: a merge into {target.trunk} takes a review (of code owners, stale ones "
        f"dismissed) and the checks {required}; no force push, no deletion"
    )
    method: Method = "PUT" if state.ruleset else "POST"
    path = f"{RULESETS}/{state.ruleset}" if state.ruleset else RULESETS
    request = SettingsRequest(method, path, _ruleset(target.trunk, sorted(checks)))
    yield SettingChange(text, ADMINISTRATION, (request,))


def _ruleset(trunk: str, checks: Sequence[str]) -> dict[str, Any]:
    return {
        "name": RULESET,
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {"ref_name": {"include": [f"refs/heads/{trunk}"], "exclude": []}},
        "rules": [
            {
                "type": "pull_request",
                "parameters": {
                    "required_approving_review_count": 1,
                    "dismiss_stale_reviews_on_push": True,
                    "require_code_owner_review": True,
                    "require_last_push_approval": False,
                    "required_review_thread_resolution": False,
                },
            },
            {
                "type": "required_status_checks",
                "parameters": {
                    "required_status_checks": [{"context": check} for check in checks],
                    "strict_required_status_checks_policy": False,
                },
            },
            {"type": "non_fast_forward"},
            {"type": "deletion"},
        ],
    }


def _read_only(rights: WorkflowRights) -> SettingChange:
    body = {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": rights.may_approve,
    }
    request = SettingsRequest("PUT", "/actions/permissions/workflow", body)
    return SettingChange(
        "Actions: a workflow may only read when its file says nothing", ADMINISTRATION, (request,)
    )


def _set_variable(provider: str, *, exists: bool) -> SettingChange:
    request = (
        SettingsRequest("PATCH", f"{ALL_VARIABLES}/{VARIABLE}", {"name": VARIABLE, "value": provider})
        if exists
        else SettingsRequest("POST", ALL_VARIABLES, {"name": VARIABLE, "value": provider})
    )
    return SettingChange(f"variable {VARIABLE}: {provider}", VARIABLES, (request,))
