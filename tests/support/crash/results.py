"""Rounds of the long tests in a file, so that a part can be stopped, resumed and added to; and their table.

`python -m tests.support.crash.results` prints the table of all parts, in Markdown.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

# Where results are appended to, where the random numbers begin, and how many rounds a part has.
FILE = Path(os.environ.get("SOAK_RESULTS", ".soak/results.jsonl"))
SEED = int(os.environ.get("SEED") or 1)
ROUNDS = int(os.environ.get("ROUNDS") or 0)
# Parts whose rounds are made so that a rare outcome comes up.
FORCED = ("named",)


@dataclass(frozen=True)
class Result:
    """One round: its number below the seed, what was drawn, what came of it; `defects` is empty when all is
    well."""

    part: str
    seed: int
    number: int
    drawn: str
    outcome: str
    defects: tuple[str, ...] = ()
    day: str = ""


def read_results(file: Path = FILE) -> list[Result]:
    """The rounds that were played so far; a line that a killed run left behind half written is none."""
    results = []
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        results.append(Result(**{**content, "defects": tuple(content["defects"])}))
    return results


def append_result(result: Result, file: Path = FILE) -> None:
    """Add one round."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        stream.write(json.dumps(asdict(result)) + "\n")


def missing_rounds(part: str, default: int, results: Iterable[Result]) -> list[int]:
    """The numbers of a part's rounds that were not played yet with this seed."""
    played = {result.number for result in results if (result.part, result.seed) == (part, SEED)}
    return [number for number in range(ROUNDS or default) if number not in played]


def play_rounds(part: str, default: int, play: Callable[[int], str], file: Path = FILE) -> None:
    """Play a part's missing rounds one after the other, and add each to the file.

    `play` gets a round's number and gives its outcome; its AssertionError is a defect, raised at the end.
    """
    defects = []
    for number in missing_rounds(part, default, read_results(file)):
        try:
            outcome, notes = play(number), tuple[str, ...]()
        except AssertionError as error:
            outcome, notes = "DEFECT", (str(error),)
            defects.append(f"{part} {number}: {error}")
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        append_result(Result(part, SEED, number, "", outcome, notes, day), file)
    assert not defects, "\n\n".join(defects)


def table(results: Iterable[Result], machine: str = "") -> str:
    """A line for each part: seeds, rounds, outcomes by how often they came, defects, the last day."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        parts.setdefault(result.part, []).append(result)
    lines = [
        "| Part | Seeds | Rounds | Outcomes | Defects | Last day |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part, rounds in sorted(parts.items()):
        outcomes = Counter(result.outcome for result in rounds)
        words = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
        seeds = ", ".join(map(str, sorted({result.seed for result in rounds})))
        defects = sum(bool(result.defects) for result in rounds)
        day = max(result.day for result in rounds)
        lines.append(f"| {part} | {seeds} | {len(rounds)} | {words} | {defects} | {day} |")
    return "\n".join([*lines, *(["", machine] if machine else [])])


def both_tables(results: Iterable[Result], machine: str = "") -> str:
    """The table of what was drawn, and below it one of what was forced since it hardly ever comes up."""
    rounds = list(results)
    forced = [result for result in rounds if result.part in FORCED]
    tables = [table((result for result in rounds if result.part not in FORCED), "" if forced else machine)]
    if forced:
        tables += ["Forced, not drawn:", table(forced, machine)]
    return "\n\n".join(tables)


def main() -> None:
    """Print the tables."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    print(both_tables(read_results(), machine))  # noqa: T201


if __name__ == "__main__":
    main()
