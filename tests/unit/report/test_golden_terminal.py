"""What plan, apply, drift and status look like on terminals of 80 and 200 columns, for 1, 12 and 200 stacks.

`GOLDEN=write pytest` makes the texts anew.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from orchestrator.cli.terminal.drift_views import drift_view
from orchestrator.cli.terminal.ledger_views import status_view
from orchestrator.cli.terminal.tables import print_renderables
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.report.console import render
from orchestrator.report.model import NO_COUNTS, RunInfo, RunReport, StackReport
from orchestrator.report.status import AppliedCommit, StackStatus

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "terminal"
RUN = RunInfo("20261130T120000123Z-a1b2c3", "local", "c" * 40, "2026-11-30T12:00:00Z", 12.3)
BUCKET = "acme-terraform-state-of-the-platform"
DIFF = """\
  # google_storage_bucket.{name} will be updated in-place
  ~ resource "google_storage_bucket" "{name}" {{
      ~ versioning = false -> true
    }}
"""


def names(count: int) -> list[tuple[str, str]]:
    """Environments and stacks; an environment for every four of them."""
    environments = ("dev", "staging", "prod")
    return [
        (environment, f"{environment}/service-{number:03}")
        for number in range((count + 2) // 3)
        for environment in environments
    ][:count]


def stacks(count: int, result: str) -> Iterable[StackReport]:
    """Every third one fails, some are alike, the rest differ."""
    for index, (environment, id_) in enumerate(names(count)):
        if index % 12 == 5:
            yield StackReport(
                id_,
                environment,
                "failed",
                reason="Error acquiring the state lock",
                seconds=1.2,
                diagnostics=({"severity": "error", "summary": "Error acquiring the state lock"},),
                advice=f"The lock is gs://{BUCKET}-{environment}/memory/{id_}/state/default.tflock; see it.",
            )
        elif index % 3 == 2:
            yield StackReport(id_, environment, "unchanged", seconds=0.4)
        else:
            deleted = int(index % 4 == 0)
            yield StackReport(
                id_,
                environment,
                result,  # type: ignore[arg-type]
                seconds=2.5,
                counts={**NO_COUNTS, "update": 1, "delete": deleted},
                diff=DIFF.format(name="shared" if index % 2 else f"own_{index}"),
            )


def run_report(command: str, count: int) -> Iterable[RenderableType]:
    result = "changed" if command == "plan" else "applied"
    return render(RunReport(command, RUN, tuple(stacks(count, result))))


def drift(count: int) -> Iterable[RenderableType]:
    stacks = tuple(
        StackDrift(id_, environment, "clean", commit="c" * 40)
        if index % 5
        else StackDrift(id_, environment, "unchecked", "its state is locked", "Wait.", commit="c" * 40)
        for index, (environment, id_) in enumerate(names(count))
    )
    return drift_view(DriftReport(RUN, stacks))


def status(count: int) -> Iterable[RenderableType]:
    applied = AppliedCommit("c" * 40, "Add a subnet", "Ada", RUN.started, RUN.id, 7200.0, 3)
    return status_view(
        [
            StackStatus(
                id_,
                environment,
                "pending" if index % 7 == 0 else "up-to-date",
                why="its code differs from what was applied" if index % 7 == 0 else "",
                advice=f"infra apply {id_}" if index % 7 == 0 else "",
                applied=applied,
            )
            for index, (environment, id_) in enumerate(names(count))
        ]
    )


VIEWS = {
    "plan": lambda count: run_report("plan", count),
    "apply": lambda count: run_report("apply", count),
    "drift": drift,
    "status": status,
}


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("count", [1, 12, 200])
@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, count: int, width: int) -> None:
    stream = io.StringIO()
    print_renderables(Console(file=stream, width=width, highlight=False), VIEWS[name](count))
    text = "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
    path = GOLDEN / f"{name}-{count}-{width}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    # Nothing is wider than the terminal but what people copy, and that is whole.
    assert all("gs://" in line for line in text.splitlines() if len(line) > width)
    locks = [word for word in text.split() if word.startswith("gs://")]
    assert all(word.endswith("/default.tflock;") for word in locks)
    assert bool(locks) == (name in ("plan", "apply") and count > 5)
