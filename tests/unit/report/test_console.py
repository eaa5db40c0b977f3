"""What people read in a terminal, against golden text (`GOLDEN=write pytest` makes it anew)."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from orchestrator.plan.cost import MonthlyCost, unknown_cost
from orchestrator.report.console import Detail, FittingTable, render
from orchestrator.report.model import NO_COUNTS, RunInfo, RunReport, StackReport
from orchestrator.repository.model import Finding

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


def text_of(report: RunReport, width: int = 100, colour: bool = False, detail: Detail = "full") -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    for piece in render(report, detail):
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


@pytest.mark.parametrize(("width", "is_table"), [(40, False), (59, False), (60, True), (200, True)])
def test_a_row_without_room_is_a_block(width: int, is_table: bool) -> None:
    table = FittingTable()
    for header in ("stack", "result", ""):
        table.add_column(header, overflow="fold", no_wrap=header == "stack")
    table.add_row(Text("production/a-network-with-a-long-name"), Text("changed"), "and why it is so")
    table.add_row(Text("dev/b"), Text(""), Text(""))
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None).print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    blocks = ["production/a-network-with-a-long-name", "  result: changed", "  and why it is so", "dev/b"]
    assert (lines == blocks) is not is_table
    assert (lines[0].split() == ["stack", "result"]) is is_table


def test_a_table_that_fits_a_narrow_terminal_stays_one() -> None:
    table = FittingTable()
    table.add_column("stack")
    table.add_column("result")
    table.add_row("dev/b", "changed")
    out = io.StringIO()
    Console(file=out, width=40, force_terminal=True, color_system=None).print(table)
    assert [line.split() for line in out.getvalue().splitlines()] == [
        ["stack", "result"],
        ["dev/b", "changed"],
    ]


def test_after_an_apply_the_counts_are_in_the_past() -> None:
    report = RunReport("apply", INFO, (stack("dev/network", "applied", counts={"create": 2, "delete": 1}),))
    assert "2 created, 1 destroyed" in text_of(report)


def test_nothing_affected_is_reported() -> None:
    assert text_of(RunReport("plan", INFO, ())) == "Nothing to do: no stack is affected.\n"


def test_a_diff_is_text_and_never_markup() -> None:
    report = RunReport("plan", INFO, (stack("dev/a", "changed", diff='+ name = "[red]x[/red]"\n'),))
    assert '+ name = "[red]x[/red]"' in text_of(report)


def test_colour_only_where_requested() -> None:
    assert "\x1b[" not in text_of(MIXED)
    assert "\x1b[" in text_of(MIXED, colour=True)


def test_the_result_of_the_policy_is_shown_with_the_plan() -> None:
    findings = (
        Finding(
            "error", "protect", "This would delete a.b, which is protected: Data.", "Keep it.", "m.tf", 3
        ),
        Finding("warning", "rego", "Think of it.", "The rule is main.warn."),
    )
    report = RunReport(
        "plan",
        INFO,
        (
            stack("prod/a", "changed", seconds=1.0, counts={"delete": 1}, diff="- a.b", findings=findings),
            stack(
                "prod/b", "changed", seconds=1.0, counts={"create": 1}, diff="+ a.b", findings=findings[1:]
            ),
        ),
    )
    golden("console_policy.txt", text_of(report))


def test_what_is_the_same_in_several_stacks_is_shown_once() -> None:
    diff = '  + resource "x" "y" {}'
    names = [f"dev/s{number}" for number in range(5)]
    stacks = [stack(name, "changed", diff=diff) for name in names]
    report = RunReport("plan", INFO, (*stacks, stack("dev/other", "changed", diff="x")))
    text = text_of(report)
    assert text.count(diff.strip()) == 1
    assert "── dev/s0, dev/s1, dev/s2 and 2 more, the same in 5 stacks: changed" in text
    assert "── dev/other: changed" in text


def test_the_short_form_shows_addresses_and_the_summary_shows_failures() -> None:
    changes = (
        {"address": "a.x", "actions": ["create"]},
        {"address": "a.y", "actions": ["delete", "create"]},
    )
    changed = stack("dev/a", "changed", diff="long", changes=changes, outputs=("id",))
    failed = stack("dev/b", "failed", diagnostics=({"severity": "error", "summary": "It broke"},))
    report = RunReport("plan", INFO, (changed, failed))
    short, none = text_of(report, detail="short"), text_of(report, detail="none")
    assert "  + a.x\n  -/+ a.y\n  ~ output id" in short
    assert "long" not in short
    assert "a.x" not in none
    assert "It broke" in none
    assert "2 stacks" in none


def test_the_cost_is_a_column_and_a_sum_by_environment() -> None:
    costs = {
        "dev/a": MonthlyCost(3, "USD"),
        "prod/a": unknown_cost("there is no price for x"),
        "prod/b": None,
    }
    stacks = tuple(stack(name, "changed" if cost else "unchanged", cost=cost) for name, cost in costs.items())
    text = text_of(RunReport("plan", INFO, stacks))
    assert "cost/month" in text
    assert "+3.00 USD" in text
    assert "Monthly cost: dev +3.00 USD; prod not known: prod/a: there is no price for x." in text
    assert "cost" not in text_of(RunReport("plan", INFO, stacks[2:]))
