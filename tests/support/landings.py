"""Merges as they ended in an environment, for golden texts and for the gallery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.plan.comparing import Difference
from orchestrator.report.landing import LandedStack, Landing, LandingCheck
from tests.support import reviews

SEALED = "1f3d5b7a9c0e2f4a6b8d0c1e3f5a7b9c2d4e6f80"


def landing(state: str, *stacks: LandedStack, **more: Any) -> Landing:
    """A landing in prod of acme/infra."""
    given: dict[str, Any] = {
        "repository": "acme/infra",
        "trunk": "main",
        "commit": SEALED,
        "environment": "prod",
        "pull_requests": (42,),
        "run": "8813-1",
        "url": "https://github.com/acme/infra/actions/runs/8813",
    }
    return Landing(state=state, stacks=stacks, **(given | more))  # type: ignore[arg-type]


def landed(id_: str, result: str, *differences: Difference, **more: Any) -> LandedStack:
    """A stack in a landing."""
    return LandedStack(reviews.report(id_, result, **more), differences, (42,))


def database(result: str, *differences: Difference, **more: Any) -> LandedStack:
    """The database of the reviews."""
    report = reviews.database("prod/service").report
    return LandedStack(replace(report, result=result, **more), differences)  # type: ignore[arg-type]


def mismatch() -> Landing:
    """The world moved between the review and the apply."""
    return landing(
        "mismatch",
        database(
            "mismatch",
            Difference(
                "google_sql_database_instance.main",
                "settings[0].disk_size",
                "20 → 100",
                "50 → 100",
                "it was another value that was to be changed",
            ),
            Difference(
                "google_sql_user.legacy",
                "",
                "no change",
                "delete",
                "nobody approved a change of this",
            ),
            reason="the plan is not the one that was approved",
        ),
        landed("prod/network", "applied", counts={"update": 1}),
        landed("prod/dns", "unchanged"),
        next=("prod-eu",),
        way_out="gate",
    )


def hostile() -> Landing:
    """Every text that others write, at its worst."""
    evil = reviews.EVIL
    stack = LandedStack(
        reviews.hostile().stacks[0].report, (Difference(evil, evil, evil, evil, evil),), (42,)
    )
    return landing(
        "mismatch",
        LandedStack(replace(stack.report, result="mismatch"), stack.differences),
        environment=evil,
        trunk=evil,
        next=(evil,),
        reason=evil,
        notes=(evil,),
        heartbeat=evil,
        checks=(LandingCheck(evil, ok=False, words=evil),),
        url="javascript:alert(1)",
        gate_url="https://evil.example/)<b>",
        way_out="gate",
    )


APPLIED = (
    landed("prod/network", "applied", counts={"update": 1}),
    landed("prod/service", "applied", counts={"create": 1, "update": 1}),
)
LANDINGS: Mapping[str, Callable[[], Landing]] = {
    "applied": lambda: landing(
        "applied",
        *APPLIED,
        landed("prod/dns", "unchanged"),
        checks=(LandingCheck("health", ok=True, words="200"),),
        soak=1800.0,
        next=("prod-eu",),
    ),
    "nothing": lambda: landing("nothing"),
    "mismatch": mismatch,
    "gate": lambda: landing(
        "gate",
        database("blocked", reason="no approval covers it"),
        gate_url="https://github.com/acme/infra/actions/runs/8813",
    ),
    "blocked": lambda: landing("blocked", database("blocked", reason="no review approved this plan")),
    "failed": lambda: landing(
        "failed",
        LandedStack(reviews.FAILED.report),
        landed("prod/edge", "aborted", reason="after prod/service"),
    ),
    "partial": lambda: landing(
        "partial",
        *APPLIED[:1],
        landed("prod/service", "interrupted", reason="cut off while applying", advice="`infra resume`."),
    ),
    "stopped": lambda: landing(
        "stopped",
        *APPLIED,
        checks=(
            LandingCheck("smoke", ok=True),
            LandingCheck("health", ok=False, words="https://service.example/health answered 503, not 200"),
        ),
        next=("prod-eu",),
        heartbeat="The last complete check for drift in prod was 5 days ago.",
    ),
    "newer": lambda: landing(
        "superseded",
        landed("prod/network", "applied", counts={"update": 1}),
        landed("prod/service", "skipped", reason="superseded by 8d0c1e3f5a, which changes it"),
        next=("prod-eu",),
        superseded=("prod/service",),
    ),
    "waiting": lambda: landing("waiting", reason="staging comes before it and is not done"),
    "held": lambda: landing(
        "waiting",
        reason="staging has not passed: check smoke failed at 1f3d5b7a9c",
        held_by="staging",
    ),
    "superseded": lambda: landing(
        "failed",
        landed("prod/network", "skipped", reason="superseded by 0a1b2c3d4e", advice="git fetch"),
        landed("prod/dns", "skipped", reason="superseded by 5e6f708192"),
        landed("prod/edge", "unchanged"),
        reason="pending and not applied: prod/network",
        overtaken=("prod/dns",),
    ),
    "hostile": hostile,
}
