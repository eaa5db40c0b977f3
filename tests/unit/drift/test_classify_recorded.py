"""The class of every attribute that differs in recorded plans of real providers."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.drift.classify import classify
from orchestrator.drift.facts import read_code
from orchestrator.drift.model import DriftedResource, DriftFacts
from orchestrator.drift.report import StackDrift
from orchestrator.drift.rules import shipped_volatile
from orchestrator.masking import Masker
from orchestrator.plan.reader import read_plan

PLANS = Path(__file__).parents[2] / "data" / "plans"
CASES = [
    (path.parent.name, path.name.removesuffix(".json.gz"))
    for provider in ("google", "aws")
    for path in sorted((PLANS / provider).glob("*.json.gz"))
]


def recorded(provider: str, case: str, folder: Path) -> tuple[DriftedResource, ...]:
    """What is read from one recorded plan, with the code and the computed attributes of its types."""
    own_code = PLANS / provider / f"{case.partition('.')[0]}.tf"
    shutil.copy(own_code if own_code.exists() else PLANS / provider / "main.tf", folder / "main.tf")
    computed = json.loads((PLANS / provider / "computed.json").read_text())

    def is_computed_only(_: str, kind: str, path: tuple[str | int, ...]) -> bool:
        names = [part for part in path if isinstance(part, str)]
        return any(".".join(names[:count]) in computed[kind] for count in range(1, len(names) + 1))

    data = gzip.decompress((PLANS / provider / f"{case}.json.gz").read_bytes())
    facts = DriftFacts(read_code(folder, folder), shipped_volatile(), is_computed_only)
    return classify(read_plan(data, Masker()), json.loads(data), facts)


def table_of(resources: tuple[DriftedResource, ...]) -> dict[str, Any]:
    """Each resource with its class and those of its attributes."""
    return {
        resource.address: {
            "class": f"{resource.kind} {resource.category}",
            **{part.path: part.category for part in resource.attributes},
        }
        for resource in resources
    }


@pytest.mark.parametrize(("provider", "case"), CASES)
def test_each_attribute_of_a_recorded_plan_has_its_class(provider: str, case: str, tmp_path: Path) -> None:
    expected = json.loads((PLANS / provider / "expected.json").read_text())
    assert table_of(recorded(provider, case, tmp_path)) == expected[case]


@pytest.mark.parametrize(("provider", "case"), CASES)
def test_a_recorded_plan_with_changes_is_never_clean(provider: str, case: str, tmp_path: Path) -> None:
    data = gzip.decompress((PLANS / provider / f"{case}.json.gz").read_bytes())
    changed = {change.address for change in read_plan(data, Masker()).shown_changes}
    stack = StackDrift("dev/a", "dev", "clean", resources=recorded(provider, case, tmp_path))
    assert changed <= {resource.address for resource in stack.loud}


SEVERITIES = {
    "00-just-applied": "",
    "02-label-added-by-hand": "low",
    "04-own-label-removed": "medium",
    "12-website-added-not-in-code": "low",
    "14-object-content": "high",
    "20-iam-member-added": "",
}


@pytest.mark.parametrize(("case", "severity"), SEVERITIES.items())
def test_the_severity_of_a_recorded_plan(case: str, severity: str, tmp_path: Path) -> None:
    assert (
        StackDrift("dev/a", "dev", "clean", resources=recorded("google", case, tmp_path)).severity == severity
    )
