"""A pull request's plans as a reviewer sees them, put together from the reports of all plan jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from orchestrator.project.model import Finding
from orchestrator.report.model import StackReport

Change = Literal["changed", "new", "deleted", "follower"]


@dataclass(frozen=True)
class StackReview:
    """One stack's plan and what is known about it. Everything is masked.

    `change` says how the pull request touches it: `deleted` is planned as a destroy with the code of before,
    `follower` did not change itself and reads what changes. `reasons` are chains of files. `provisional` are
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


def shown_hash(stack: StackReview) -> str:
    """A hash of all that a reviewer is shown of a stack's plan, but for how long it took.

    It is the same for a review that was read from its JSON.
    """
    report = replace(stack.report, seconds=0.0)
    content = asdict(replace(stack, report=report, object="", sha256=""))
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class EnvironmentRules:
    """What a reader must know of an environment to say what happens on merge; as infra.yaml has it.

    `protected` is true when its plans want an approval. `checks` counts those before the next environment,
    `soak` is how long that waits, in seconds.
    """

    name: str
    protected: bool
    approved_by: Literal["review", "merge", "codeowners"] = "review"
    unapproved: Literal["gate", "refuse", "apply"] = "gate"
    checks: int = 0
    soak: float = 0.0


@dataclass(frozen=True)
class Review:
    """All plans of one head of a pull request.

    `head` is the pull request's own last commit, `commit` what was planned (its merge with trunk), `base`
    trunk's commit in that merge. `environments` are in promotion order. `unplanned` are stacks that no job
    reported: a job that died. `findings` are the guard's and the policy's about the whole. `destroys_deleted`
    says whether stacks that the pull request deletes are destroyed on merge. `heartbeat` is a sentence when
    the last check for drift is too long ago. `url` leads to the run with the whole text.
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
    destroys_deleted: bool = False
    run: str = ""
    url: str = ""
    seconds: float = 0.0
