"""Merges as they ended in an environment, for golden texts and for the gallery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.plan.digest_comparison import DigestDifference
from orchestrator.report.rollout import EnvironmentCheck, EnvironmentResult, StackResult
from tests.support import reviews

SEALED = "1f3d5b7a9c0e2f4a6b8d0c1e3f5a7b9c2d4e6f80"


def make_result(state: str, *stacks: StackResult, **more: Any) -> EnvironmentResult:
    """A landing in prod of acme/infra."""
    fields: dict[str, Any] = {
        "repository": "acme/infra",
        "trunk": "main",
        "commit": SEALED,
        "environment": "prod",
        "pull_requests": (42,),
        "run": "8813-1",
        "url": "https://github.com/acme/infra/actions/runs/8813",
    }
    return EnvironmentResult(state=state, stacks=stacks, **(fields | more))  # type: ignore[arg-type]


def make_stack(id_: str, result: str, *differences: DigestDifference, **more: Any) -> StackResult:
    """A stack in a landing."""
    return StackResult(reviews.report(id_, result, **more), differences, (42,))


def database(result: str, *differences: DigestDifference, **more: Any) -> StackResult:
    """The database of the reviews."""
    report = reviews.database("prod/service").report
    return StackResult(replace(report, result=result, **more), differences)  # type: ignore[arg-type]


DELETED_USER = {
    "address": "google_sql_user.legacy",
    "previous_address": None,
    "actions": ["delete"],
    "attributes": [],
}


def mismatch() -> EnvironmentResult:
    """The world moved between the review and the apply."""
    return make_result(
        "mismatch",
        database(
            "mismatch",
            DigestDifference(
                "google_sql_database_instance.main",
                "settings[0].disk_size",
                "20 → 100",
                "50 → 100",
                "the old value is not that of the approved plan",
            ),
            DigestDifference(
                "google_sql_user.legacy",
                "",
                "no change",
                "delete",
                "nobody approved a change here",
            ),
            reason="the plan is not the one that was approved",
            counts=reviews.counts(create=1, update=1, delete=1),
            diff=reviews.MOVED_DATABASE,
            changes=(*reviews.database("prod/service").report.changes, DELETED_USER),
        ),
        make_stack("prod/network", "applied", counts={"update": 1}),
        make_stack("prod/dns", "unchanged"),
        next=("prod-eu",),
        way_out="gate",
    )


def hostile() -> EnvironmentResult:
    """Every text that others write, at its worst."""
    evil = reviews.EVIL
    stack = StackResult(
        reviews.hostile().stacks[0].report, (DigestDifference(evil, evil, evil, evil, evil),), (42,)
    )
    return make_result(
        "mismatch",
        StackResult(replace(stack.report, result="mismatch"), stack.differences),
        environment=evil,
        trunk=evil,
        next=(evil,),
        reason=evil,
        notes=(evil,),
        heartbeat=evil,
        checks=(EnvironmentCheck(evil, ok=False, words=evil),),
        url="javascript:alert(1)",
        gate_url="https://evil.example/)<b>",
        way_out="gate",
    )


APPLIED = (
    make_stack("prod/network", "applied", counts={"update": 1}),
    make_stack("prod/service", "applied", counts={"create": 1, "update": 1}),
)
RESULTS: Mapping[str, Callable[[], EnvironmentResult]] = {
    "applied": lambda: make_result(
        "applied",
        *APPLIED,
        make_stack("prod/dns", "unchanged"),
        checks=(EnvironmentCheck("health", ok=True, words="200"),),
        soak=1800.0,
        next=("prod-eu",),
    ),
    "nothing": lambda: make_result("nothing"),
    "mismatch": mismatch,
    "gate": lambda: make_result(
        "gate",
        database("blocked", reason="no approval covers it"),
        gate_url="https://github.com/acme/infra/actions/runs/8813",
    ),
    "blocked": lambda: make_result("blocked", database("blocked", reason="no review approved this plan")),
    "failed": lambda: make_result(
        "failed",
        StackResult(reviews.FAILED.report),
        make_stack("prod/edge", "aborted", reason="after prod/service"),
    ),
    "partial": lambda: make_result(
        "partial",
        *APPLIED[:1],
        make_stack(
            "prod/service", "interrupted", reason="interrupted while applying", advice="`infra resume`."
        ),
    ),
    "stopped": lambda: make_result(
        "stopped",
        *APPLIED,
        checks=(
            EnvironmentCheck("smoke", ok=True),
            EnvironmentCheck(
                "health", ok=False, words="https://service.example/health answered 503, not 200"
            ),
        ),
        next=("prod-eu",),
        heartbeat="The last complete check for drift in prod was 5 days ago.",
    ),
    "newer": lambda: make_result(
        "superseded",
        make_stack("prod/network", "applied", counts={"update": 1}),
        make_stack("prod/service", "skipped", reason="superseded by 8d0c1e3f5a, which changes it"),
        next=("prod-eu",),
        superseded=("prod/service",),
    ),
    "waiting": lambda: make_result("waiting", reason="staging comes before it and is not done"),
    "held": lambda: make_result(
        "waiting",
        reason="staging has not passed: check smoke failed at 1f3d5b7a9c",
        held_by="staging",
    ),
    "superseded": lambda: make_result(
        "failed",
        make_stack("prod/network", "skipped", reason="superseded by 0a1b2c3d4e", advice="git fetch"),
        make_stack("prod/dns", "skipped", reason="superseded by 5e6f708192"),
        make_stack("prod/edge", "unchanged"),
        reason="pending and not applied: prod/network",
        overtaken=("prod/dns",),
    ),
    "hostile": hostile,
}
