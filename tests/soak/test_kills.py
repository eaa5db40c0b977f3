"""The long form: an apply of several stacks is interrupted at every step that it passes, and repaired.

`make soak PART=kills SEED=1 ROUNDS=500` draws where and who dies from the seed, goes on where it stopped, and
adds each round to `.soak/results.jsonl`, from which the table is made. Outcomes: "not begun", "in order" and
"whole" left nothing unfinished; "resumed" took a plan, "followed" waited for a living Terraform, "taken back"
imported what no state knew, "named" told of what may exist. What hardly ever comes up by chance is forced in
the part `named`.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import pytest

pytest.importorskip("grpc")

from orchestrator.sandbox.faults import HttpFault
from tests.support.crash.commands import CASES, count_steps, interrupt_command
from tests.support.crash.lab import WORLD, YES, CrashLab, Round, Target, finished
from tests.support.crash.results import SEED, Result, append_result, missing_rounds, read_results
from tests.support.crash.row import Row
from tests.support.crash.trouble import TROUBLES, Trouble
from tests.support.crash.twice import two_at_once
from tests.support.crash.verdict import RoundVerdict, named_first, repair, without_ledger
from tests.support.crash.watched import CloudStep

T = TypeVar("T")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc"),
]

TARGETS: tuple[Target, ...] = ("both", "infra", "terraform", "term")
SIGNALS: tuple[Target, ...] = ("both", "infra", "term", "int", "hup")
# Seconds after which no further round begins.
LIMIT = 45 * 60
SIDE_BY_SIDE = 2
# Of steps that only read, and of the same step again and again, so many are enough.
READS = 3
SLOW = 0.4
# Seconds by which clocks differ at most.
SKEW = 600.0
# What the change creates.
CREATED = ("third", "fourth", "nightly", "sub")


@pytest.fixture(scope="module")
def labs(
    tmp_path_factory: pytest.TempPathFactory, terraform_argv: tuple[str, ...]
) -> Iterator[list[CrashLab]]:
    numbers = [CrashLab(tmp_path_factory.mktemp("lab")) for _ in range(SIDE_BY_SIDE)]
    yield numbers
    for lab in numbers:
        lab.close()


def test_kills(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    points = steps(labs[0])
    changing = [step for step in points if " GET " not in step.name]

    def round_of(lab: CrashLab, number: int) -> Row | None:
        draw = random.Random(f"kills {SEED} {number}")
        # Half of the rounds at the steps at which most is at stake.
        step, target = draw.choice(changing if draw.random() < 0.5 else points), draw.choice(TARGETS)
        again = draw.randrange(1, 40) if draw.random() < 0.25 else None
        return cut_off(lab, step, target, killed_again_after=again)

    play_part("kills", 500, labs, round_of, capsys)


def test_bucket_faults(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(TROUBLES)
    points = steps(labs[0])

    def round_of(lab: CrashLab, number: int) -> Row | None:
        if number < len(names):
            return suffer(lab, names[number], TROUBLES[names[number]])
        # Every call that an apply makes, one after the other: refused once, or its answer lost.
        calls = [step for step in points if step.name.startswith("before ")]
        draw = random.Random(f"bucket {SEED} {number}")
        step = calls[(number - len(names)) % len(calls)]
        fault = draw.choice(
            (
                HttpFault(status=503, count=1),
                HttpFault(cut="answer", count=1),
                HttpFault(cut="before", count=1),
            )
        )
        return suffer(lab, str(step), Trouble(step, (fault,), (0, 1, 6, 7)))

    play_part("bucket", 120, labs, round_of, capsys)


def test_twice(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    play_part("twice", 300, labs, lambda lab, _: Row("dev/jobs", "two", two_at_once(lab)), capsys)


def test_clock_skew(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    """Kills and pairs of applies, with the bucket's clock up to ten minutes before or after this one."""
    points = steps(labs[0])

    def round_of(lab: CrashLab, number: int) -> Row | None:
        draw = random.Random(f"clock {SEED} {number}")
        skew = draw.choice((-SKEW, SKEW, draw.uniform(-SKEW, SKEW)))
        if number % 4 == 0:
            return Row("dev/jobs", f"two, {skew:+.0f} s", two_at_once(lab, skew))
        step, target = draw.choice(points), draw.choice(TARGETS)
        return cut_off(lab, step, target, skew=skew)

    play_part("clock", 120, labs, round_of, capsys)


def test_deleted_ledger(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody deletes the ledger at one of the steps of an apply, which goes on."""
    points = steps(labs[0])

    def round_of(lab: CrashLab, number: int) -> Row | None:
        draw = random.Random(f"ledger {SEED} {number}")
        step = draw.choice(points)
        with lab.round(step, act=Round.delete_ledger) as round_:
            done = round_.infra("apply", "--all", *YES)
            return Row(str(step), "ledger", without_ledger(round_, done)) if round_.trigger.struck else None

    play_part("ledger", 120, labs, round_of, capsys)


def test_named(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    """Forced: Terraform dies after it created something that the provider then refuses to import."""
    created = sorted(lab_item for lab_item in WORLD if lab_item.rsplit("/", 1)[-1] in CREATED)

    def round_of(lab: CrashLab, number: int) -> Row | None:
        draw = random.Random(f"named {SEED} {number}")
        target = draw.choice(created)
        step = CloudStep(f"after create {target.rsplit('/', 1)[-1]}", 1)
        with lab.round(step, "both") as round_:
            finished(round_.start("apply", "--all", *YES))
            return Row(str(step), "both", named_first(round_, target)) if round_.trigger.struck else None

    play_part("named", 40, labs, round_of, capsys)


def test_commands(labs: Sequence[CrashLab], capsys: pytest.CaptureFixture[str]) -> None:
    """Commands other than an apply of everything, interrupted at one of their steps."""
    steps_of = {name: count_steps(labs[0], name) for name in CASES}

    def round_of(lab: CrashLab, number: int) -> Row | None:
        draw = random.Random(f"commands {SEED} {number}")
        name, target = draw.choice(sorted(CASES)), draw.choice(SIGNALS)
        step = draw.randrange(1, steps_of[name] + 1)
        verdict = interrupt_command(lab, name, step, target)
        return Row(f"{name}, step {step}", target, verdict) if verdict else None

    play_part("commands", 300, labs, round_of, capsys)


def play_part(
    part: str,
    rounds: int,
    labs: Sequence[CrashLab],
    play: Callable[[CrashLab, int], Row | None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Play the rounds that are missing until the time is over, and add each to the file of results."""
    end = time.monotonic() + LIMIT
    todo = missing_rounds(part, rounds, read_results())

    def turn(lab: CrashLab, number: int) -> Row:
        row = play(lab, number) or Row("", "", RoundVerdict("passed by another way"))
        word = "DEFECT" if row.verdict.defects else row.verdict.outcome
        drawn, day = f"{row.point}, {row.target}", f"{datetime.now(UTC):%Y-%m-%d}"
        append_result(Result(part, SEED, number, drawn, word, tuple(row.verdict.defects), day))
        return row

    with capsys.disabled():
        print(f"\n{part}: seed {SEED}, {len(todo)} rounds to play")  # noqa: T201
        rows = side_by_side(labs, todo, turn, end, [])
    assert not defects(rows)
    left = missing_rounds(part, rounds, read_results())
    assert not left, f"{len(left)} rounds are left: run it again"


def steps(lab: CrashLab) -> list[CloudStep]:
    """The steps that an apply passes, of each name the first few."""
    with lab.round() as round_:
        done = round_.infra("apply", "--all", *YES)
        assert done.code == 0, done.out + done.err
        all_steps = sorted(set(round_.trigger.steps), key=lambda step: (step.name, step.nth))
    taken: Counter[str] = Counter()
    chosen = []
    for step in all_steps:
        kind = "GET" if " GET " in step.name else step.name
        taken[step.name] += 1
        if kind != "GET" or taken[step.name] <= READS:
            chosen.append(step)
    return chosen


def cut_off(
    lab: CrashLab,
    step: CloudStep,
    target: Target,
    *,
    killed_again_after: int | None = None,
    skew: float = 0.0,
) -> Row | None:
    """One apply that is interrupted; None when it passed by another way and nobody died."""
    with lab.round(step, target, slow=SLOW if target == "infra" else 0.0, skew=skew) as round_:
        finished(round_.start("apply", "--all", *YES))
        if not round_.trigger.struck:
            return None
        verdict = repair(round_, killed_again_after=killed_again_after)
        return Row(str(step), target, verdict)


def suffer(lab: CrashLab, name: str, trouble: Trouble) -> Row:
    """One apply whose bucket is in trouble."""
    with lab.round(trouble.at, faults=trouble.faults) as round_:
        done = round_.infra("apply", "--all", *YES)
        round_.bucket.faults.clear()
        verdict = repair(round_)
        output = f"exit {done.code} after {done.seconds:.0f} s\n{done.out}\n{done.err}"
        verdict.insist(done.code in trouble.codes and "Traceback" not in output, output)
        return Row(name, f"exit {done.code}", verdict)


def side_by_side(
    labs: Sequence[CrashLab],
    work: Sequence[T],
    play: Callable[[CrashLab, T], Row | None],
    end: float,
    rows: list[Row],
) -> list[Row]:
    """Play rounds, each lab one at a time, until all are played, or it is `end`.

    Gives `rows` with theirs added. A round that raises is a defect; defects are told as they are found.
    """
    free: SimpleQueue[CrashLab] = SimpleQueue()
    for lab_item in labs:
        free.put(lab_item)

    def turn(item: T) -> None:
        if time.monotonic() > end:
            return
        lab = free.get()
        try:
            row = play(lab, item)
        except Exception as error:
            row = Row(str(item), "", RoundVerdict("broken", [f"{type(error).__name__}: {error}"]))
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
