"""A job that is cancelled in the middle of an apply: the step leaves, Terraform goes on, finalize ends it."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestrator.terraform.journal import last_run
from tests.support.crash.lab import CONFIG, LIMIT, CrashLab, FinishedInfra, Round, finished
from tests.support.crash.watched import CloudStep

CI = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/infra", "GITHUB_REF_NAME": "main"}
APPLY = ("ci", "apply", "dev", "--report", "report", "--parallelism", "1", "--json")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, terraform_argv: tuple[str, ...]) -> Iterator[CrashLab]:
    config = CONFIG.replace("dev: {", "dev: {protected: false, ")
    crash_lab = CrashLab(tmp_path_factory.mktemp("lab"), config)
    yield crash_lab
    crash_lab.close()


def in_ci(round_: Round) -> Round:
    return replace(round_, env={**round_.env, **CI})


@dataclass
class Cancelled:
    """An apply that was cancelled in a change, which lasts until `release`; `left` is how its step ended."""

    round: Round
    left: FinishedInfra
    release: Callable[[], None]

    def finalized(self) -> FinishedInfra:
        """What `infra ci finalize` makes of it. The change ends once it has taken the stack over."""
        before = self.round.objects("dev/ledger/stacks/")
        finalize = self.round.start("ci", "finalize", "--limit", "60s", "--report", "report", "--json")
        wait_until(lambda: finalize.poll() is not None or self.round.objects("dev/ledger/stacks/") != before)
        self.release()
        return finished(finalize)


@contextmanager
def cancelled(lab: CrashLab, step: str, *, killed_in: str = "") -> Iterator[Cancelled]:
    """Cancel in the change after a step, and let infra leave by itself.

    With `killed_in`, a resource's address, that is when the resource is being made, and infra is killed once
    Terraform has heard of the cancel: it had no time to leave.
    """
    begun, goes_on = threading.Event(), threading.Event()

    def change() -> None:
        begun.set()
        goes_on.wait(LIMIT)

    with lab.round(CloudStep(step, 1), "term", slow=change) as crash_round:
        round_ = in_ci(crash_round)
        crash_round.trigger.act = lambda: None
        try:
            apply = round_.start(*APPLY, "--grace-period", f"{LIMIT:.0f}s" if killed_in else "0.5s")
            assert begun.wait(LIMIT)
            if killed_in:
                wait_until(lambda: has_written(round_, f"{killed_in}: Creating"))
            apply.send_signal(signal.SIGINT)
            if killed_in:
                wait_until(lambda: has_written(round_, "Interrupt received"))
                apply.kill()
            yield Cancelled(round_, finished(apply), goes_on.set)
        finally:
            goes_on.set()


def has_written(round_: Round, text: str) -> bool:
    """Whether a Terraform of the round has written a text to its journal."""
    written = (round_.root / ".infra/runs").rglob("journal*")
    return any(text.encode() in path.read_bytes() for path in written if path.is_file())


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_cancelled_apply_is_finalized(lab: CrashLab) -> None:
    """The step leaves while Terraform makes the last thing of dev/jobs."""
    with cancelled(lab, "after update job") as cancellation:
        round_, left = cancellation.round, cancellation.left
        assert left.code == 7
        assert "`infra ci finalize` follows them:\n  apply of dev/jobs (pid" in left.err
        assert round_.terraforms()
        assert round_.entries()["dev/jobs"]["operation"]["phase"] == "applying"
        done = cancellation.finalized()
        assert (done.code, results_of(done)) == (0, {"dev/jobs": "applied"})
        assert not round_.terraforms()
        entry = round_.entries()["dev/jobs"]
        assert (entry["result"], entry["operation"], entry["commit"]) == ("applied", None, lab.repo.head)
        # The history has it under the run that was cancelled.
        (record,) = [run for run in runs(round_) if run["id"] == entry["run"]]
        assert record["stacks"]["dev/jobs"]["result"] == "applied"
        assert "nightly" in journal(round_, entry["run"])
        content = json.loads((lab.repo.root / "report/apply-dev.json").read_bytes())["result"]
        reports = {stack["report"]["id"]: stack["report"]["result"] for stack in content["stacks"]}
        # What had ended before the cancel is told as applied, the rest as not started.
        assert reports["dev/jobs"] == "applied"
        assert set(reports.values()) <= {"applied", "aborted"}
        rest = {id_: "applied" for id_, result in reports.items() if result == "aborted"}
        assert content["state"] == ("partial" if rest else "applied")
        again = round_.infra(*APPLY)
        assert (again.code, results_of(again)) == (0, rest)
        assert round_.infra("ci", "finalize").out.strip() == "Nothing was left running."


def test_what_a_killed_step_left_is_finalized_as_it_ended(lab: CrashLab) -> None:
    """The step gets no time at all; Terraform, told to stop, stops before its next change."""
    with cancelled(lab, "after update kept", killed_in="google_pubsub_topic.third") as cancellation:
        round_ = cancellation.round
        assert cancellation.left.code == -signal.SIGKILL
        done = cancellation.finalized()
        assert (done.code, results_of(done)) == (7, {"dev/app": "failed"})
        (report,) = done.document["stacks"]
        assert "applied before it failed: google_pubsub_topic.third (create)" in report["notes"]
        entry = round_.entries()["dev/app"]
        assert (entry["result"], entry["operation"]) == ("failed", None)
        assert not round_.locks()
        again = round_.infra(*APPLY)
        assert again.code == 0, again.err
        assert round_.exists() == round_.known()


def test_what_lives_at_the_limit_is_for_resume(lab: CrashLab) -> None:
    with cancelled(lab, "after update job") as cancellation:
        round_ = cancellation.round
        done = round_.infra("ci", "finalize", "--limit", "0.2s", "--json")
        assert (done.code, results_of(done)) == (7, {"dev/jobs": "interrupted"})
        (report,) = done.document["stacks"]
        assert "is still at work, and time is up" in report["reason"]
        assert "infra resume dev/jobs" in report["advice"]
        assert round_.terraforms(), "nobody ends it"
        assert round_.entries()["dev/jobs"]["result"] == "interrupted"
        cancellation.release()
        resumed = round_.infra("resume", "--auto-approve", "--allow-destroy", "--confirm", "dev", "--json")
        assert (resumed.code, results_of(resumed)) == (0, {"dev/jobs": "unchanged"})


def test_only_the_last_terraform_in_a_journal_counts() -> None:
    first, second = b'{"type":"version","n":1}', b'{"type":"version","n":2}'
    assert last_run([first, b"x", second, b"y"]) == [second, b"y"]
    assert last_run([b"torn"]) == [b"torn"]
    assert last_run([]) == []


def results_of(done: FinishedInfra) -> dict[str, str]:
    return {stack["id"]: stack["result"] for stack in done.document["stacks"]}


def runs(round_: Round) -> list[dict[str, Any]]:
    return [read(round_, name) for name in round_.objects("dev/ledger/runs/")]


def journal(round_: Round, run: str) -> str:
    names = round_.objects(f"dev/ledger/journal/{run}/jobs/")
    return "".join(round_.bucket.store.read_object("states", name)[1].decode() for name in names)


def read(round_: Round, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(round_.bucket.store.read_object("states", name)[1])
    return document
