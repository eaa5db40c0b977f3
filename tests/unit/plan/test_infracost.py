"""What infracost estimates, and that nothing that goes wrong is a cost of zero."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan import infracost
from orchestrator.plan.cost import MonthlyCost, costs_of_environments, sum_costs, unknown_cost
from orchestrator.plan.infracost import Infracost, read_estimate
from orchestrator.process import Supervisor

RECORDED = Path(__file__).parents[2] / "data" / "cost"
PRICED = json.loads((RECORDED / "priced.json").read_text())


def test_a_recorded_estimate() -> None:
    assert read_estimate(json.dumps(PRICED).encode()) == MonthlyCost(1361.31, "USD")


def test_a_recorded_failure_is_no_estimate_although_it_has_a_total() -> None:
    cost = read_estimate((RECORDED / "failed.json").read_bytes())
    assert cost.difference is None
    assert cost.problem.startswith("infracost failed: Error loading Terraform modules")


def unpriced(document: Any) -> None:
    document["projects"][0]["diff"]["resources"][0]["subresources"][0]["costComponents"][0][
        "priceNotFound"
    ] = True


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d["summary"].update(totalUnsupportedResources=3), MonthlyCost(1361.31, "USD", 3)),
        (lambda d: d.update(diffTotalMonthlyCost="-0.5"), MonthlyCost(-0.5, "USD")),
        (
            lambda d: d["projects"][0]["metadata"].update(errors=[{"message": "old", "isError": False}]),
            MonthlyCost(1361.31, "USD"),
        ),
        (unpriced, unknown_cost("there is no price for aws_instance.web_app")),
    ],
)
def test_estimates(change: Callable[[Any], None], expected: MonthlyCost) -> None:
    document = json.loads(json.dumps(PRICED))
    change(document)
    assert read_estimate(json.dumps(document).encode()) == expected


@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", "1e400", "free", [], {"a": 1}])
def test_no_amount_is_not_known(value: object) -> None:
    assert read_estimate(json.dumps({**PRICED, "diffTotalMonthlyCost": value}).encode()).difference is None


@pytest.mark.parametrize("output", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 9000, b'{"projects": [1]}'])
def test_what_is_no_estimate_is_not_known(output: bytes) -> None:
    assert read_estimate(output).difference is None


@pytest.mark.parametrize("currency", ["", "$", "usd", "DOLLARS", None])
def test_a_currency_is_one(currency: object) -> None:
    assert read_estimate(json.dumps({**PRICED, "currency": currency}).encode()).difference is None


def program(folder: Path, script: str) -> Infracost:
    path = folder / "bin" / "infracost"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Infracost(
        Supervisor(), {"PATH": f"{path.parent}:{os.environ['PATH']}", "SEEN": str(folder / "seen")}
    )


def test_the_program_gets_the_plan_in_a_private_file_that_is_removed(tmp_path: Path) -> None:
    script = f'stat -c %a plan.json > "$SEEN"; cat plan.json >> "$SEEN"; cat {RECORDED}/priced.json'
    assert program(tmp_path, script).estimate(b'{"a": 1}', tmp_path) == MonthlyCost(1361.31, "USD")
    assert (tmp_path / "seen").read_text() == '600\n{"a": 1}'
    assert not list(tmp_path.glob("cost-*"))


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo half; exit 3", "infracost failed: exit code 3"),
        ("echo 'Error: no key' >&2; echo 'see there' >&2; exit 1", "infracost failed: Error: no key"),
        ("echo '{}'", "infracost printed no estimate that can be read"),
    ],
)
def test_a_program_that_fails_is_not_known(tmp_path: Path, script: str, problem: str) -> None:
    assert program(tmp_path, script).estimate(b"{}", tmp_path) == unknown_cost(problem)


def test_a_program_that_hangs_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infracost, "SECONDS", 0.2)
    cost = program(tmp_path, "exec sleep 60").estimate(b"{}", tmp_path)
    assert cost == unknown_cost("infracost did not answer in 0.2 s")


def test_without_the_program_it_is_not_known(tmp_path: Path) -> None:
    cost = Infracost(Supervisor(), {"PATH": str(tmp_path)}).estimate(b"{}", tmp_path)
    assert cost == unknown_cost("there is no program infracost on PATH")


def test_sums() -> None:
    known, other = MonthlyCost(1.1, "USD", 1), MonthlyCost(2.2, "USD", 2)
    assert sum_costs({"a": known, "b": other}) == MonthlyCost(3.3, "USD", 3)
    assert sum_costs({"a": known, "b": None}) == MonthlyCost(None, "", 1, "b: it was not estimated")
    mixed = sum_costs({"a": known, "b": MonthlyCost(1, "EUR")})
    assert mixed is not None
    assert mixed.difference is None
    assert sum_costs({}) is None


def test_environments_have_costs_only_where_some_were_estimated() -> None:
    assert costs_of_environments([("dev", "dev/a", None)]) == {}
    assert costs_of_environments([("dev", "dev/a", MonthlyCost(1, "USD")), ("prod", "prod/a", None)]) == {
        "dev": MonthlyCost(1, "USD"),
        "prod": MonthlyCost(None, problem="prod/a: it was not estimated"),
    }
