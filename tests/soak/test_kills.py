"""The long form: an apply of several stacks is cut off at every step that it passes, and repaired.

`make soak` prints a table: where it was cut off, who died, and what came of it. "not begun", "in order" and
"whole" left nothing unfinished; "resumed" took a plan, "followed" waited for a living Terraform, "taken back"
imported what no state knew, "named" told of what may exist.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import pytest

pytest.importorskip("grpc")

from tests.support.crash.lab import YES, Lab, Target, finished
from tests.support.crash.table import Row, table
from tests.support.crash.trouble import TROUBLES
from tests.support.crash.twice import two_at_once
from tests.support.crash.verdict import Verdict, repair
from tests.support.crash.watched import Step

T = TypeVar("T")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc"),
]

KILLS = 300
TARGETS: tuple[Target, ...] = ("both", "infra", "terraform", "term")
# Seconds after which no further round begins.
LIMIT = 45 * 60
SIDE_BY_SIDE = 2
# Of steps that only read, and of the same step again and again, so many are enough.
READS = 3
SLOW = 0.4


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory, terraform_argv: tuple[str, ...]) -> Iterator[list[Lab]]:
    made = [Lab(tmp_path_factory.mktemp("lab")) for _ in range(SIDE_BY_SIDE)]
    yield made
    for one in made:
        one.close()


def test_an_apply_may_be_cut_off_anywhere(labs: Sequence[Lab], capsys: pytest.CaptureFixture[str]) -> None:
    points = steps(labs[0])
    end = time.monotonic() + LIMIT
    kills = [(step, target) for step in points for target in TARGETS]
    # A run that is ended early has seen something of everything.
    random.Random(0).shuffle(kills)
    # More rounds with the steps at which most is at stake, should that not be enough.
    more = [kill for kill in kills if " GET " not in kill[0].name and kill[1] != "term"]
    rows: list[Row] = []
    with capsys.disabled():
        try:
            for batch in (kills, *itertools.repeat(more, 5)):
                enough = None if batch is kills else KILLS
                side_by_side(labs, batch, lambda lab, kill: cut_off(lab, *kill), end, rows, enough)
        finally:
            print(f"\n{table(rows)}")  # noqa: T201
    assert not defects(rows)
    assert len(rows) >= KILLS, f"{len(rows)} kills in {LIMIT} s"


def test_a_bucket_may_fail_in_any_way(labs: Sequence[Lab], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        rows = side_by_side(labs, list(TROUBLES), suffer, time.monotonic() + LIMIT, [])
        print(f"\n{table(rows)}")  # noqa: T201
    assert not defects(rows)
    assert {row.point for row in rows} == set(TROUBLES)


def test_two_applies_at_once_200_times(labs: Sequence[Lab], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        rows = side_by_side(
            labs,
            range(200),
            lambda lab, _: Row("dev/jobs", "two", two_at_once(lab)),
            time.monotonic() + LIMIT,
            [],
        )
        print(f"\n{table(rows)}")  # noqa: T201
    assert not defects(rows)
    assert len(rows) == 200


def steps(lab: Lab) -> list[Step]:
    """The steps that an apply passes, of each name the first few."""
    with lab.round() as one:
        done = one.infra("apply", "--all", *YES)
        assert done.code == 0, done.out + done.err
        found = sorted(set(one.trigger.steps), key=lambda step: (step.name, step.nth))
    taken: Counter[str] = Counter()
    kept = []
    for step in found:
        kind = "GET" if " GET " in step.name else step.name
        taken[step.name] += 1
        if kind != "GET" or taken[step.name] <= READS:
            kept.append(step)
    return kept


def cut_off(lab: Lab, step: Step, target: Target) -> Row | None:
    """One apply that is cut off; None when it passed by another way and nobody died."""
    with lab.round(step, target, slow=SLOW if target == "infra" else 0.0) as one:
        finished(one.start("apply", "--all", *YES))
        return Row(str(step), target, repair(one)) if one.trigger.struck else None


def suffer(lab: Lab, name: str) -> Row:
    """One apply whose bucket is in trouble."""
    trouble = TROUBLES[name]
    with lab.round(trouble.at, faults=trouble.faults) as one:
        done = one.infra("apply", "--all", *YES)
        one.bucket.faults.clear()
        verdict = repair(one)
        said = f"exit {done.code} after {done.seconds:.0f} s\n{done.out}\n{done.err}"
        verdict.insist(done.code in trouble.codes and "Traceback" not in said, said)
        return Row(name, f"exit {done.code}", verdict)


def side_by_side(
    labs: Sequence[Lab],
    work: Sequence[T],
    play: Callable[[Lab, T], Row | None],
    end: float,
    rows: list[Row],
    enough: int | None = None,
) -> list[Row]:
    """Play rounds, each lab one at a time, until all are played, or `rows` are `enough`, or it is `end`.

    Gives `rows` with theirs added. A round that raises is a defect; defects are told as they are found.
    """
    free: SimpleQueue[Lab] = SimpleQueue()
    for one in labs:
        free.put(one)

    def turn(item: T) -> None:
        if time.monotonic() > end or (enough is not None and len(rows) >= enough):
            return
        lab = free.get()
        try:
            row = play(lab, item)
        except Exception as error:
            row = Row(str(item), "", Verdict("broken", [f"{type(error).__name__}: {error}"]))
        finally:
            free.put(lab)
        if row:
            rows.append(row)
            if row.verdict.defects:
                print(defects([row]), flush=True)  # noqa: T201

    with ThreadPoolExecutor(len(labs)) as pool:
        list(pool.map(turn, work))
    return rows


def defects(rows: Sequence[Row]) -> str:
    """What was not as it should be, in full."""
    return "\n\n".join(
        f"== {row.point}, {row.target}: {text}" for row in rows for text in row.verdict.defects
    )
