"""The result of a rollout in one environment, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.plan.digest_comparison import DigestDifference
from orchestrator.report.model import StackReport

State = Literal[
    "applied",
    "nothing",
    "mismatch",
    "gate",
    "blocked",
    "failed",
    "partial",
    "stopped",
    "waiting",
    "superseded",
]
# How people can approve what is not applied as it is: in the gate, in the gate once it has reviewers, or by a
# pull request of `infra ci approve`, which is there beside both. The first one counts where stacks differ.
# `resume` is for repairs where nothing has to be approved and no gate is there: a comment is enough.
# `manifest` is the one way in another CI than GitHub Actions.
WayOut = Literal["gate", "set up gate", "pull request", "resume", "manifest"]
WAYS_OUT: tuple[WayOut, ...] = ("gate", "set up gate", "pull request", "resume", "manifest")


@dataclass(frozen=True)
class StackResult:
    """One stack in a rollout. `pull_requests` are the numbers of those that are pending for it.

    `causes` are sentences that tell why its differences count.
    """

    report: StackReport
    differences: tuple[DigestDifference, ...] = ()
    pull_requests: tuple[int, ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The stack's id."""
        return self.report.id


@dataclass(frozen=True)
class EnvironmentCheck:
    """A check after an apply, before the next environment: did it hold, and what it said."""

    name: str
    ok: bool
    words: str = ""


@dataclass(frozen=True)
class EnvironmentResult:
    """One environment after a merge. Everything is masked.

    `state`: `applied` all; `nothing` was pending; `mismatch` plans differ from what was approved; `gate`
    reviewers of the environment must approve first; `blocked` by the policy, the guard, or for want of an
    approval; `failed` with nothing applied; `partial` some was applied; `stopped` by a check, which holds the
    next environments back; `waiting` for an environment before it; `superseded` by a newer change of trunk.

    `commit` is trunk's. `pull_requests` are numbers. `soak` is in seconds. `next` are the environments that
    follow in promotion order. `reason` says why in words where the stacks do not. `url` leads to the run,
    `gate_url` to the page where reviewers of the environment approve, if it has any; `way_out` is how else it
    can be approved. `heartbeat` is a sentence when the last check for drift is too long ago. `held_by` is the
    earlier environment that has not passed its checks. Of the skipped stacks, `overtaken` are those for which
    nothing is left to do, `superseded` those that newer commits of trunk change. `past_rules` maps stacks
    that a local run applied with `--break-glass` to what is recorded of it.
    """

    repository: str
    trunk: str
    commit: str
    environment: str
    state: State
    stacks: tuple[StackResult, ...] = ()
    pull_requests: tuple[int, ...] = ()
    checks: tuple[EnvironmentCheck, ...] = ()
    soak: float = 0.0
    next: tuple[str, ...] = ()
    reason: str = ""
    run: str = ""
    url: str = ""
    gate_url: str = ""
    way_out: WayOut = "pull request"
    heartbeat: str = ""
    notes: tuple[str, ...] = ()
    held_by: str = ""
    overtaken: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    past_rules: Mapping[str, str] = field(default_factory=dict)
