"""Shows a plan again while nothing that it was made from has changed.

`infra plan` looks at what the last one saw: code, variables, versions, account, policy, and the generations
of the states that it read. Real resources may have changed meanwhile, so a plan is shown again for a limited
time, and with its age. Nothing that is applied, compared or checked for drift is ever taken from here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.atomic_files import write_private
from orchestrator.engine.folders import private
from orchestrator.engine.session import Session
from orchestrator.engine.stack_plan import StackPlan
from orchestrator.errors import InfraError
from orchestrator.report.model import StackReport
from orchestrator.repository.model import Stack, encode_id
from orchestrator.terraform.client import PlanOptions
from orchestrator.terraform.credentials import account_identity, file_identity

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = 1
FOLDER = "plans"
REUSED_RESULTS = ("unchanged", "changed")
_SANDBOX = "INFRA_SANDBOX"
# Differ from terminal to terminal, and mean nothing to a plan.
_OF_TERMINALS = frozenset({"SSH_AGENT_PID", "SSH_AUTH_SOCK", "TERM"})


@dataclass(frozen=True)
class _SavedReport:
    """What one plan showed, masked, with the key of what it was made from and when, in seconds."""

    version: int
    key: str
    planned_at: float
    report: StackReport


@functools.cache
def _adapter() -> TypeAdapter[_SavedReport]:
    from pydantic import TypeAdapter

    return TypeAdapter(_SavedReport)


class PlanReuse:
    """The earlier plans of one run of `infra plan`; safe from many threads.

    `policy` is what findings depend on beside the plan, in any form that can be hashed by its `repr`.
    """

    def __init__(
        self,
        session: Session,
        options: PlanOptions,
        policy: object,
        *,
        max_age: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._max_age = max_age
        self._now = now
        self._folder = session.context.folders.cache / FOLDER
        self._generations: Mapping[str, str] = {}
        self._reused: list[str] = []
        environ = session.context.environ
        self._shared = _hash(
            __version__,
            repr(options),
            repr(policy),
            repr(session.context.project.config.masking),
            *account_identity(environ),
            *_sandbox(environ),
        )
        self._environments: dict[tuple[str, str], str] = {}

    def prepare(self, stacks: Iterable[str]) -> None:
        """Read the generations of all states that the stacks' plans read, by listings."""
        project, states = self._session.context.project, self._session.memory.states
        sources = {edge.source for id_ in stacks for edge in project.upstreams(id_)}
        with contextlib.suppress(InfraError):
            self._generations = states.generations(
                [project.stacks[id_] for id_ in dict.fromkeys([*stacks, *sources])]
            )

    def find(self, stack: Stack) -> StackPlan | None:
        """The earlier plan of a stack if it still holds, labelled with its age."""
        key = self._key_before(stack)
        if key is None:
            return None
        try:
            saved = _adapter().validate_json(self._path(stack).read_bytes())
        except (OSError, ValueError):
            return None
        age = self._now() - saved.planned_at
        if saved.version != FORMAT or saved.key != key or not 0 <= age < self._max_age:
            return None
        self._reused.append(stack.id)
        reason = f"{saved.report.reason + ', ' if saved.report.reason else ''}planned {_age(age)} ago"
        return StackPlan(replace(saved.report, seconds=0.0, reason=reason))

    def notes(self) -> tuple[str, ...]:
        """How many plans were shown again, and how to make them again."""
        if not self._reused:
            return ()
        plans = "1 plan is" if len(self._reused) == 1 else f"{len(self._reused)} plans are"
        return (f"{plans} shown again, since code and states are the same: `infra --cold plan` plans again.",)

    def save(self, stack: Stack, planned: StackPlan) -> None:
        """Keep what a plan showed, if it can be shown again; best effort."""
        key = self._key(stack, planned.generation, planned.upstreams)
        if key is None or planned.report.result not in REUSED_RESULTS or planned.move or planned.shadow:
            return
        if planned.report.cost and planned.report.cost.difference is None:
            # The prices may be there again in a moment.
            return
        saved = _SavedReport(FORMAT, key, self._now(), planned.report)
        with contextlib.suppress(OSError):
            private(self._folder)
            write_private(self._path(stack), _adapter().dump_json(saved))

    def _path(self, stack: Stack) -> Path:
        return self._folder / f"{encode_id(stack.id)}.json"

    def _key_before(self, stack: Stack) -> str | None:
        """The key that a plan made now would have; None when that cannot be told."""
        upstreams = {}
        for edge in self._session.context.project.upstreams(stack.id):
            generation = self._generations.get(edge.source)
            if generation is None:
                return None
            upstreams[edge.source] = generation
        return self._key(stack, self._generations.get(stack.id), upstreams)

    def _key(self, stack: Stack, generation: str | None, upstreams: Mapping[str, str]) -> str | None:
        """The hash of what a plan is made from; None without a state, or with one of another repository."""
        project = self._session.context.project
        if generation is None or any(foreign.target == stack.id for foreign in project.foreign):
            return None
        try:
            environment = self._environment(stack)
            fingerprint = project.fingerprint(stack.id)
        except (InfraError, OSError):
            return None
        return _hash(
            self._shared, environment, fingerprint, generation, json.dumps(dict(upstreams), sort_keys=True)
        )

    def _environment(self, stack: Stack) -> str:
        """A hash of the variables and the binary that a stack's Terraform gets."""
        terraform = self._session.terraform
        key = (stack.environment, stack.workspace)
        if key not in self._environments:
            env = terraform.environment(stack)
            passed = sorted(item for item in env.items() if item[0] not in _OF_TERMINALS)
            self._environments[key] = _hash(json.dumps(passed))
        binary = terraform.binary_of(stack)
        return _hash(self._environments[key], binary.product, str(binary.version), stack.state or "")


def _sandbox(environ: Mapping[str, str]) -> Iterable[str]:
    """What changes when anything in the sandbox does: its cloud is a folder."""
    folder = environ.get(_SANDBOX)
    if not folder:
        return []
    paths = sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return [file_identity(path) for path in paths]


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def _age(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes else f"{int(seconds)} s"
