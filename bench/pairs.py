"""Two commands measured in turn, so that a machine whose speed drifts is the same for both."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """Wall seconds of the runs of two commands, A B A B …"""

    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of a/b, pair by pair."""
        return statistics.median(x / y for x, y in zip(self.a, self.b, strict=True))

    def line(self, name_a: str, name_b: str, limit: float) -> str:
        """What was measured, in one line."""
        a, b = statistics.median(self.a), statistics.median(self.b)
        verdict = "holds" if self.ratio <= limit else "MISSED"
        return f"{name_a} {a:.3f} s, {name_b} {b:.3f} s: ratio {self.ratio:.2f}, limit {limit:.2f} {verdict}"


def measure(
    a: Sequence[str],
    b: Sequence[str],
    *,
    runs: int,
    cwd: Path,
    env: Mapping[str, str],
    ok: Sequence[int] = (0,),
) -> Pair:
    """Run both commands `runs` times in turn after one warm-up of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for command, into in zip((a, b), times, strict=True):
            began = time.perf_counter()
            done = subprocess.run(command, cwd=cwd, env=dict(env), capture_output=True, check=False)
            if done.returncode not in ok:
                raise SystemExit(
                    f"{command}: exit {done.returncode}\n{done.stderr.decode()}{done.stdout.decode()}"
                )
            if turn:
                into.append(time.perf_counter() - began)
    return Pair(tuple(times[0]), tuple(times[1]))
