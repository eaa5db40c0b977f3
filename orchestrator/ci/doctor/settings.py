"""What a repository's settings on GitHub must be for a merge to mean what reviewers saw."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.ci.doctor.check import GitHubCheck, doubtful, fine, unseen, wrong
from orchestrator.hosts.settings import HostEnvironment, HostSettings, Protection, Unseen
from orchestrator.project.model import Project

BRANCHES = "Settings → Rules → Rulesets (or Branches)"
ENVIRONMENTS = "Settings → Environments"
ACTIONS = "Settings → Actions → General"
STRANGERS = "first_time_contributors_new_to_github"


def settings(project: Project, found: HostSettings, trunk: str) -> Iterator[GitHubCheck]:
    """Every check of the settings, in the order in which people set them."""
    yield default_branch(found, trunk)
    yield from protection(project, found, trunk)
    yield from environments(project, found, trunk)
    yield from workflow_rights(found)
    yield forks(found)
    yield from codeowners_mistakes(found)


def default_branch(found: HostSettings, trunk: str) -> GitHubCheck:
    """Whether workflows that start by themselves start on trunk."""
    if found.default_branch == trunk:
        return fine("default branch", f"{trunk} is trunk and the default branch")
    return wrong(
        "default branch",
        f"trunk is {trunk}, and GitHub's default branch is {found.default_branch}",
        "Schedules and comments start the workflows of the default branch, and Google trusts those at trunk.",
        f"Settings → General → Default branch → {trunk}; or `trunk: {found.default_branch}` in infra.yaml.",
    )


def protection(project: Project, found: HostSettings, trunk: str) -> Iterator[GitHubCheck]:
    """Whether trunk takes nothing but what was reviewed and planned."""
    held, hidden = found.protection, found.hidden_protection
    if not held.is_protected:
        if hidden:
            yield unseen("protection", f"whether {trunk} is protected", hidden)
        else:
            yield wrong(
                "protection",
                f"{trunk} is not protected",
                "Whoever may push can change trunk without a review, and what trunk says is applied.",
                f"{BRANCHES} → protect {trunk}: require a pull request, an approval and the checks.",
            )
        return
    yield fine("protection", f"{trunk} is protected")
    for holds, check in _rules(project, held, trunk):
        if holds:
            continue
        yield (
            unseen(check.name, f"whether it is so that {_positive(check.name)}", hidden) if hidden else check
        )
    wanted = [f"infra/{name}" for name in project.environments]
    missing = [name for name in wanted if name not in held.checks]
    if not missing:
        yield fine("required checks", f"{', '.join(wanted)} must be green")
    elif hidden:
        yield unseen("required checks", f"whether {', '.join(missing)} must be green", hidden)
    else:
        yield wrong(
            "required checks",
            f"{', '.join(missing)} need not be green for a merge",
            "A change whose plan failed, or that the policy refuses, can be merged.",
            f"{BRANCHES} → Require status checks → add {', '.join(missing)}.",
        )


def _rules(project: Project, held: Protection, trunk: str) -> Iterator[tuple[bool, GitHubCheck]]:
    """What must hold on trunk, each with what to say when it does not."""
    by_review = [
        name
        for name in project.environments
        if project.config.is_protected(name, project.order)
        and project.config.environment(name).approved_by != "merge"
    ]
    yield (
        held.reviews > 0,
        (wrong if by_review else doubtful)(
            "reviews",
            f"a merge into {trunk} takes no approval",
            "What is merged unseen is not applied where `approved_by: review` holds"
            + (f" ({', '.join(by_review)}): it waits at the gate." if by_review else "."),
            f"{BRANCHES} → Require a pull request → Required approvals: 1 or more.",
        ),
    )
    yield (
        held.dismisses_stale,
        doubtful(
            "stale reviews",
            "an approval stays when somebody pushes after it",
            "Such a merge looks approved and is not: infra counts reviews of the merged head alone.",
            f"{BRANCHES} → Dismiss stale pull request approvals when new commits are pushed.",
        ),
    )
    yield (
        held.wants_code_owners,
        doubtful(
            "code owners",
            "an approval by anybody is enough, also where CODEOWNERS names somebody",
            "infra.yaml, the workflows and the policies rule the rest: their owners must approve changes.",
            f"{BRANCHES} → Require review from Code Owners.",
        ),
    )
    yield (
        held.forbids_force_pushes and held.forbids_deletion,
        doubtful(
            "history",
            f"{trunk} can be force-pushed or deleted",
            "The ledger names commits of trunk; time runs forward only while they stay in its history.",
            f"{BRANCHES} → Block force pushes, Restrict deletions.",
        ),
    )


def _positive(name: str) -> str:
    return {
        "reviews": "a merge takes an approval",
        "stale reviews": "a push dismisses approvals",
        "code owners": "code owners must approve",
        "history": "force pushes and deletion are blocked",
    }[name]


def environments(project: Project, found: HostSettings, trunk: str) -> Iterator[GitHubCheck]:
    """Whether only trunk can become an apply account, and somebody can open each gate."""
    if isinstance(found.environments, Unseen):
        yield unseen("environments", "the environments", found.environments.why)
        return
    for name in project.environments:
        yield from _environment(name, found.environments.get(name), trunk)
        protected = project.config.is_protected(name, project.order)
        if protected and project.config.environment(name).unapproved == "gate":
            gate = f"{name}-approval"
            yield from _gate(gate, found.environments.get(gate), found.is_private)


def _environment(name: str, one: HostEnvironment | None, trunk: str) -> Iterator[GitHubCheck]:
    """The environment that apply jobs run in: trunk only, no reviewers."""
    label = f"environment {name}"
    why = f"A job in the environment {name} is what Google takes for the apply account of {name}."
    fix = f"{ENVIRONMENTS} → {name} → Deployment branches: Selected branches, {trunk} alone."
    if one is None:
        yield wrong(label, "it does not exist; the first job makes it, open to every branch", why, fix)
        return
    if isinstance(one.branches, Unseen):
        yield unseen(label, "which branches may deploy to it", one.branches.why)
    elif one.branches is None and not one.protected_branches:
        yield wrong(label, "every branch may deploy to it", why, fix)
    elif one.protected_branches:
        yield doubtful(label, "every protected branch may deploy to it", why, fix)
    elif one.branches != (trunk,):
        named = ", ".join(one.branches or ()) or "no branch"
        yield wrong(label, f"{named} may deploy to it, not {trunk} alone", why, fix)
    else:
        yield fine(label, f"only {trunk} may deploy to it")
    if one.reviewers:
        yield doubtful(
            label,
            "it has reviewers of its own",
            "GitHub holds each job there back before its first step, also when there is nothing to approve.",
            f"{ENVIRONMENTS} → {name}: take the reviewers out, and put them into {name}-approval.",
        )


def _gate(name: str, one: HostEnvironment | None, is_private: bool) -> Iterator[GitHubCheck]:
    """The environment at which an apply waits for a person."""
    label = f"environment {name}"
    if one is not None and one.reviewers:
        yield fine(label, f"{one.reviewers} reviewers can open the gate")
        return
    paid = (
        " On a private repository that takes GitHub Enterprise: without it set `unapproved: refuse` in "
        "infra.yaml, and approve with `infra ci approve ENV`."
        if is_private
        else ""
    )
    yield wrong(
        label,
        "it does not exist" if one is None else "it has no reviewers",
        "The gate asks its reviewers: without them, what nobody approved is refused.",
        f"{ENVIRONMENTS} → New environment → {name} → Required reviewers.{paid}",
    )


def workflow_rights(found: HostSettings) -> Iterator[GitHubCheck]:
    """What a workflow may do that says nothing about it."""
    rights = found.workflow_rights
    if isinstance(rights, Unseen):
        yield unseen("workflow rights", "what workflows may do by default", rights.why)
        return
    if rights.default == "write":
        yield wrong(
            "workflow rights",
            "a workflow may write to the repository when its file says nothing",
            "Any action in such a workflow can push, and post checks that look like ours.",
            f"{ACTIONS} → Workflow permissions → Read repository contents and packages permissions.",
        )
    else:
        yield fine("workflow rights", "a workflow may only read when its file says nothing")
    if rights.may_approve:
        yield doubtful(
            "workflow rights",
            "GitHub Actions may open and approve pull requests",
            "A workflow on any branch can then be one of the approvals that a merge takes.",
            f"{ACTIONS} → take the tick off, and give `infra ci approve` and drift's pull requests an App's "
            "token (INFRA_GITHUB_TOKEN) instead.",
        )


def forks(found: HostSettings) -> GitHubCheck:
    """What strangers' pull requests get."""
    given = found.forks
    if isinstance(given, Unseen):
        return unseen("forks", "what forks' pull requests may do", given.why)
    if given.gets_write_tokens or given.gets_secrets:
        what = " and ".join(
            word
            for word, holds in (("write tokens", given.gets_write_tokens), ("secrets", given.gets_secrets))
            if holds
        )
        return wrong(
            "forks",
            f"workflows of forks' pull requests get {what}",
            "Whoever can fork can then change the repository, or read what is secret.",
            f"{ACTIONS} → Fork pull request workflows → take the ticks off.",
        )
    if given.approval == STRANGERS:
        return doubtful(
            "forks",
            "only newcomers to GitHub wait for an approval before their workflows run",
            "A stranger with an old account runs code on your runners by opening a pull request.",
            f"{ACTIONS} → Approval for running fork pull request workflows → all external contributors.",
        )
    return fine("forks", "their pull requests get no write token and no secret")


def codeowners_mistakes(found: HostSettings) -> Iterator[GitHubCheck]:
    """What GitHub finds wrong with CODEOWNERS, such as a team that does not exist."""
    if isinstance(found.codeowners_mistakes, Unseen):
        yield unseen("CODEOWNERS", "what GitHub finds wrong with it", found.codeowners_mistakes.why)
        return
    for mistake in found.codeowners_mistakes:
        yield wrong(
            "CODEOWNERS",
            f"GitHub says: {mistake}",
            "A line that GitHub skips protects nothing.",
            "Correct it; an owner needs write permission on the repository.",
        )
