"""The settings of a repository on its forge, as far as a token may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar


@dataclass(frozen=True)
class Unreadable:
    """A setting that could not be read, and why. It never counts as correct."""

    why: str


T = TypeVar("T")
Readable: TypeAlias = T | Unreadable


@dataclass(frozen=True)
class Protection:
    """The protection of a branch, by branch protection and rulesets together.

    `checks` are the names of required checks, `reviews` the number of required approvals.
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
        """Both combined: the forge enforces the stricter of each setting."""
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
class ForgeEnvironment:
    """A deployment environment. `branches` may deploy to it: None for every branch.

    `protected_branches` instead lets every protected branch in.
    """

    name: str
    reviewers: int = 0
    prevents_self_review: bool = False
    protected_branches: bool = False
    branches: Readable[tuple[str, ...]] | None = None


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
class ForgeSettings:
    """A repository's settings. `protection` is the known part of trunk's.

    `hidden_protection` says why a part of it could not be read, empty if all was: what is missing in
    `protection` may then exist all the same.
    """

    repository: str
    default_branch: str
    is_private: bool
    protection: Protection
    hidden_protection: str
    environments: Readable[Mapping[str, ForgeEnvironment]]
    workflow_rights: Readable[WorkflowRights]
    forks: Readable[Forks]
    codeowners_mistakes: Readable[tuple[str, ...]] = field(default=())
