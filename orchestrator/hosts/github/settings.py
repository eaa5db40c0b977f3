"""How a repository is set up on GitHub. PyGithub knows little of it, so it is read as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from orchestrator.errors import HostError
from orchestrator.hosts.github.calls import Calls, documented_answers
from orchestrator.hosts.github.values import checked
from orchestrator.hosts.model import RunReview
from orchestrator.hosts.settings import (
    Forks,
    HostEnvironment,
    HostSettings,
    Protection,
    Seen,
    Unseen,
    WorkflowRights,
)

T = TypeVar("T")

ADMIN = "administration: read"
ACTIONS = "actions: read"
CONTENTS = "contents: read"
METADATA = "metadata: read"
PAGE = 100


class Settings(Calls):
    """The settings that matter to us. Whatever the token may not see is `Unseen`, with the reason."""

    @documented_answers()
    def settings(self, trunk: str) -> HostSettings:
        """All of them. Raises HostError only when the repository itself cannot be seen."""
        found = self._get("look at the repository", METADATA, "")
        protection, hidden = self._protection(trunk)
        private = bool(found.get("private"))
        return HostSettings(
            repository=self._repository,
            default_branch=str(found.get("default_branch", "")),
            is_private=private,
            protection=protection,
            hidden_protection=hidden,
            environments=seen(self._environments),
            workflow_rights=seen(self._workflow_rights),
            forks=seen(self._private_forks if private else self._public_forks),
            codeowners_mistakes=seen(lambda: self._codeowners_mistakes(trunk)),
        )

    def _protection(self, trunk: str) -> tuple[Protection, str]:
        """What holds on trunk, and why a part of it could not be seen.

        Rulesets and the summary of a branch's protection are for every reader; the rest takes an admin.
        """
        branch = quote(trunk, safe="")
        summary = seen(lambda: self._get("look at trunk", CONTENTS, f"/branches/{branch}"))
        path = f"/rules/branches/{branch}"
        rules = seen(lambda: self._get("look at trunk's rules", METADATA, path, {"per_page": PAGE}))
        whole = seen(lambda: self._whole_protection(f"/branches/{branch}/protection"))
        readers: tuple[tuple[Any, Callable[[Any], Protection]], ...] = (
            (summary, _of_summary),
            (rules, _of_rules),
            (whole, _of_protection),
        )
        known = Protection()
        for part, read in readers:
            if part and not isinstance(part, Unseen):
                known = known.and_(read(part))
        # A branch that its summary calls unprotected has no protection to be hidden; rulesets are seen.
        unprotected = not isinstance(summary, Unseen) and not summary.get("protected")
        hidden = [
            part.why
            for part in (
                rules,
                None if unprotected else whole,
                summary if isinstance(whole, Unseen) else None,
            )
            if isinstance(part, Unseen)
        ]
        return known, "; ".join(hidden)

    def _whole_protection(self, path: str) -> Mapping[str, Any] | None:
        """A branch's protection; None when it has none."""
        try:
            found: Mapping[str, Any] = self._get("look at trunk's protection", ADMIN, path)
        except HostError as error:
            if "branch not protected" not in error.message.lower():
                raise
            return None
        return found

    def _environments(self) -> dict[str, HostEnvironment]:
        listed: list[Mapping[str, Any]] = []
        while True:
            page = {"per_page": PAGE, "page": len(listed) // PAGE + 1}
            found = self._get("list the environments", ACTIONS, "/environments", page)
            listed += found.get("environments") or ()
            if len(listed) >= int(found.get("total_count") or 0) or not found.get("environments"):
                break
        return {str(one["name"]): self._environment(one) for one in listed}

    @documented_answers()
    def environment(self, name: str) -> HostEnvironment:
        """A deployment environment. HostError with status 404 when there is none."""
        path = f"/environments/{quote(name, safe='')}"
        return self._environment(self._get(f"look at the environment {name}", ACTIONS, path))

    @documented_answers()
    def run_reviews(self, run: int) -> list[RunReview]:
        """What reviewers answered for the environments of a workflow run, in all its attempts."""
        found = self._get("ask who approved this run", ACTIONS, f"/actions/runs/{run}/approvals")
        return [
            checked(
                RunReview(
                    user=str((one.get("user") or {}).get("login") or ""),
                    state=one["state"],
                    environments=tuple(str(environment["name"]) for environment in one["environments"]),
                    comment=str(one.get("comment") or ""),
                )
            )
            for one in found
        ]

    def _environment(self, one: Mapping[str, Any]) -> HostEnvironment:
        name, policy = str(one["name"]), one.get("deployment_branch_policy") or {}
        reviewers = [
            rule for rule in one.get("protection_rules") or () if rule["type"] == "required_reviewers"
        ]
        branches: Seen[tuple[str, ...]] | None = None
        if policy.get("custom_branch_policies"):
            path = f"/environments/{quote(name, safe='')}/deployment-branch-policies"
            branches = seen(lambda: self._branch_names(path))
        return HostEnvironment(
            name=name,
            reviewers=sum(len(rule.get("reviewers") or ()) for rule in reviewers),
            prevents_self_review=any(rule.get("prevent_self_review") for rule in reviewers),
            protected_branches=bool(policy.get("protected_branches")),
            branches=branches,
        )

    def _branch_names(self, path: str) -> tuple[str, ...]:
        found = self._get("look at who may deploy", ACTIONS, path, {"per_page": PAGE})
        return tuple(str(one["name"]) for one in found["branch_policies"])

    def _workflow_rights(self) -> WorkflowRights:
        found = self._get("look at the workflows' rights", ADMIN, "/actions/permissions/workflow")
        may_approve = bool(found["can_approve_pull_request_reviews"])
        return WorkflowRights(
            "write" if found["default_workflow_permissions"] == "write" else "read", may_approve
        )

    def _public_forks(self) -> Forks:
        path = "/actions/permissions/fork-pr-contributor-approval"
        return Forks(approval=str(self._get("look at what forks may do", ADMIN, path)["approval_policy"]))

    def _private_forks(self) -> Forks:
        path = "/actions/permissions/fork-pr-workflows-private-repos"
        found = self._get("look at what forks may do", ADMIN, path)
        runs = bool(found["run_workflows_from_fork_pull_requests"])
        return Forks(
            runs_workflows=runs,
            gets_write_tokens=runs and bool(found["send_write_tokens_to_workflows"]),
            gets_secrets=runs and bool(found["send_secrets_and_variables"]),
        )

    def _codeowners_mistakes(self, trunk: str) -> tuple[str, ...]:
        """What GitHub itself finds wrong with trunk's CODEOWNERS, such as teams that do not exist."""
        try:
            found = self._get("look at CODEOWNERS", CONTENTS, "/codeowners/errors", {"ref": trunk})
        except HostError as error:
            if error.status != 404:
                raise
            return ()
        return tuple(
            f"{one['path']}:{one['line']}: {one['kind']}: {str(one.get('source') or '').strip()}"
            for one in found["errors"]
        )


def seen(look: Callable[[], T]) -> Seen[T]:
    """What can be seen, else why not."""
    try:
        with documented_answers():
            return look()
    except HostError as error:
        advice = f" {error.advice}" if error.status in (0, 429) or error.status >= 500 else ""
        return Unseen(f"{error.message}{advice}")


def _of_summary(found: Mapping[str, Any]) -> Protection:
    """What `GET /branches/BRANCH` tells to every reader."""
    protection = found.get("protection") or {}
    return Protection(
        is_protected=bool(found.get("protected")), checks=_checks(protection.get("required_status_checks"))
    )


def _of_protection(found: Mapping[str, Any]) -> Protection:
    """A branch's protection, as an admin sees it."""
    reviews = found.get("required_pull_request_reviews") or {}
    return Protection(
        is_protected=True,
        checks=_checks(found.get("required_status_checks")),
        reviews=int(reviews.get("required_approving_review_count") or 0),
        dismisses_stale=bool(reviews.get("dismiss_stale_reviews")),
        wants_code_owners=bool(reviews.get("require_code_owner_reviews")),
        wants_last_push_approved=bool(reviews.get("require_last_push_approval")),
        forbids_force_pushes=not (found.get("allow_force_pushes") or {}).get("enabled", False),
        forbids_deletion=not (found.get("allow_deletions") or {}).get("enabled", False),
    )


def _checks(found: Mapping[str, Any] | None) -> frozenset[str]:
    """Names of required checks, in the older and the newer of GitHub's spellings."""
    found = found or {}
    named = [str(one["context"]) for one in found.get("checks") or ()]
    return frozenset([*named, *map(str, found.get("contexts") or ())])


def _of_rules(found: Iterable[Mapping[str, Any]]) -> Protection:
    """The rules of all active rulesets that hold on a branch."""
    known = Protection()
    for rule in found:
        given = rule.get("parameters") or {}
        match rule.get("type"):
            case "pull_request":
                known = known.and_(
                    Protection(
                        is_protected=True,
                        reviews=int(given.get("required_approving_review_count") or 0),
                        dismisses_stale=bool(given.get("dismiss_stale_reviews_on_push")),
                        wants_code_owners=bool(given.get("require_code_owner_review")),
                        wants_last_push_approved=bool(given.get("require_last_push_approval")),
                    )
                )
            case "required_status_checks":
                names = frozenset(str(one["context"]) for one in given.get("required_status_checks") or ())
                known = known.and_(Protection(is_protected=True, checks=names))
            case "non_fast_forward":
                known = known.and_(Protection(forbids_force_pushes=True))
            case "deletion":
                known = known.and_(Protection(forbids_deletion=True))
    return known
