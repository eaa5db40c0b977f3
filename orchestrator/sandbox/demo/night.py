"""The third chapter: what changes behind Terraform's back, and what becomes of it until the next night."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import (
    CLOSED,
    FIREWALL,
    OPEN,
    SERVICE,
    container,
    ingress,
    service,
)
from orchestrator.sandbox.demo.forge import issues, merged, planned, pulls
from orchestrator.sandbox.demo.repository import ENVIRONMENTS, IGNORED_ATTRIBUTE
from orchestrator.sandbox.demo.scene import Chapter, Step
from orchestrator.sandbox.demo.stage import Job, Stage

DRIFTED = 8
REPORTS = "reports/{}"
NEWER = "1.4.1"
IMAGE = "template[0].containers[0].image"


def by_hand(stage: Stage) -> None:
    """Five things happen to the world that no code knows of."""
    dev, staging, prod = (f"{SERVICE}/{service(stage, name)}" for name in ENVIRONMENTS)
    firewall = f"{FIREWALL}/{stage.world(FIREWALL, 'example-dev')[0]}"
    count = int(stage.resource(SERVICE, service(stage, "prod"))["generation"])
    world = ("sandbox", "world")
    stage.infra(*world, "set", prod, "ingress", OPEN)
    stage.infra(*world, "set", prod, "generation", str(count + 1))
    stage.infra(*world, "set", staging, IMAGE, newer(container(stage, "staging")["image"]))
    stage.infra(*world, "set", dev, IGNORED_ATTRIBUTE, "9")
    stage.infra(*world, "delete", firewall)


def check(stage: Stage) -> None:
    """The nightly check, and the issues that it leaves for the morning."""
    before = stage.states()
    _checked(stage, "night", DRIFTED)
    stage.check(stage.states() == before and ingress(stage, "prod") == OPEN, "looking has changed nothing")
    found = issues(stage)
    drifting = [f"Drift in {name}" for name in ("dev/network", "prod/service", "staging/service")]
    stage.check(sorted(found) == drifting, "an issue stands for each stack that drifts")
    told = found["Drift in prod/service"]
    stage.narrator.page("The issue about prod/service", told["body"])
    quiet = "generation" not in told["body"] and "Drift in dev/service" not in found
    stage.check(quiet, "the counter, and what a rule lets be until a day, wake nobody up")


def put_back(stage: Stage) -> None:
    """What nobody meant is put back, by what the code says."""
    stage.infra(
        *("drift", "--fix", "--action", "revert", "dev/network", "prod/service"),
        *("--auto-approve", "--confirm", "prod"),
    )
    stage.check(ingress(stage, "prod") == CLOSED, "prod's service is behind its load balancer again")
    stage.check(len(stage.world(FIREWALL, "example-dev")) == 1, "dev's firewall rule is there again")


def keep(stage: Stage) -> None:
    """What was right goes into the code, and from there into the state."""
    (number,) = pulls(stage)
    planned(stage, number, ("staging",))
    merged(stage, number)
    stage.infra("ci", "apply", "staging", job=Job(stage.begin("push")))
    stage.infra("drift", "--fix", "--action", "accept", "staging/service", "--auto-approve")
    kept = container(stage, "staging")["image"]
    said = (stage.repository / "infra/envs/staging/service/terraform.tfvars").read_text(encoding="utf-8")
    stage.check(f'"{kept}"' in said and kept.endswith(NEWER), "the world's image is in the code now")


def next_night(stage: Stage) -> None:
    """Nothing is left to say."""
    _checked(stage, "next", 0)
    stage.check(not issues(stage) and not pulls(stage), "a quiet night: no drift, no open issue")
    stage.infra("drift", "history")


def _checked(stage: Stage, night: str, expect: int) -> None:
    """Check each environment as its job does; then one job tells."""
    run, reports = stage.begin("schedule"), REPORTS.format(night)
    for name in ENVIRONMENTS:
        reader = Job(run, account=f"{name}:drift", tells=False)
        stage.infra("drift", name, "--show-ignored", "--report", reports, expect=expect, job=reader)
    stage.infra("ci", "drift", reports, job=Job(run))


def newer(image: str) -> str:
    """The image with a tag that no code names."""
    return f"{image.rpartition(':')[0]}:{NEWER}"


CHAPTER = Chapter(
    "Night: what changes behind Terraform's back",
    (
        Step(
            "Five things happen by hand",
            "Somebody opens prod's service, somebody deletes a firewall rule, somebody deploys an image to "
            "staging. A counter counts. Whoever is on call gives a service more room, as a rule allows.",
            by_hand,
        ),
        Step(
            "The nightly check",
            "Each environment is looked at in a job of its own, which may read its states and the world, and "
            "write neither. One more job, with no account in the cloud, keeps the issues.",
            check,
            pictured=12,
        ),
        Step(
            "Put back",
            "Two of them nobody wants: after a look, the code is applied again, to these resources alone.",
            put_back,
        ),
        Step(
            "Kept",
            "The newer image is right. infra.yaml wants a pull request for what changes in staging, and the "
            "nightly job has opened one. With its merge the code says what the world says; then the state "
            "accepts it.",
            keep,
        ),
        Step("The next night", "The same check again.", next_night),
    ),
)
