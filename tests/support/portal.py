"""A portal's source without a bucket: an estate with everything that pages show, of any size."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from orchestrator.insight.metrics import DriftPeriod, History, StackDeployment
from orchestrator.portal.rows import (
    PortalApproval,
    PortalChange,
    PortalCommit,
    PortalDeployment,
    PortalDrift,
    PortalDriftedResource,
    PortalEdge,
    PortalPlan,
    PortalRun,
    PortalStack,
    PortalState,
)
from orchestrator.portal.source import PortalEnvironment, PortalSource
from orchestrator.report.parity import Difference, StackParity
from orchestrator.report.status import PromotionStatus, StackStatus, StatusKind
from tests.support.insight import NOW

ENVIRONMENTS = ("dev", "staging", "prod")
# What somebody wrote who wants to be more than text.
HOSTILE = "</td><script>alert('x')</script><img src=x onerror=alert(1)>\u202egnp.exe{{ 7 * 7 }}"
# What the last check of each fourth stack found.
_DRIFT = (("clean", None), ("clean", None), ("drifted", "low"), ("drifted", "high"))
_STATUS: tuple[StatusKind, ...] = ("up-to-date", "up-to-date", "pending", "blocked")


def moment(hours: float) -> str:
    """Hours before now."""
    return f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def make_stack(id_: str = "dev/net", **columns: object) -> PortalStack:
    """A stack that was applied by trunk's newest commit."""
    environment, _, name = id_.partition("/")
    values: dict[str, object] = {
        "id": id_,
        "environment": environment,
        "name": name,
        "path": f"infra/envs/{id_}",
        "owners": "@acme/platform",
        "status": "applied",
        "commit": "c" * 40,
        "commits_behind": 0,
        "author": "Ada",
        "subject": "Give the service a bigger database (#12)",
        "applied_at": moment(5),
        "applied_run": "R1",
        "result": "applied",
        "run": "R1",
        "at": moment(5),
        "operation": None,
        "break_glass": None,
        "state_size": 20_480,
        "state_serial": 7,
        "state_written_at": moment(5),
        "problem": None,
    }
    return PortalStack(**(values | columns))  # type: ignore[arg-type]


def make_drift(stack: str = "dev/net", **columns: object) -> PortalDrift:
    """A stack that was checked an hour ago and never drifted."""
    values: dict[str, object] = dict.fromkeys(
        ("severity", "reason", "began", "ended", "ending", "came_back", "resources")
    )
    values |= {
        "stack": stack,
        "environment": stack.partition("/")[0],
        "result": "clean",
        "checked_at": moment(1),
    }
    return PortalDrift(**(values | columns))  # type: ignore[arg-type]


def make_source(stacks: int = 24, runs: int = 30, text: str = HOSTILE, **parts: object) -> PortalSource:
    """An estate of so many stacks in three environments, some of which need a person.

    `text` is a subject, and the reason of failures.
    """
    names = ["network", "database", "service", "dns", "registry", "queue", "cache", "search"]
    ids = [
        f"{ENVIRONMENTS[number % 3]}/{names[number // 3 % 8]}{number // 24 or ''}" for number in range(stacks)
    ]
    commits = tuple(
        PortalCommit(
            hashlib.sha256(f"{number}".encode()).hexdigest()[:40],
            number,
            f"Change {number} (#{200 - number})",
            "Ada",
            moment((number + 1) * 4_320 / max(1, runs) + 5),
            200 - number,
        )
        for number in range(60)
    )
    listed, drift, drifted, deployments, run_rows, changes = [], [], [], [], [], []
    statuses: dict[str, StackStatus] = {}
    for number, id_ in enumerate(ids):
        commit = commits[number % 9]
        columns: dict[str, object] = {
            "commit": commit.id,
            "commits_behind": commit.position,
            "subject": commit.subject,
        }
        if number == 5:
            columns |= {"status": "unfinished", "operation": "apply R9 by eve", "result": "interrupted"}
        elif number == 7:
            columns |= {"result": "failed", "subject": text}
        elif number == 10:
            columns |= {
                "commit": None,
                "commits_behind": None,
                "result": None,
                "status": "new",
                "state_size": None,
            }
        elif number == 14:
            columns |= {"problem": "It was written by a newer infra (version 9).", "status": "unreadable"}
        listed.append(make_stack(id_, **columns))
        statuses[id_] = StackStatus(
            id_,
            id_.partition("/")[0],
            "new" if number == 10 else _STATUS[number % 11 % 4 if number % 3 == 0 else 0],
            "its code has changed since 1a2b3c4d5e" if number % 3 == 0 else "",
        )
        result, severity = _DRIFT[number % 13 % 4 if number % 2 else 0]
        began = moment(30 + number % 700) if result == "drifted" else None
        if number % 17 != 16:
            drift.append(
                make_drift(
                    id_,
                    result=result,
                    severity=severity,
                    began=began,
                    resources=2 if began else None,
                    came_back=number % 3 if began else None,
                    checked_at=moment(1 if number % 19 else 900),
                )
            )
        if began:
            drifted += [
                PortalDriftedResource(
                    id_,
                    id_.partition("/")[0],
                    began,
                    f"google_storage_bucket.b[{key}]",
                    "changed",
                    ("reverted", "unmanaged")[key],
                    began,
                )
                for key in range(2)
            ]
    for number in range(runs):
        environment = ENVIRONMENTS[2 - number % 3]
        commit = commits[number // 3 % 60]
        id_ = f"20261130T{number:09d}Z-{number:06x}"
        own = [item for item in ids if item.startswith(f"{environment}/")][number % 5 :: 5][:6]
        result = "failed" if number % 11 == 4 else "applied"
        at, seconds = moment(number * 60 * 24 / max(1, runs) + 1), 60.0 + number * 37 % 400
        run_rows.append(
            PortalRun(
                id_,
                environment,
                at,
                "apply",
                "ci",
                "failed" if result == "failed" else "ok",
                commit.id,
                commit.subject,
                "ada",
                commit.pull_request,
                seconds,
                len(own),
                3 * len(own),
                None,
                "https://ci.example.com/jobs/1",
                None,
            )
        )
        for stack in own:
            deployments.append(
                PortalDeployment(
                    id_,
                    environment,
                    at,
                    stack,
                    result,
                    text if result == "failed" else None,
                    seconds,
                    1,
                    2,
                    0,
                    0,
                    0,
                    0,
                    0,
                    6,
                    7,
                    commit.id,
                    commit.subject,
                    "ada",
                    commit.pull_request,
                )
            )
            changes.append(PortalChange(id_, stack, 'google_compute_network.main["eu"]', "update", "done"))
    edges = tuple(
        PortalEdge(f"{name}/network", f"{name}/{target}", "remote_state")
        for name in ENVIRONMENTS
        for target in ("database", "service")
    )
    approvals = tuple(
        PortalApproval(item.environment, item.pull_request, "h" * 40, item.stack, moment(400), None)
        for item in deployments
        if item.pull_request
    )
    plans = tuple(
        PortalPlan(
            id_,
            200 - number % 60,
            "h" * 40,
            moment(20),
            address,
            None,
            "update",
            json.dumps([{"path": "tier", "note": "", "after": text}, {"path": "key", "note": "sensitive"}]),
            None,
        )
        for number, id_ in enumerate(ids)
        if number % 5
        for address in ('google_compute_network.main["eu"]', "google_sql_database_instance.main")
    )
    values: dict[str, object] = {
        "name": "platform",
        "now": NOW,
        "window": timedelta(days=30),
        "stale_after": 172_800.0,
        "environments": tuple(
            PortalEnvironment(
                name,
                name == "prod",
                promotion=PromotionStatus(name, "due", "soaks for 2 h more") if name == "staging" else None,
            )
            for name in ENVIRONMENTS
        ),
        "stacks": tuple(listed),
        "statuses": statuses,
        "runs": tuple(run_rows),
        "deployments": tuple(deployments),
        "changes": tuple(changes),
        "drift": tuple(drift),
        "drifted_resources": tuple(drifted),
        "approvals": approvals,
        "plans": plans,
        "edges": edges,
        "states": tuple(PortalState(id_, 7, "1.11.4", 17, None) for id_ in ids),
        "commits": commits,
        "parity": tuple(
            StackParity(
                name,
                ENVIRONMENTS,
                (),
                (
                    Difference(
                        "variable", "tier", {"dev": '"small"', "staging": '"small"', "prod": '"large"'}
                    ),
                    Difference(
                        "variable", "password", dict.fromkeys(ENVIRONMENTS, "(hidden)"), is_hidden=True
                    ),
                ),
                {},
            )
            for name in names[: max(1, stacks // 3)]
        ),
        "histories": make_histories(deployments, commits),
    }
    return PortalSource(**(values | parts))  # type: ignore[arg-type]


def make_histories(
    deployments: list[PortalDeployment], commits: tuple[PortalCommit, ...]
) -> tuple[History, ...]:
    """The histories of these deployments, by environment."""
    by_name = {
        name: tuple(
            StackDeployment(
                item.run,
                name,
                item.stack,
                datetime.fromisoformat(item.at),
                item.seconds or 0.0,
                item.result,
                item.commit,
            )
            for item in reversed(deployments)
            if item.environment == name
        )
        for name in ENVIRONMENTS
    }
    committed = {commit.id: datetime.fromisoformat(commit.committed_at) for commit in commits}
    return tuple(
        History(
            name,
            tuple({item.stack: None for item in by_name[name]}),
            by_name[name],
            committed,
            by_name[ENVIRONMENTS[index - 1]] if index else None,
            (DriftPeriod(f"{name}/dns", NOW - timedelta(days=2), None),),
        )
        for index, name in enumerate(ENVIRONMENTS)
    )
