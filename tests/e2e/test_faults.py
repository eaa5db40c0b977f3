"""An apply of several stacks that is interrupted, and its repair; the long form is in tests/soak."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")
if not Path("/proc/self/cwd").exists():
    pytest.skip("looks for processes in /proc", allow_module_level=True)

from tests.support.crash.commands import interrupt_command
from tests.support.crash.lab import LIMIT, YES, CrashLab, Target, finished
from tests.support.crash.trouble import TROUBLES, Trouble
from tests.support.crash.twice import two_at_once
from tests.support.crash.verdict import repair
from tests.support.crash.watched import CloudStep


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, terraform_argv: tuple[str, ...]) -> Iterator[CrashLab]:
    crash_lab = CrashLab(tmp_path_factory.mktemp("lab"))
    yield crash_lab
    crash_lab.close()


@pytest.mark.parametrize(
    ("step", "target", "outcome"),
    [
        ("before create fourth", "both", "taken back"),
        ("before update kept", "infra", "followed"),
        ("before create third", "terraform", "resumed"),
        # Whether what comes next still begins depends on when Terraform hears of the signal.
        ("before create third", "term", "in order or whole"),
        ("before POST state of app", "both", "taken back"),
        ("before DELETE lock of app", "both", "resumed"),
    ],
)
def test_whoever_dies_wherever_nothing_is_lost(
    lab: CrashLab, step: str, target: Target, outcome: str
) -> None:
    released = threading.Event()

    def wait_for_repair() -> None:
        """Hold the change of a Terraform that outlives infra until somebody looks at what it left."""
        end = time.monotonic() + LIMIT
        while not released.is_set() and time.monotonic() < end:
            if not round_.trigger.armed:
                count_before = round_.bucket.requests.count
                while round_.bucket.requests.count == count_before and time.monotonic() < end:
                    time.sleep(0.01)
                released.set()
            time.sleep(0.01)

    with lab.round(CloudStep(step, 1), target, slow=wait_for_repair if target == "infra" else 0.0) as round_:
        # One stack at a time: what comes of a step must not depend on how far another stack is.
        finished(round_.start("apply", "--all", "--parallelism", "1", *YES))
        assert round_.trigger.struck, [str(step) for step in round_.trigger.steps]
        verdict = repair(round_)
        assert not verdict.defects, "\n".join(verdict.defects)
        assert verdict.outcome in outcome.split(" or ")


@pytest.mark.parametrize("name", ["state cut in the middle", "answer to the state lost"])
def test_whatever_the_bucket_does_nothing_is_lost(lab: CrashLab, name: str) -> None:
    trouble: Trouble = TROUBLES[name]
    with lab.round(trouble.at, faults=trouble.faults) as round_:
        done = round_.infra("apply", "--all", *YES)
        assert round_.trigger.struck
        assert done.code in trouble.codes, done.out + done.err
        round_.bucket.faults.clear()
        verdict = repair(round_)
        assert not verdict.defects, "\n".join(verdict.defects)


def test_two_applies_at_once_take_turns(lab: CrashLab) -> None:
    results = [two_at_once(lab) for _ in range(2)]
    assert not [text for result in results for text in result.defects]


@pytest.mark.parametrize(
    ("name", "step", "target"), [("state move", 25, "both"), ("state restore", 37, "hup")]
)
def test_an_interrupted_command_is_repaired_by_one_command(
    lab: CrashLab, name: str, step: int, target: Target
) -> None:
    verdict = interrupt_command(lab, name, step, target)
    assert verdict is not None
    assert not verdict.defects, "\n".join(verdict.defects)
