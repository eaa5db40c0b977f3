"""How a repository is set up on its host, as far as a token may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar


@dataclass(frozen=True)
class Unseen:
    """Something that could not be looked at, and why. It is never taken for fine."""

    why: str


T = TypeVar("T")
Seen: TypeAlias = T | Unseen


@dataclass(frozen=True)
class Protection:
    """What holds on a branch, by its protection and by rulesets together.

    `checks` are the names that must be green, `reviews` how many approvals a merge takes.
    """

    is_protected: bool = False
    checks: frozenset[str] = frozenset()
    reviews: int = 0
    dismisses_stale: bool = False
    wants_code_owners: bool = False
    wants_last_push_approved: bool = False
    forbids_force_pushes: bool = False
    forbids_deletion: bool = False

    def and_(self, other: Protection) -> Protection:
        """Both at once: the host holds to the stricter one in everything."""
        return Protection(
            is_protected=self.is_protected or other.is_protected,
            checks=self.checks | other.checks,
            reviews=max(self.reviews, other.reviews),
            dismisses_stale=self.dismisses_stale or other.dismisses_stale,
            wants_code_owners=self.wants_code_owners or other.wants_code_owners,
            wants_last_push_approved=self.wants_last_push_approved or other.wants_last_push_approved,
            forbids_force_pushes=self.forbids_force_pushes or other.forbids_force_pushes,
            forbids_deletion=self.forbids_deletion or other.forbids_deletion,
        )


@dataclass(frozen=True)
class HostEnvironment:
    """A deployment environment. `branches` may deploy to it: None for every branch.

    `protected_branches` instead lets every protected branch in.
    """

    name: str
    reviewers: int = 0
    prevents_self_review: bool = False
    protected_branches: bool = False
    branches: Seen[tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Forks:
    """What a fork's pull request may do. `approval` is GitHub's word for who waits for a maintainer."""

    approval: str = ""
    runs_workflows: bool = True
    gets_write_tokens: bool = False
    gets_secrets: bool = False


@dataclass(frozen=True)
class WorkflowRights:
    """What a workflow's token may do when its file says nothing."""

    default: Literal["read", "write"]
    may_approve: bool


@dataclass(frozen=True)
class HostSettings:
    """A repository's settings. `protection` is what is known of trunk's.

    `hidden_protection` says why a part of it could not be seen, empty when all was: then what is missing in
    `protection` may be there all the same.
    """

    repository: str
    default_branch: str
    is_private: bool
    protection: Protection
    hidden_protection: str
    environments: Seen[Mapping[str, HostEnvironment]]
    workflow_rights: Seen[WorkflowRights]
    forks: Seen[Forks]
    codeowners_mistakes: Seen[tuple[str, ...]] = field(default=())
