"""Checks a repository's settings on GitHub: only what reviewers saw may be merged."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.forge.check import ForgeCheck
from orchestrator.forge.github.doctor.check import (
    error_check,
    ok_check,
    unseen_check,
    warning_check,
)
from orchestrator.forge.settings import ForgeEnvironment, ForgeSettings, Protection, Unreadable
from orchestrator.repository.model import Project

_BRANCHES = "Settings → Rules → Rulesets (or Branches)"
ENVIRONMENTS = "Settings → Environments"
ACTIONS = "Settings → Actions → General"
_STRANGERS = "first_time_contributors_new_to_github"


def check_settings(project: Project, settings: ForgeSettings, trunk: str) -> Iterator[ForgeCheck]:
    """Runs every check of the settings, in the order in which people set them."""
    yield _check_default_branch(settings, trunk)
    yield from _check_protection(project, settings, trunk)
    yield from _check_environments(project, settings, trunk)
    yield from _check_workflow_rights(settings)
    yield _check_forks(settings)
    yield from _check_codeowners(settings)


def _check_default_branch(settings: ForgeSettings, trunk: str) -> ForgeCheck:
    """Checks that trunk is the default branch."""
    if settings.default_branch == trunk:
        return ok_check("default branch", f"{trunk} is trunk and the default branch")
    return error_check(
        "default branch",
        f"trunk is {trunk}, and GitHub's default branch is {settings.default_branch}",
        "Schedules and comments start the workflows of the default branch, and Google trusts those at trunk.",
        f"Settings → General → Default branch → {trunk}; or `trunk: {settings.default_branch}` in "
        "infra.yaml.",
    )


def _check_protection(project: Project, settings: ForgeSettings, trunk: str) -> Iterator[ForgeCheck]:
    """Checks that trunk accepts only reviewed and planned changes."""
    protection, hidden = settings.protection, settings.hidden_protection
    if not protection.is_protected:
        if hidden:
            yield unseen_check("protection", f"whether {trunk} is protected", hidden)
        else:
            yield error_check(
                "protection",
                f"{trunk} is not protected",
                "Whoever may push can change trunk without a review, and what trunk says is applied.",
                f"{_BRANCHES} → protect {trunk}: require a pull request, an approval and the checks.",
            )
        return
    yield ok_check("protection", f"{trunk} is protected")
    for holds, check in _rules(project, protection, trunk):
        if holds:
            continue
        yield (
            unseen_check(check.name, f"whether it is so that {_positive(check.name)}", hidden)
            if hidden
            else check
        )
    required = [f"infra/{name}" for name in project.environments]
    missing = [name for name in required if name not in protection.checks]
    if not missing:
        yield ok_check("required checks", f"{', '.join(required)} must be green")
    elif hidden:
        yield unseen_check("required checks", f"whether {', '.join(missing)} must be green", hidden)
    else:
        yield error_check(
            "required checks",
            f"{', '.join(missing)} need not be green for a merge",
            "A change whose plan failed, or that the policy refuses, can be merged.",
            f"{_BRANCHES} → Require status checks → add {', '.join(missing)}.",
        )


def _rules(project: Project, protection: Protection, trunk: str) -> Iterator[tuple[bool, ForgeCheck]]:
    """The requirements on trunk, each with the check to report if it does not hold."""
    by_review = [
        name
        for name in project.environments
        if project.config.is_protected(name, project.order)
        and project.config.environment(name).approved_by != "merge"
    ]
    yield (
        protection.reviews > 0,
        (error_check if by_review else warning_check)(
            "reviews",
            f"a merge into {trunk} takes no approval",
            "What is merged unseen is not applied where `approved_by: review` holds"
            + (f" ({', '.join(by_review)}): it waits at the gate." if by_review else "."),
            f"{_BRANCHES} → Require a pull request → Required approvals: 1 or more.",
        ),
    )
    yield (
        protection.dismisses_stale,
        warning_check(
            "stale reviews",
            "an approval stays when somebody pushes after it",
            "Such a merge looks approved and is not: infra counts reviews of the merged head alone.",
            f"{_BRANCHES} → Dismiss stale pull request approvals when new commits are pushed.",
        ),
    )
    yield (
        protection.wants_code_owners,
        warning_check(
            "code owners",
            "an approval by anybody is enough, also where CODEOWNERS names somebody",
            "infra.yaml, the workflows and the policies rule the rest: their owners must approve changes.",
            f"{_BRANCHES} → Require review from Code Owners.",
        ),
    )
    yield (
        protection.forbids_force_pushes and protection.forbids_deletion,
        warning_check(
            "history",
            f"{trunk} can be force-pushed or deleted",
            "The ledger names commits of trunk; time runs forward only while they stay in its history.",
            f"{_BRANCHES} → Block force pushes, Restrict deletions.",
        ),
    )


def _positive(name: str) -> str:
    return {
        "reviews": "a merge takes an approval",
        "stale reviews": "a push dismisses approvals",
        "code owners": "code owners must approve",
        "history": "force pushes and deletion are blocked",
    }[name]


def _check_environments(project: Project, settings: ForgeSettings, trunk: str) -> Iterator[ForgeCheck]:
    """Checks that only trunk gets an apply account, and that each gate has reviewers."""
    if isinstance(settings.environments, Unreadable):
        yield unseen_check("environments", "the environments", settings.environments.why)
        return
    gated_environments = project.config.gated(project.environments, project.order)
    for name in project.environments:
        yield from _environment(name, settings.environments.get(name), trunk)
        if name in gated_environments:
            gate = f"{name}-approval"
            yield from _gate(gate, settings.environments.get(gate), settings.is_private)


def _environment(name: str, environment: ForgeEnvironment | None, trunk: str) -> Iterator[ForgeCheck]:
    """The environment that apply jobs run in: trunk only, no reviewers."""
    label = f"environment {name}"
    why = f"A job in the environment {name} is what Google takes for the apply account of {name}."
    fix = f"{ENVIRONMENTS} → {name} → Deployment branches: Selected branches, {trunk} alone."
    if environment is None:
        yield error_check(label, "it does not exist; the first job makes it, open to every branch", why, fix)
        return
    if isinstance(environment.branches, Unreadable):
        yield unseen_check(label, "which branches may deploy to it", environment.branches.why)
    elif environment.branches is None and not environment.protected_branches:
        yield error_check(label, "every branch may deploy to it", why, fix)
    elif environment.protected_branches:
        yield warning_check(label, "every protected branch may deploy to it", why, fix)
    elif environment.branches != (trunk,):
        named = ", ".join(environment.branches or ()) or "no branch"
        yield error_check(label, f"{named} may deploy to it, not {trunk} alone", why, fix)
    else:
        yield ok_check(label, f"only {trunk} may deploy to it")
    if environment.reviewers:
        yield warning_check(
            label,
            "it has reviewers of its own",
            "GitHub holds each job there back before its first step, also when there is nothing to approve.",
            f"{ENVIRONMENTS} → {name}: take the reviewers out, and put them into {name}-approval.",
        )


def _gate(name: str, environment: ForgeEnvironment | None, is_private: bool) -> Iterator[ForgeCheck]:
    """The environment at which an apply waits for a person."""
    label = f"environment {name}"
    if environment is not None and environment.reviewers:
        yield ok_check(label, f"{environment.reviewers} reviewers can open the gate")
        return
    paid = (
        " On a private repository that takes GitHub Enterprise: without it set `unapproved: refuse` in "
        "infra.yaml, and approve with `infra ci approve ENV`."
        if is_private
        else ""
    )
    yield error_check(
        label,
        "it does not exist" if environment is None else "it has no reviewers",
        "The gate asks its reviewers: without them, what nobody approved is refused.",
        f"{ENVIRONMENTS} → New environment → {name} → Required reviewers.{paid}",
    )


def _check_workflow_rights(settings: ForgeSettings) -> Iterator[ForgeCheck]:
    """Checks the default permissions of workflows."""
    rights = settings.workflow_rights
    if isinstance(rights, Unreadable):
        yield unseen_check("workflow rights", "what workflows may do by default", rights.why)
        return
    if rights.default == "write":
        yield error_check(
            "workflow rights",
            "a workflow may write to the repository when its file says nothing",
            "Any action in such a workflow can push, and post checks that look like ours.",
            f"{ACTIONS} → Workflow permissions → Read repository contents and packages permissions.",
        )
    else:
        yield ok_check("workflow rights", "a workflow may only read when its file says nothing")
    if rights.may_approve:
        yield warning_check(
            "workflow rights",
            "GitHub Actions may open and approve pull requests",
            "A workflow on any branch can then be one of the approvals that a merge takes.",
            f"{ACTIONS} → take the tick off, and give `infra ci approve` and drift's pull requests an App's "
            "token (INFRA_GITHUB_TOKEN) instead.",
        )


def _check_forks(settings: ForgeSettings) -> ForgeCheck:
    """Checks what pull requests from forks get."""
    forks = settings.forks
    if isinstance(forks, Unreadable):
        return unseen_check("forks", "what forks' pull requests may do", forks.why)
    if forks.gets_write_tokens or forks.gets_secrets:
        what = " and ".join(
            word
            for word, holds in (("write tokens", forks.gets_write_tokens), ("secrets", forks.gets_secrets))
            if holds
        )
        return error_check(
            "forks",
            f"workflows of forks' pull requests get {what}",
            "Whoever can fork can then change the repository, or read what is secret.",
            f"{ACTIONS} → Fork pull request workflows → take the ticks off.",
        )
    if forks.approval == _STRANGERS:
        return warning_check(
            "forks",
            "only newcomers to GitHub wait for an approval before their workflows run",
            "A stranger with an old account runs code on your runners by opening a pull request.",
            f"{ACTIONS} → Approval for running fork pull request workflows → all external contributors.",
        )
    return ok_check("forks", "their pull requests get no write token and no secret")


def _check_codeowners(settings: ForgeSettings) -> Iterator[ForgeCheck]:
    """Reports errors that GitHub finds in CODEOWNERS, such as an unknown team."""
    if isinstance(settings.codeowners_mistakes, Unreadable):
        yield unseen_check("CODEOWNERS", "what GitHub finds wrong with it", settings.codeowners_mistakes.why)
        return
    for mistake in settings.codeowners_mistakes:
        yield error_check(
            "CODEOWNERS",
            f"GitHub says: {mistake}",
            "A line that GitHub skips protects nothing.",
            "Correct it; an owner needs write permission on the repository.",
        )
