"""The rules before an apply: the policy on 2,000 changes, and the guard on 1,000 stacks; seconds of CPU.

Limits: 0.1 s for the rules of infra.yaml, 0.3 s for Rego with regopy, most of which is handing the plan over,
and 1 s for the guard, whose facts of each file are taken by discovery.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.discovery import make
from orchestrator.config import load_text
from orchestrator.guard.check import check_project
from orchestrator.guard.code_facts import code_facts
from orchestrator.masking import Masker
from orchestrator.plan.policy import PolicyContext, evaluate
from orchestrator.plan.reader import read_plan
from orchestrator.plan.rego import RegoRules
from orchestrator.process import Supervisor
from orchestrator.repository.loading import load
from orchestrator.repository.source import ParseCache

CHANGES = 2_000
STACKS = 1_000
MODULES = 150
RUNS = 3

POLICY = """
policy:
  destroy: {prod: prevent}
  protect: [{type: google_sql_*, address: "module.*", reason: Data.}]
  labels: {required: [team, cost]}
"""
REGO = """package main
deny contains {"msg": msg, "address": change.address} if {
  some change in input.resource_changes
  "delete" in change.change.actions
  msg := sprintf("%s goes", [change.address])
}
"""


def plan_json() -> bytes:
    """A plan of 2,000 buckets, each hundredth of them deleted."""
    changes = [
        {
            "address": f'module.many.google_storage_bucket.b["{number}"]',
            "mode": "managed",
            "type": "google_storage_bucket",
            "change": {
                "actions": ["delete"] if number % 100 == 0 else ["create"],
                "before": {"name": f"b{number}"} if number % 100 == 0 else None,
                "after": {
                    "name": f"b{number}",
                    "labels": {"team": "a"},
                    "lifecycle_rule": [],
                    "x": [1, 2, 3],
                },
                "after_unknown": {"id": True, "effective_labels": True},
            },
        }
        for number in range(CHANGES)
    ]
    return json.dumps({"format_version": "1.2", "resource_changes": changes}).encode()


def measured(name: str, limit: float, work: Callable[[], int]) -> bool:
    """Print the median of some runs; true when it holds."""
    seconds = []
    findings = 0
    for _ in range(RUNS):
        began = time.process_time()
        findings = work()
        seconds.append(time.process_time() - began)
    middle = statistics.median(seconds)
    is_within = middle <= limit
    print(
        f"policy: {name} {middle:.3f} s, {findings:,} found; limit {limit} "
        f"{'holds' if is_within else 'MISSED'}"
    )
    return is_within


def main() -> int:
    """Print the figures; 1 when a limit is missed."""
    raw = plan_json()
    policy = load_text(POLICY).policy
    plan = read_plan(raw, Masker())
    at = PolicyContext("prod", protected=True, destroy_allowed=False)
    rules = RegoRules({"policies/main.rego": REGO}, policy.rego, Supervisor(), {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "project", STACKS, MODULES)
        began = time.process_time()
        load(folder / "project")
        without = time.process_time() - began
        began = time.process_time()
        project = load(folder / "project", ParseCache(extract=code_facts))
        extracted = time.process_time() - began
        print(f"discovery {without:.2f} s, with the guard's facts {extracted:.2f} s")
        guard_rules = project.config.guard
        is_within = [
            measured("own rules", 0.1, lambda: len(evaluate(plan, json.loads(raw), policy, at))),
            measured("Rego", 0.3, lambda: len(rules.evaluate(raw, folder))),
            measured("guard", 1.0, lambda: len(check_project(project, None, (), guard_rules).findings)),
        ]
    return 0 if all(is_within) else 1


if __name__ == "__main__":
    sys.exit(main())
