"""Reads a repository's settings on GitHub, as JSON: PyGithub covers little of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from orchestrator.errors import ForgeError
from orchestrator.forge.github.calls import Calls, documented_answers
from orchestrator.forge.github.values import checked
from orchestrator.forge.model import RunReview
from orchestrator.forge.settings import (
    ForgeEnvironment,
    ForgeSettings,
    Forks,
    Protection,
    Readable,
    Unreadable,
    WorkflowRights,
)

T = TypeVar("T")

_ADMIN = "administration: read"
ACTIONS = "actions: read"
_CONTENTS = "contents: read"
_METADATA = "metadata: read"
PAGE = 100


class Settings(Calls):
    """The settings that infra checks. What the token may not read is `Unreadable`, with the reason."""

    @documented_answers()
    def settings(self, trunk: str) -> ForgeSettings:
        """Reads all settings. Raises ForgeError only if the repository itself cannot be read."""
        repository = self._get("look at the repository", _METADATA, "")
        protection, hidden = self._protection(trunk)
        private = bool(repository.get("private"))
        return ForgeSettings(
            repository=self._repository,
            default_branch=str(repository.get("default_branch", "")),
            is_private=private,
            protection=protection,
            hidden_protection=hidden,
            environments=_read_or_explain(self._environments),
            workflow_rights=_read_or_explain(self._workflow_rights),
            forks=_read_or_explain(self._private_forks if private else self._public_forks),
            codeowners_mistakes=_read_or_explain(lambda: self._codeowners_mistakes(trunk)),
        )

    def _protection(self, trunk: str) -> tuple[Protection, str]:
        """The protection of trunk, and why a part of it could not be read.

        Rulesets and the summary of a branch's protection are readable for everybody; the rest needs an admin.
        """
        branch = quote(trunk, safe="")
        summary = _read_or_explain(lambda: self._get("look at trunk", _CONTENTS, f"/branches/{branch}"))
        path = f"/rules/branches/{branch}"
        rules = _read_or_explain(
            lambda: self._get("look at trunk's rules", _METADATA, path, {"per_page": PAGE})
        )
        whole = _read_or_explain(lambda: self._read_protection(f"/branches/{branch}/protection"))
        readers: tuple[tuple[Any, Callable[[Any], Protection]], ...] = (
            (summary, _of_summary),
            (rules, _of_rules),
            (whole, _of_protection),
        )
        protection = Protection()
        for part, read in readers:
            if part and not isinstance(part, Unreadable):
                protection = protection.and_(read(part))
        # A branch that its summary calls unprotected has no protection to be hidden; rulesets are seen.
        unprotected = not isinstance(summary, Unreadable) and not summary.get("protected")
        hidden = [
            part.why
            for part in (
                rules,
                None if unprotected else whole,
                summary if isinstance(whole, Unreadable) else None,
            )
            if isinstance(part, Unreadable)
        ]
        return protection, "; ".join(hidden)

    def _read_protection(self, path: str) -> Mapping[str, Any] | None:
        """A branch's protection; None if it has none."""
        try:
            whole_protection: Mapping[str, Any] = self._get("look at trunk's protection", _ADMIN, path)
        except ForgeError as error:
            if "branch not protected" not in error.message.lower():
                raise
            return None
        return whole_protection

    def _environments(self) -> dict[str, ForgeEnvironment]:
        listed: list[Mapping[str, Any]] = []
        while True:
            page = {"per_page": PAGE, "page": len(listed) // PAGE + 1}
            answer = self._get("list the environments", ACTIONS, "/environments", page)
            listed += answer.get("environments") or ()
            if len(listed) >= int(answer.get("total_count") or 0) or not answer.get("environments"):
                break
        return {str(environment["name"]): self._environment(environment) for environment in listed}

    @documented_answers()
    def environment(self, name: str) -> ForgeEnvironment:
        """A deployment environment. Raises ForgeError with status 404 if there is none."""
        path = f"/environments/{quote(name, safe='')}"
        return self._environment(self._get(f"look at the environment {name}", ACTIONS, path))

    @documented_answers()
    def run_reviews(self, run: int) -> list[RunReview]:
        """The reviews of a workflow run's environments, in all its attempts."""
        approvals = self._get("ask who approved this run", ACTIONS, f"/actions/runs/{run}/approvals")
        return [
            checked(
                RunReview(
                    user=str((approval.get("user") or {}).get("login") or ""),
                    state=approval["state"],
                    environments=tuple(str(environment["name"]) for environment in approval["environments"]),
                    comment=str(approval.get("comment") or ""),
                )
            )
            for approval in approvals
        ]

    def _environment(self, environment: Mapping[str, Any]) -> ForgeEnvironment:
        name, policy = str(environment["name"]), environment.get("deployment_branch_policy") or {}
        reviewers = [
            rule for rule in environment.get("protection_rules") or () if rule["type"] == "required_reviewers"
        ]
        branches: Readable[tuple[str, ...]] | None = None
        if policy.get("custom_branch_policies"):
            path = f"/environments/{quote(name, safe='')}/deployment-branch-policies"
            branches = _read_or_explain(lambda: self._branch_names(path))
        return ForgeEnvironment(
            name=name,
            reviewers=sum(len(rule.get("reviewers") or ()) for rule in reviewers),
            prevents_self_review=any(rule.get("prevent_self_review") for rule in reviewers),
            protected_branches=bool(policy.get("protected_branches")),
            branches=branches,
        )

    def _branch_names(self, path: str) -> tuple[str, ...]:
        answer = self._get("look at who may deploy", ACTIONS, path, {"per_page": PAGE})
        return tuple(str(branch_policy["name"]) for branch_policy in answer["branch_policies"])

    def _workflow_rights(self) -> WorkflowRights:
        answer = self._get("look at the workflows' rights", _ADMIN, "/actions/permissions/workflow")
        may_approve = bool(answer["can_approve_pull_request_reviews"])
        return WorkflowRights(
            "write" if answer["default_workflow_permissions"] == "write" else "read", may_approve
        )

    def _public_forks(self) -> Forks:
        path = "/actions/permissions/fork-pr-contributor-approval"
        return Forks(approval=str(self._get("look at what forks may do", _ADMIN, path)["approval_policy"]))

    def _private_forks(self) -> Forks:
        path = "/actions/permissions/fork-pr-workflows-private-repos"
        answer = self._get("look at what forks may do", _ADMIN, path)
        runs = bool(answer["run_workflows_from_fork_pull_requests"])
        return Forks(
            runs_workflows=runs,
            gets_write_tokens=runs and bool(answer["send_write_tokens_to_workflows"]),
            gets_secrets=runs and bool(answer["send_secrets_and_variables"]),
        )

    def _codeowners_mistakes(self, trunk: str) -> tuple[str, ...]:
        """Errors that GitHub finds in trunk's CODEOWNERS, such as an unknown team."""
        try:
            answer = self._get("look at CODEOWNERS", _CONTENTS, "/codeowners/errors", {"ref": trunk})
        except ForgeError as error:
            if error.status != 404:
                raise
            return ()
        return tuple(
            f"{error['path']}:{error['line']}: {error['kind']}: {str(error.get('source') or '').strip()}"
            for error in answer["errors"]
        )


def _read_or_explain(look: Callable[[], T]) -> Readable[T]:
    """Reads a value; if that fails, why."""
    try:
        with documented_answers():
            return look()
    except ForgeError as error:
        advice = f" {error.advice}" if error.status in (0, 429) or error.status >= 500 else ""
        return Unreadable(f"{error.message}{advice}")


def _of_summary(branch: Mapping[str, Any]) -> Protection:
    """The protection in `GET /branches/BRANCH`, readable for everybody."""
    protection = branch.get("protection") or {}
    return Protection(
        is_protected=bool(branch.get("protected")), checks=_checks(protection.get("required_status_checks"))
    )


def _of_protection(protection: Mapping[str, Any]) -> Protection:
    """A branch's protection, as an admin sees it."""
    reviews = protection.get("required_pull_request_reviews") or {}
    return Protection(
        is_protected=True,
        checks=_checks(protection.get("required_status_checks")),
        reviews=int(reviews.get("required_approving_review_count") or 0),
        dismisses_stale=bool(reviews.get("dismiss_stale_reviews")),
        wants_code_owners=bool(reviews.get("require_code_owner_reviews")),
        wants_last_push_approved=bool(reviews.get("require_last_push_approval")),
        forbids_force_pushes=not (protection.get("allow_force_pushes") or {}).get("enabled", False),
        forbids_deletion=not (protection.get("allow_deletions") or {}).get("enabled", False),
    )


def _checks(required: Mapping[str, Any] | None) -> frozenset[str]:
    """Names of required checks, in the older and the newer of GitHub's spellings."""
    required = required or {}
    named = [str(check["context"]) for check in required.get("checks") or ()]
    return frozenset([*named, *map(str, required.get("contexts") or ())])


def _of_rules(rules: Iterable[Mapping[str, Any]]) -> Protection:
    """The rules of all active rulesets of a branch."""
    protection = Protection()
    for rule in rules:
        parameters = rule.get("parameters") or {}
        match rule.get("type"):
            case "pull_request":
                protection = protection.and_(
                    Protection(
                        is_protected=True,
                        reviews=int(parameters.get("required_approving_review_count") or 0),
                        dismisses_stale=bool(parameters.get("dismiss_stale_reviews_on_push")),
                        wants_code_owners=bool(parameters.get("require_code_owner_review")),
                        wants_last_push_approved=bool(parameters.get("require_last_push_approval")),
                    )
                )
            case "required_status_checks":
                names = frozenset(
                    str(required_status_check["context"])
                    for required_status_check in parameters.get("required_status_checks") or ()
                )
                protection = protection.and_(Protection(is_protected=True, checks=names))
            case "non_fast_forward":
                protection = protection.and_(Protection(forbids_force_pushes=True))
            case "deletion":
                protection = protection.and_(Protection(forbids_deletion=True))
    return protection
