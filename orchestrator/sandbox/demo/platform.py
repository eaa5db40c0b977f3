"""The first chapter: from an empty cloud to three environments, and over the death of a machine."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import (
    FIREWALL,
    NETWORK,
    SERVICE,
    STACKS,
    YES,
    parts_of,
    state_of,
)
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, Step
from orchestrator.sandbox.demo.stage import Stage

# A tenth of the time that Google takes, so that there is a middle to die in.
SLOWLY = 0.1


def look(stage: Stage) -> None:
    """The repository, committed, as infra sees it."""
    stage.git("init", "--quiet", "--initial-branch=main")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "The platform")
    stage.make_ready()
    stage.infra("list")
    found = sorted(stack["id"] for stack in stage.asked("list")["stacks"])
    stage.check(found == STACKS, f"{len(STACKS)} stacks in {len(ENVIRONMENTS)} environments were found")


def plan_all(stage: Stage) -> None:
    """The first plan: networks can be planned, services wait for them, nothing is written."""
    stage.infra("plan", "--all", "--detailed-exitcode", expect=2)
    stage.check(not stage.world(NETWORK) and not stage.states(), "nothing was made, no state was written")


def apply_first(stage: Stage) -> None:
    """The first two environments, in promotion order."""
    stage.infra("apply", "dev", "staging", "--auto-approve")
    stage.check(len(stage.world(SERVICE)) == 2, "a service runs in dev and in staging")


def die_in_prod(stage: Stage) -> None:
    """Everything dies in the middle of prod: what was made until then is in no state."""
    stage.slow(SLOWLY)
    stage.killed("apply", "prod", *YES, when=lambda: bool(stage.world(FIREWALL, "example-prod")))
    stage.slow(0)
    made = parts_of(stage, "prod")
    stage.check(
        not stage.states().get(state_of("prod/network")),
        f"{len(made)} resources of prod exist, and no state knows them",
    )
    stage.infra("status", "prod")
    unfinished = [one["id"] for one in stage.asked("status")["stacks"] if one["standing"] == "unfinished"]
    stage.check(unfinished == ["prod/network"], "prod/network is named as unfinished, and its lock is seen")


def repair(stage: Stage) -> None:
    """The run's journal knows what was made: it is taken back, and the rest is applied."""
    before = parts_of(stage, "prod")
    stage.infra("resume", *YES)
    after = parts_of(stage, "prod")
    stage.check(before < after, "what was made is still there, made once, and the rest was made")
    stage.check(stage.states()[state_of("prod/network")] == len(after), f"all {len(after)} are in the state")
    stage.infra("apply", "--pending", *YES)
    stage.check(len(stage.world(SERVICE)) == len(ENVIRONMENTS), "a service runs in each environment")
    written = {state_of(stack) for stack in STACKS}
    stage.check(written <= set(stage.states()), f"the bucket holds {len(STACKS)} states")
    stage.infra("history", "prod/network")


CHAPTER = Chapter(
    "The platform",
    (
        Step(
            "A repository",
            "Terraform for three environments: a network and a service in each. The service reads the "
            "network's outputs from its state in a bucket.",
            look,
        ),
        Step(
            "Plan everything",
            "No environment exists yet. A service cannot be planned before its network is there: it waits, "
            "and infra says so instead of failing.",
            plan_all,
        ),
        Step(
            "Apply, in promotion order",
            "dev, then staging. Each service is planned as soon as its network stands.",
            apply_first,
        ),
        Step(
            "The machine dies in the middle of prod",
            "prod is protected: it wants its name. Then infra and Terraform are killed, as by a lost "
            "machine. Terraform saves its state only now and then: what was made since is in none.",
            die_in_prod,
        ),
        Step(
            "Resume",
            "infra releases the lock that the dead run left, takes back what its journal knows, and applies "
            "the rest. Then what is still owed.",
            repair,
        ),
    ),
)
