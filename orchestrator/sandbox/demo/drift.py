"""The third chapter: drift, from changes by hand to the next scheduled check."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import (
    CLOSED,
    FIREWALL,
    OPEN,
    SERVICE,
    container,
    ingress,
    service_id,
)
from orchestrator.sandbox.demo.pull_requests import list_issues, list_pulls, merge_pull, plan_pull
from orchestrator.sandbox.demo.repository import ENVIRONMENTS, IGNORED_ATTRIBUTE
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import DemoJob, Stage

DRIFTED = 8
REPORTS = "reports/{}"
NEWER = "1.4.1"
IMAGE = "template[0].containers[0].image"


def _change_by_hand(stage: Stage) -> None:
    """Make five changes to real resources by hand."""
    dev, staging, prod = (f"{SERVICE}/{service_id(stage, name)}" for name in ENVIRONMENTS)
    firewall = f"{FIREWALL}/{stage.world(FIREWALL, 'example-dev')[0]}"
    count = int(stage.resource(SERVICE, service_id(stage, "prod"))["generation"])
    world = ("sandbox", "world")
    stage.infra(*world, "set", prod, "ingress", OPEN)
    stage.infra(*world, "set", prod, "generation", str(count + 1))
    stage.infra(*world, "set", staging, IMAGE, _newer_image(container(stage, "staging")["image"]))
    stage.infra(*world, "set", dev, IGNORED_ATTRIBUTE, "9")
    stage.infra(*world, "delete", firewall)


def check_drift(stage: Stage) -> None:
    """Run the scheduled check, which opens issues."""
    before = stage.states()
    _run_check(stage, "first", DRIFTED)
    stage.check(stage.states() == before and ingress(stage, "prod") == OPEN, "the check changed nothing")
    open_issues = list_issues(stage)
    drifting = [f"Drift in {name}" for name in ("dev/network", "prod/service", "staging/service")]
    stage.check(sorted(open_issues) == drifting, "each stack with drift has an issue")
    issue = open_issues["Drift in prod/service"]
    stage.narrator.page("The issue about prod/service", issue["body"])
    quiet = "generation" not in issue["body"] and "Drift in dev/service" not in open_issues
    stage.check(quiet, "the counter, and drift that a rule accepts, raise no alarm")


def _revert_drift(stage: Stage) -> None:
    """Revert unwanted drift to the code."""
    stage.infra(
        *("drift", "--fix", "--action", "revert", "dev/network", "prod/service"),
        *("--auto-approve", "--confirm", "prod"),
    )
    stage.check(ingress(stage, "prod") == CLOSED, "prod's service is behind its load balancer again")
    stage.check(len(stage.world(FIREWALL, "example-dev")) == 1, "dev's firewall rule is there again")


def _accept_drift(stage: Stage) -> None:
    """Accept wanted drift into the code, then into the state."""
    (number,) = list_pulls(stage)
    plan_pull(stage, number, ("staging",))
    merge_pull(stage, number)
    stage.infra("ci", "apply", "staging", job=DemoJob(stage.start_jobs("push")))
    stage.infra("drift", "--fix", "--action", "accept", "staging/service", "--auto-approve")
    image = container(stage, "staging")["image"]
    text = (stage.repository / "infra/envs/staging/service/terraform.tfvars").read_text(encoding="utf-8")
    stage.check(f'"{image}"' in text and image.endswith(NEWER), "the real image is in the code now")


def check_again(stage: Stage) -> None:
    """The next scheduled check finds no drift."""
    _run_check(stage, "next", 0)
    stage.check(not list_issues(stage) and not list_pulls(stage), "no drift, no open issue")
    stage.infra("drift", "history")


def _run_check(stage: Stage, name: str, expect: int) -> None:
    """Check each environment as its job does; then one job publishes the results."""
    run, reports = stage.start_jobs("schedule"), REPORTS.format(name)
    for environment in ENVIRONMENTS:
        reader = DemoJob(run, account=f"{environment}:drift", reports=False)
        stage.infra("drift", environment, "--show-ignored", "--report", reports, expect=expect, job=reader)
    stage.infra("ci", "drift", reports, job=DemoJob(run))


def _newer_image(image: str) -> str:
    """The image with a tag that no code names."""
    return f"{image.rpartition(':')[0]}:{NEWER}"


CHAPTER = Chapter(
    "Drift: what changes outside Terraform",
    (
        SceneStep(
            "Five changes by hand",
            "prod's service is opened to the internet, a firewall rule is deleted, an image is deployed to "
            "staging, a counter increases, and a service is scaled up, which a rule ignores.",
            _change_by_hand,
        ),
        SceneStep(
            "The scheduled check",
            "One job per environment checks for drift. It can read states and resources, and write neither. "
            "Another job, without a cloud account, updates the issues.",
            check_drift,
            pictured=12,
        ),
        SceneStep(
            "Revert drift",
            "Two of the changes are unwanted: the code is applied again, to these resources only.",
            _revert_drift,
        ),
        SceneStep(
            "Accept drift",
            "The newer image is wanted. infra.yaml asks for a pull request for drift in staging, and the "
            "scheduled job has opened one. After its merge the code matches the real resource; then the "
            "state is refreshed.",
            _accept_drift,
        ),
        SceneStep("The next scheduled check", "The same check again.", check_again),
    ),
)
