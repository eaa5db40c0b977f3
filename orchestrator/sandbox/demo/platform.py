"""The first chapter: from an empty cloud to three environments, with an interrupted run."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import (
    FIREWALL,
    NETWORK,
    SERVICE,
    STACKS,
    YES,
    network_resources,
    state_of,
)
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import Stage

# A tenth of the time that Google takes, so that there is a middle to die in.
SLOWLY = 0.1


def _list_stacks(stage: Stage) -> None:
    """The repository, committed, as infra sees it."""
    stage.git("init", "--quiet", "--initial-branch=main")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "The platform")
    stage.make_ready()
    stage.infra("list")
    stack_ids = sorted(stack["id"] for stack in stage.query_json("list")["stacks"])
    stage.check(stack_ids == STACKS, f"{len(STACKS)} stacks in {len(ENVIRONMENTS)} environments were found")


def plan_all(stage: Stage) -> None:
    """The first plan: networks can be planned, services wait for them, nothing is written."""
    stage.infra("plan", "--all", "--detailed-exitcode", expect=2)
    stage.check(not stage.world(NETWORK) and not stage.states(), "nothing was created, no state was written")


def _apply_first(stage: Stage) -> None:
    """The first two environments, in promotion order."""
    stage.infra("apply", "dev", "staging", "--auto-approve")
    stage.check(len(stage.world(SERVICE)) == 2, "a service runs in dev and in staging")


def _kill_in_prod(stage: Stage) -> None:
    """Kill everything during the apply of prod, so that some resources are in no state."""
    stage.set_delays(SLOWLY)
    stage.run_and_kill("apply", "prod", *YES, when=lambda: bool(stage.world(FIREWALL, "example-prod")))
    stage.set_delays(0)
    parts = network_resources(stage, "prod")
    stage.check(
        not stage.states().get(state_of("prod/network")),
        f"{len(parts)} resources of prod exist, and are in no state",
    )
    stage.infra("status", "prod")
    unfinished = [
        stack["id"] for stack in stage.query_json("status")["stacks"] if stack["status"] == "unfinished"
    ]
    stage.check(unfinished == ["prod/network"], "prod/network is unfinished, and its lock is shown")


def _resume_prod(stage: Stage) -> None:
    """Resume: import the resources that the journal lists, and apply the rest."""
    before = network_resources(stage, "prod")
    stage.infra("resume", *YES)
    after = network_resources(stage, "prod")
    stage.check(before < after, "the created resources are kept, and the missing ones were created")
    stage.check(stage.states()[state_of("prod/network")] == len(after), f"all {len(after)} are in the state")
    stage.infra("apply", "--pending", *YES)
    stage.check(len(stage.world(SERVICE)) == len(ENVIRONMENTS), "a service runs in each environment")
    written = {state_of(stack) for stack in STACKS}
    stage.check(written <= set(stage.states()), f"the bucket holds {len(STACKS)} states")
    stage.infra("history", "prod/network")


CHAPTER = Chapter(
    "The platform",
    (
        SceneStep(
            "A repository",
            "Terraform for three environments: a network and a service in each. The service reads the "
            "network's outputs from its state in a bucket.",
            _list_stacks,
        ),
        SceneStep(
            "Plan everything",
            "No environment exists yet. A service cannot be planned before its network exists: infra shows "
            "it as waiting instead of failing.",
            plan_all,
        ),
        SceneStep(
            "Apply, in promotion order",
            "dev, then staging. Each service is planned as soon as its network exists.",
            _apply_first,
        ),
        SceneStep(
            "The machine stops during the apply of prod",
            "prod is protected, so you confirm its name. Then infra and Terraform are killed, as if the "
            "machine was lost. Terraform had not saved the newest resources to its state yet.",
            _kill_in_prod,
        ),
        SceneStep(
            "Resume",
            "infra releases the lock of the interrupted run, imports the resources in its journal, and "
            "applies the rest. Then the pending stacks.",
            _resume_prod,
        ),
    ),
)
