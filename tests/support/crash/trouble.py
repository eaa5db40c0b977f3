"""What a bucket can do to an apply, from some step on until the apply has ended."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.sandbox.faults import HttpFault
from tests.support.crash.watched import CloudStep

STATE = "*/dev/state/app/default.tfstate"
BEGUN = CloudStep("after POST lock of app", 1)


@dataclass(frozen=True)
class Trouble:
    """`faults` from the step `at` on; `codes` are the exit codes with which the apply may end."""

    at: CloudStep
    faults: tuple[HttpFault, ...]
    codes: tuple[int, ...]


TROUBLES = {
    "state cut in the middle": Trouble(
        BEGUN, (HttpFault(method="POST", path=STATE, cut="request", bytes=300),), (7,)
    ),
    "state cut once": Trouble(
        BEGUN, (HttpFault(method="POST", path=STATE, cut="request", bytes=300, count=1),), (0, 7)
    ),
    "answer to the state lost": Trouble(BEGUN, (HttpFault(method="POST", path=STATE, cut="answer"),), (0, 7)),
    "down from the state on": Trouble(
        CloudStep("before POST state of app", 1), (HttpFault(cut="before"),), (7,)
    ),
    "503 from the state on": Trouble(
        CloudStep("before POST state of app", 1), (HttpFault(status=503),), (7,)
    ),
    "down from the lock on": Trouble(BEGUN, (HttpFault(cut="before"),), (7,)),
    "down from the start": Trouble(CloudStep("before GET state of net", 1), (HttpFault(cut="before"),), (1,)),
    "lock not released": Trouble(
        BEGUN, (HttpFault(method="DELETE", path="*/default.tflock", status=503),), (0, 6, 7)
    ),
    "slow": Trouble(CloudStep("before GET state of net", 1), (HttpFault(latency_ms=150),), (0,)),
    "429 now and then": Trouble(
        CloudStep("before GET state of net", 1),
        (HttpFault(method="GET", status=429, probability=0.2),),
        (0, 1, 7),
    ),
    "503 now and then": Trouble(
        CloudStep("before GET state of net", 1),
        (HttpFault(method="GET", status=503, probability=0.2),),
        (0, 1, 7),
    ),
    "503 for the ledger": Trouble(
        BEGUN, (HttpFault(method="POST", regex="/o/?$", status=503, count=3),), (0, 7)
    ),
}
