"""The plans of a pull request as reviewers see them, from the reports of all plan jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from orchestrator.report.model import StackReport
from orchestrator.repository.model import Finding, environment_of

Change = Literal["changed", "new", "deleted", "dependent"]


@dataclass(frozen=True)
class StackReview:
    """One stack's plan and what is known about it. Everything is masked.

    `change` says how the pull request touches it: `deleted` is planned as a destroy with the code of before,
    `dependent` did not change itself and reads what changes. `reasons` are chains of files. `provisional` are
    the upstreams whose changes may still change this plan. `drift` are the resources that changed outside of
    Terraform, in the shape of `changes` in `--json`. `imported` are the addresses that are taken into the
    state. `checks` are Terraform's `check` blocks that do not pass. `findings` are the policy's and the
    guard's about this stack. `object` names the plan object in the bucket and `sha256` its content; both are
    empty where none was written.
    """

    report: StackReport
    change: Change = "changed"
    reasons: tuple[tuple[str, ...], ...] = ()
    provisional: tuple[str, ...] = ()
    drift: tuple[Mapping[str, Any], ...] = ()
    imported: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    object: str = ""
    sha256: str = ""

    @property
    def id(self) -> str:
        """The stack's id."""
        return self.report.id

    @property
    def environment(self) -> str:
        """The stack's environment."""
        return self.report.environment


def hash_of_review(stack: StackReview) -> str:
    """A hash of everything that reviewers see of a stack's plan, except its duration.

    It is the same for a review that was read from its JSON.
    """
    report = replace(stack.report, seconds=0.0)
    content = asdict(replace(stack, report=report, object="", sha256=""))
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class EnvironmentRules:
    """The rules of an environment in infra.yaml that decide what happens on merge.

    `protected` is true when its plans want an approval. `checks` counts those before the next environment,
    `soak` is how long that waits, in seconds.
    """

    name: str
    protected: bool
    approved_by: Literal["review", "merge", "codeowners", "manifest"] = "review"
    unapproved: Literal["gate", "refuse", "apply"] = "gate"
    checks: int = 0
    soak: float = 0.0


@dataclass(frozen=True)
class HookReport:
    """What one report hook of an environment, or of a stack, wrote about a change.

    `code` says whose program wrote it: trunk's, or one of the change itself. `markdown` is as it was printed,
    masked; `problem` says why there is none.
    """

    name: str
    environment: str
    stack: str = ""
    code: Literal["base", "head"] = "base"
    markdown: str = ""
    problem: str = ""


@dataclass(frozen=True)
class PlanReview:
    """All plans of one head of a pull request.

    `head` is the pull request's own last commit, `commit` what was planned (its merge with trunk), `base`
    trunk's commit in that merge. `environments` are in promotion order. `unplanned` are stacks that no job
    reported: a job that died. `findings` are the guard's and the policy's about the whole. `destroys_deleted`
    says whether stacks that the pull request deletes are destroyed on merge. `heartbeat` is a sentence when
    the last check for drift is too long ago. `reports` are those of report hooks. `url` leads to the run with
    the whole text.
    """

    repository: str
    pull_request: int
    title: str
    author: str
    head: str
    commit: str
    base: str
    trunk: str
    environments: tuple[EnvironmentRules, ...]
    stacks: tuple[StackReview, ...]
    unplanned: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    heartbeat: str = ""
    reports: tuple[HookReport, ...] = ()
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    destroys_deleted: bool = False
    run: str = ""
    url: str = ""
    seconds: float = 0.0

    def environment_of(self, stack: str) -> str:
        """The environment that a stack's id begins with."""
        names = (environment.name for environment in self.environments)
        return environment_of(stack, names) or stack.split("/")[0]
