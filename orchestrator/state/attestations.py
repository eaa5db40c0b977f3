"""Attestations in the bucket: which plan objects of a pull request count as shown to its reviewers.

The account that plans can write a plan object and no attestation; the account that attests can write an
attestation, once, and change none. When the service created the object is when its plans were posted.
"""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from orchestrator.errors import StateError
from orchestrator.state.plan_objects import PlanObjects, name_part
from orchestrator.state.storage import ABSENT, Blob, PreconditionFailed, Storage

VERSION = 1

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Attestation:
    """What one run attested of one environment: `plans` maps stack ids to the SHA-256 of their plan objects.

    `plan_run` is the run that wrote these objects: the attesting one, or an earlier attempt of it. `problem`
    says why nothing of the run counts, `plans` is empty then. `posted` is when it was created, RFC 3339.
    """

    pull_request: int
    head: str
    run: str
    plan_run: str
    plans: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    posted: str = ""


@dataclass(frozen=True)
class Attestations:
    """The attestations of one environment in one location; `base` is the environment's folder there."""

    storage: Storage
    base: str

    @classmethod
    def beside(cls, objects: PlanObjects) -> Self:
        """Those over the plan objects of a location."""
        return cls(objects.storage, objects.base)

    def create(self, attestation: Attestation) -> None:
        """Write one, which must not exist yet. Raises StateError, also for a second one of a run."""
        name = f"{self._folder(attestation.pull_request, attestation.head)}{name_part(attestation.run)}.json"
        try:
            self.storage.write(name, _encode(attestation), if_generation=ABSENT)
        except PreconditionFailed:
            raise StateError(
                f"There is an attestation {name} already, and none is ever written twice.",
                advice="Start the workflow again: each attempt has a number of its own.",
            ) from None

    def of_head(self, pull_request: int, head: str) -> builtins.list[Attestation]:
        """Those of one head, oldest first. One that cannot be read is there with a `problem`."""
        folder = self._folder(pull_request, head)
        names = [blob.name for blob in self.storage.list(folder) if blob.name.endswith(".json")]
        attestations = [self._read(name, pull_request, head, folder) for name in names]
        return sorted(
            (attestation for attestation in attestations if attestation),
            key=lambda attestation: (attestation.posted, attestation.run),
        )

    def of_pull_request(self, pull_request: int) -> builtins.list[Attestation]:
        """Those of all heads of a pull request, oldest first."""
        folder = f"{self.base}/attestations/{name_part(str(pull_request))}/"
        listed = [self.listed(blob) for blob in self.storage.list(folder)]
        return sorted(
            (attestation for attestation in listed if attestation),
            key=lambda attestation: (attestation.posted, attestation.run),
        )

    def list(self) -> builtins.list[Blob]:
        """The objects of all attestations."""
        return self.storage.list(f"{self.base}/attestations/")

    def listed(self, blob: Blob) -> Attestation | None:
        """The attestation in a listed object, with a `problem` where it cannot be read; None for another."""
        parts = blob.name.removeprefix(f"{self.base}/attestations/").split("/")
        if len(parts) != 3 or not parts[0].isdecimal() or not parts[2].endswith(".json"):
            return None
        return self._read(blob.name, int(parts[0]), parts[1], blob.name.removesuffix(parts[2]))

    def _read(self, name: str, pull_request: int, head: str, folder: str) -> Attestation | None:
        blob = self.storage.read(name)
        if blob is None:
            return None
        run = name.removeprefix(folder).removesuffix(".json")
        try:
            decode = _decode(blob.data)
            if (decode["pull_request"], decode["head"], decode["run"]) != (pull_request, head, run):
                raise ValueError("it is of another head or run")
            plans = decode["plans"]
            if not all(_HASH.fullmatch(plan) for plan in plans.values()):
                raise ValueError("a hash is none")
            return Attestation(
                pull_request,
                head,
                run,
                name_part(decode["plan_run"]),
                plans,
                str(decode["problem"]),
                blob.created,
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StateError):
            problem = f"the attestation {name} cannot be read"
            return Attestation(pull_request, head, run, run, {}, problem, blob.created)

    def _folder(self, pull_request: int, head: str) -> str:
        return f"{self.base}/attestations/{name_part(str(pull_request))}/{name_part(head)}/"


def _encode(attestation: Attestation) -> bytes:
    content = {
        "version": VERSION,
        "pull_request": attestation.pull_request,
        "head": attestation.head,
        "run": attestation.run,
        "plan_run": attestation.plan_run,
        "plans": dict(sorted(attestation.plans.items())),
        "problem": attestation.problem,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _decode(data: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(data)
    if content["version"] != VERSION:
        raise ValueError("its version is not known")
    return content
