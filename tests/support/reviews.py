"""Pull requests' plans for golden texts and for the gallery, most of them from recorded plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.guard.check import accept_advice
from orchestrator.guard.files import KINDS
from orchestrator.masking import Masker
from orchestrator.plan.reader import read_plan
from orchestrator.report.model import NO_COUNTS, StackReport
from orchestrator.report.review import EnvironmentRules, PlanReview, StackReview
from orchestrator.repository.model import Finding
from orchestrator.terraform.plan_text import without_progress

RECORDED = Path(__file__).parents[1] / "data" / "plans"

HEAD = "4f9d2c7e81ab30c65d1e9f7740b2a8c3d5e6f701"
MERGE = "b81c0e5f2d7a4963180fcde24597ab1360c8d9e2"
BASE = "0c3e5a7f9b1d2c4e6a8f0b1d3c5e7a9f2b4d6c8e"
RUN = "https://github.com/acme/infra/actions/runs/8812"

ENVIRONMENTS = (
    EnvironmentRules("dev", protected=False, approved_by="merge", checks=1),
    EnvironmentRules("staging", protected=True, approved_by="merge", checks=2, soak=1800),
    EnvironmentRules("prod", protected=True),
)


def review(*stacks: StackReview, **more: Any) -> PlanReview:
    """A pull request in acme/infra with these stacks."""
    fields: dict[str, Any] = {
        "repository": "acme/infra",
        "pull_request": 42,
        "title": "Give the service a bigger database",
        "author": "mira",
        "head": HEAD,
        "commit": MERGE,
        "base": BASE,
        "trunk": "main",
        "environments": ENVIRONMENTS,
        "run": "8812-1",
        "url": RUN,
        "seconds": 31.4,
    }
    return PlanReview(stacks=stacks, **(fields | more))


def counts(**numbers: int) -> dict[str, int]:
    """The counts of a report: all of them, those not named 0."""
    return {**NO_COUNTS, **numbers}


def report(stack: str, result: str = "changed", **more: Any) -> StackReport:
    """A stack's report with the counts that are given."""
    numbers = counts(**more.pop("counts", {}))
    return StackReport(stack, stack.split("/")[0], result, counts=numbers, **more)  # type: ignore[arg-type]


def stack(id_: str, result: str = "changed", **more: Any) -> StackReview:
    """A stack's review; what `StackReview` knows goes there, the rest to its report."""
    own = {key: more.pop(key) for key in list(more) if key in StackReview.__dataclass_fields__}
    return StackReview(report(id_, result, **more), **own)


@cache
def _plan(case: str) -> Mapping[str, Any]:
    masker = Masker()
    plan = read_plan((RECORDED / case / "plan.json").read_bytes(), masker)
    text = without_progress((RECORDED / case / "diff.txt").read_bytes()).decode()
    return {
        "counts": plan.counts,
        "changes": tuple(change.document() for change in plan.shown_changes),
        "outputs": tuple(plan.changed_outputs),
        "diff": masker.mask_text(text, plan.secrets),
        "imported": tuple(change.address for change in plan.changes if change.is_import),
        "checks": tuple(
            f"{check.address}: {'; '.join(check.problems)}"
            for check in plan.checks
            if check.status not in ("pass", "unknown")
        ),
    }


def recorded(case: str, id_: str, result: str = "changed", **more: Any) -> StackReview:
    """A recorded plan as the plan of a stack."""
    return stack(id_, result, **{**_plan(case), **more})


DATABASE = """
Terraform will perform the following actions:

  # google_sql_database_instance.main will be updated in-place
  ~ resource "google_sql_database_instance" "main" {
        id               = "service-eu"
        name             = "service-eu"
      ~ settings {
          ~ disk_size = 20 -> 100
          ~ tier      = "db-custom-1-3840" -> "db-custom-4-15360"
            # (14 unchanged attributes hidden)
        }
        # (9 unchanged attributes hidden)
    }

  # google_sql_user.reporting will be created
  + resource "google_sql_user" "reporting" {
      + host     = (known after apply)
      + id       = (known after apply)
      + instance = "service-eu"
      + name     = "reporting"
      + password = (sensitive value)
    }

Plan: 1 to add, 1 to change, 0 to destroy.
"""
# The same after somebody changed the disk by hand, and with a user that another change removes.
MOVED_DATABASE = DATABASE.replace("disk_size = 20 ->", "disk_size = 50 ->").replace(
    """
Plan: 1 to add, 1 to change, 0 to destroy.
""",
    """
  # google_sql_user.legacy will be destroyed
  # (because google_sql_user.legacy is not in configuration)
  - resource "google_sql_user" "legacy" {
      - host     = "" -> null
      - id       = "legacy//service-eu" -> null
      - instance = "service-eu" -> null
      - name     = "legacy" -> null
    }

Plan: 1 to add, 1 to change, 1 to destroy.
""",
)


def database(id_: str, **more: Any) -> StackReview:
    """A database that grows, and a new user."""
    changes = (
        {
            "address": "google_sql_database_instance.main",
            "previous_address": None,
            "actions": ["update"],
            "attributes": [],
        },
        {
            "address": "google_sql_user.reporting",
            "previous_address": None,
            "actions": ["create"],
            "attributes": [],
        },
    )
    fields: dict[str, Any] = {
        "counts": {"create": 1, "update": 1},
        "changes": changes,
        "diff": DATABASE,
        "reasons": (("infra/modules/postgres/main.tf", id_),),
    }
    return stack(id_, **(fields | more))


def resting(*ids: str) -> tuple[StackReview, ...]:
    """Stacks that do not change."""
    return tuple(stack(stack_id, "unchanged") for stack_id in ids)


def created(id_: str, count: int, **more: Any) -> StackReview:
    """A stack that creates many resources."""
    addresses = [f'google_storage_bucket.many["{number:05}"]' for number in range(count)]
    diff = "\nTerraform will perform the following actions:\n" + "".join(
        f"\n  # {address} will be created\n"
        f'  + resource "google_storage_bucket" "many" {{\n'
        f"      + id   = (known after apply)\n"
        f'      + name = "{id_.replace("/", "-")}-{number:05}"\n    }}\n'
        for number, address in enumerate(addresses)
    )
    changes = tuple(
        {"address": address, "previous_address": None, "actions": ["create"], "attributes": []}
        for address in addresses
    )
    return stack(id_, counts={"create": count}, changes=changes, diff=diff, **more)


FAILED = stack(
    "prod/service",
    "failed",
    reason="Reference to undeclared resource",
    advice="Fix it, then push again.",
    error_class="TerraformError",
    diagnostics=(
        {
            "severity": "error",
            "summary": "Reference to undeclared resource",
            "detail": "on line 7:\n   7:   network = google_compute_network.man.id\n\nA managed resource "
            '"google_compute_network" "man" has not been declared in the root module.',
            "file": "infra/envs/prod/service/main.tf",
            "line": 7,
            "address": "google_compute_subnetwork.main",
        },
    ),
)

EVIL = (
    "</details></summary>\n```\n~~~~\n<img src=x onerror=alert(1)> @acme/admins @mira #1 GH-2 acme/infra#3 "
    "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3 <!-- infra:plan --> [x](https://evil.example) "
    "![i](https://evil.example/x.png) https://evil.example www.evil.example | **bold** `tick` ``` "
    "\u202egnp.exe\u202c zero\u200bwidth &lt;b&gt; $x$ :smile: \x1b[31mred\x07"
)


def hostile() -> PlanReview:
    """Every text that others write, at its worst."""
    location = {"file": f"infra/{EVIL}.tf", "line": 3}
    finding = Finding("warning", EVIL, EVIL, EVIL, location["file"], 3, "dev/" + EVIL)  # type: ignore[arg-type]
    change = {
        "address": f'x.y["{EVIL}"]',
        "previous_address": EVIL,
        "actions": ["delete", "create"],
        "attributes": [{"path": EVIL, "before": EVIL, "after": [EVIL], "sensitive": False, "unknown": False}],
    }
    bad = stack(
        f"dev/{EVIL}",
        counts={"replace": 1},
        changes=(change,),
        outputs=(EVIL,),
        diff=f"\n  # x\n-/+ resource {EVIL}\n````````\n</details>\n",
        reason=EVIL,
        notes=(EVIL,),
        advice=EVIL,
        diagnostics=({"severity": "warning", "summary": EVIL, "detail": EVIL, "address": EVIL, **location},),
        reasons=((EVIL, EVIL),),
        provisional=(EVIL,),
        drift=(change,),
        imported=(EVIL,),
        checks=(EVIL,),
        findings=(finding,),
        change="deleted",
    )
    rules = (EnvironmentRules("dev", protected=True), EnvironmentRules(EVIL, protected=True))
    return review(
        bad,
        stack(f"{EVIL}/w", "waiting", reason=EVIL, advice=EVIL),
        stack(f"{EVIL}/f", "failed", reason=EVIL, advice=EVIL),
        *resting(f"dev/rest {EVIL}"),
        title=EVIL,
        author=EVIL,
        trunk=EVIL,
        environments=rules,
        unplanned=(f"dev/u {EVIL}",),
        findings=(finding,),
        notes=(EVIL,),
        heartbeat=EVIL,
        url="https://evil.example/)<script>",
        destroys_deleted=True,
    )


def chain() -> PlanReview:
    """A network whose output moves, what reads it, and a stack that nobody applied yet."""
    network = recorded("update", "prod/network", reasons=(("infra/envs/prod/network/main.tf",),))
    return review(
        network,
        database("prod/service", change="follower", provisional=("prod/network",), reasons=()),
        stack(
            "prod/edge",
            "waiting",
            change="follower",
            reason="prod/cdn was never applied, and prod/edge reads its outputs",
            advice="It is planned once prod/cdn is applied.",
        ),
        *resting("prod/dns"),
    )


def deleted(*, destroys: bool) -> PlanReview:
    """A stack whose code the pull request deletes."""
    return review(recorded("delete", "dev/old", change="deleted"), destroys_deleted=destroys)


def guarded() -> PlanReview:
    """Refused by the guard before Terraform ran."""
    finding = Finding(
        "error",
        "data-source",
        "data 'external' runs a program, in every plan.",
        "Give the value as a variable, or let a resource make it.",
        "infra/envs/dev/service/main.tf",
        12,
        "dev/service",
    )
    finding = replace(finding, advice=f"{finding.advice} {accept_advice(finding)}")
    what, why = KINDS["config"]
    warned = Finding("warning", "changed-config", f"This changes {what}: {why}.", file="infra.yaml", line=1)
    reason = "the guard refuses its code"
    return review(stack("dev/service", "blocked", reason=reason), findings=(finding, warned))


def policed() -> PlanReview:
    """Denied and warned by the policy."""
    denied = Finding(
        "error",
        "protect",
        "This would replace terraform_data.main, which is protected: The customers' data.",
        "To let it go: take it out of `policy: {protect: […]}` in infra.yaml on trunk first.",
        "infra/envs/prod/service/main.tf",
        4,
        "prod/service",
    )
    message = "Whether terraform_data.main has `owner` is known after the apply only."
    advice = "Write the keys of the labels plainly."
    warned = Finding("warning", "labels", message, advice, stack="dev/web")
    return review(
        recorded("replace", "prod/service", "blocked", findings=(denied,)),
        recorded("update", "dev/web", findings=(warned,)),
    )


def named(count: int, length: int) -> PlanReview:
    """So many stacks, with names so long."""
    word = "a-rather-long-name-for-one-stack-of-many-" * 10
    stacks = []
    for number in range(count):
        environment = ENVIRONMENTS[number % 3].name
        id_ = f"{environment}/{number:04}-{word}"[:length]
        stacks.append(created(id_, 3) if number % 2 else stack(id_, "unchanged"))
    return review(*stacks)


EXAMPLES: Mapping[str, Callable[[], PlanReview]] = {
    "simple": lambda: review(
        database("dev/service"),
        database("staging/service"),
        database("prod/service"),
        *resting("dev/network", "staging/network", "prod/network"),
    ),
    "deletion": lambda: review(
        recorded("delete", "prod/legacy", reasons=(("infra/envs/prod/legacy/main.tf",),)),
        database("dev/service"),
    ),
    "replacement": lambda: review(recorded("replace", "dev/web"), recorded("replace", "prod/web")),
    "provisional": chain,
    "failed": lambda: review(recorded("create", "dev/service", change="new"), FAILED),
    "lost-shard": lambda: review(
        database("dev/service"), unplanned=("prod/billing", "prod/service"), seconds=600.0
    ),
    "huge": lambda: review(created("dev/data", 900), created("prod/data", 1200), database("dev/service")),
    "many": lambda: named(600, 150),
    "hostile": hostile,
    "secrets": lambda: review(
        recorded("sensitive", "dev/secrets"), recorded("encoded", "prod/secrets"), recorded("checks", "dev/c")
    ),
    "nothing": lambda: review(),
    "apart": lambda: review(
        recorded("moved", "dev/moved"),
        recorded("import", "dev/imported"),
        recorded("forget", "dev/forgotten"),
        recorded(
            "update",
            "dev/drifted",
            drift=(
                {
                    "address": "google_compute_firewall.ssh",
                    "previous_address": None,
                    "actions": ["update"],
                    "attributes": [
                        {
                            "path": "source_ranges[0]",
                            "before": "10.0.0.0/8",
                            "after": "0.0.0.0/0",
                            "sensitive": False,
                            "unknown": False,
                        }
                    ],
                },
                {
                    "address": "google_storage_bucket.logs",
                    "previous_address": None,
                    "actions": ["delete"],
                    "attributes": [],
                },
            ),
        ),
        recorded("outputs", "dev/outputs"),
        heartbeat="The last complete check for drift in dev was 5 days ago.",
    ),
    "policy": policed,
    "guard": guarded,
    "deleted-reported": lambda: deleted(destroys=False),
    "deleted-destroyed": lambda: deleted(destroys=True),
}
