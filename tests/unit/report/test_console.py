"""What people read in a terminal, against golden text (`GOLDEN=write pytest` makes it anew)."""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.console import Console

from orchestrator.project.model import Finding
from orchestrator.report.console import render
from orchestrator.report.model import NO_COUNTS, RunInfo, RunReport, StackReport

GOLDEN = Path(__file__).parents[2] / "data" / "golden"

INFO = RunInfo("r1", "local", "0123456789abcdef", "2026-01-02T03:04:05Z", 4.25)

DIFF = """
Terraform will perform the following actions:

  # google_compute_network.main must be replaced
-/+ resource "google_compute_network" "main" {
      ~ name = "old" -> "new" # forces replacement
    }

Plan: 1 to add, 0 to change, 1 to destroy.
"""


def stack(name: str, result: str, **more: object) -> StackReport:
    counts = {**NO_COUNTS, **more.pop("counts", {})}  # type: ignore[dict-item]
    return StackReport(name, name.split("/")[0], result, counts=counts, **more)  # type: ignore[arg-type]


def text_of(report: RunReport, width: int = 100, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    for piece in render(report):
        console.print(piece)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"  # type: ignore[attr-defined]


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


MIXED = RunReport(
    "plan",
    INFO,
    (
        stack("dev/network", "changed", seconds=1.0, counts={"replace": 1, "create": 2}, diff=DIFF),
        stack("dev/service", "unchanged", seconds=0.31),
        stack(
            "prod/network",
            "failed",
            seconds=0.2,
            reason="Reference to undeclared resource",
            diagnostics=(
                {
                    "severity": "error",
                    "summary": "Reference to undeclared resource",
                    "detail": "A managed resource [bold] has not been declared.\nSecond line.",
                    "file": "infra/envs/prod/network/main.tf",
                    "line": 7,
                    "address": "google_compute_network.main",
                },
            ),
            advice="Mend it, then `infra plan prod/network`.",
        ),
        stack("prod/service", "waiting", reason="prod/network was never applied"),
    ),
    notes=("dev/service reads network_id of dev/network: may change after it.",),
)


def test_a_mixed_plan_reads_failures_first() -> None:
    golden("console_mixed_plan.txt", text_of(MIXED))


def test_a_narrow_terminal_loses_no_stack_name() -> None:
    narrow = text_of(MIXED, width=50)
    assert all(name in narrow for name in ("dev/network", "dev/service", "prod/network", "prod/service"))


def test_after_an_apply_the_counts_are_in_the_past() -> None:
    report = RunReport("apply", INFO, (stack("dev/network", "applied", counts={"create": 2, "delete": 1}),))
    assert "2 created, 1 destroyed" in text_of(report)


def test_nothing_affected_is_said() -> None:
    assert text_of(RunReport("plan", INFO, ())) == "Nothing to do: no stack is affected.\n"


def test_a_diff_is_text_and_never_markup() -> None:
    report = RunReport("plan", INFO, (stack("dev/a", "changed", diff='+ name = "[red]x[/red]"\n'),))
    assert '+ name = "[red]x[/red]"' in text_of(report)


def test_colour_only_where_asked() -> None:
    assert "\x1b[" not in text_of(MIXED)
    assert "\x1b[" in text_of(MIXED, colour=True)


def test_what_the_policy_says_stands_with_the_plan() -> None:
    found = (
        Finding(
            "error", "protect", "This would delete a.b, which is protected: Data.", "Keep it.", "m.tf", 3
        ),
        Finding("warning", "rego", "Think of it.", "The rule is main.warn."),
    )
    report = RunReport(
        "plan",
        INFO,
        (
            stack("prod/a", "changed", seconds=1.0, counts={"delete": 1}, diff="- a.b", findings=found),
            stack("prod/b", "changed", seconds=1.0, counts={"create": 1}, diff="+ a.b", findings=found[1:]),
        ),
    )
    golden("console_policy.txt", text_of(report))
