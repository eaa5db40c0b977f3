"""The chapter in which a developer gets a service by one command and a pull request."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import SERVICE
from orchestrator.sandbox.demo.pull_requests import approve_pull, check_out, merge_pull, open_pull, plan_pull
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import DemoJob, Stage

NAME = "shop"


def _make_service(stage: Stage) -> None:
    """Make the code of a service in every environment, on a branch."""
    check_out(stage, "main")
    stage.git("switch", "--quiet", "--create", NAME)
    stage.infra("new", "service", NAME, "--data", "alert_email=shop@example.com")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "Add the shop")
    stage.prepare()
    stage.infra("affected")
    stack_ids = sorted(stack["id"] for stack in stage.query_json("affected")["stacks"])
    stage.check(stack_ids == sorted(f"{name}/{NAME}" for name in ENVIRONMENTS), "only the new stacks change")


def _deliver_service(stage: Stage) -> None:
    """Plan it on a pull request, merge it, and apply it in every environment."""
    number = open_pull(stage, NAME)
    plan_pull(stage, number, ENVIRONMENTS)
    approve_pull(stage, number)
    merge_pull(stage, number)
    stage.infra("ci", "apply", job=DemoJob(stage.start_jobs("push")))
    services = [stage.world(SERVICE, f"example-{name}") for name in ENVIRONMENTS]
    stage.check(
        all(any(NAME in service for service in names) for names in services),
        "the shop runs in each environment",
    )


CHAPTER = Chapter(
    "A developer asks for a service",
    (
        SceneStep(
            "One command",
            "A template writes the code of a Cloud Run service with alerts, in every environment at once. "
            "Project and region are those of the other stacks.",
            _make_service,
        ),
        SceneStep(
            "One pull request",
            "It takes the same way as every change: plan, approval, merge, promotion.",
            _deliver_service,
        ),
    ),
)
