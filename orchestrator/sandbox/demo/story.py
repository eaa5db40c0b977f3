"""What the demo shows, step by step; each step looks at what was really done, not at what was said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.sandbox.demo import repository
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.stage import Stage

SERVICE = "google_cloud_run_v2_service"
NETWORK = "google_compute_network"
FIREWALL = "google_compute_firewall"
# Everything that a network stack is made of.
KINDS = (
    NETWORK,
    FIREWALL,
    "google_compute_subnetwork",
    "google_compute_router",
    "google_compute_router_nat",
)
STATE = "prod/state/network/default.tfstate"
# A tenth of the time that Google takes, so that there is a middle to die in.
SLOWLY = 0.1
SERVICES = [f"{environment}/service" for environment in ENVIRONMENTS]
STACKS = sorted([*SERVICES, *(f"{environment}/network" for environment in ENVIRONMENTS)])
YES = ("--auto-approve", "--confirm", "prod")


@dataclass(frozen=True)
class Step:
    """One scene: a title, a sentence or two, and what happens."""

    title: str
    text: str
    act: Callable[[Stage], None]


def play(stage: Stage) -> None:
    """The whole story; SandboxError at the first thing that is not as it should be."""
    for number, step in enumerate(STORY, start=1):
        stage.narrator.scene(f"{number}/{len(STORY)} {step.title}", step.text)
        step.act(stage)


def look(stage: Stage) -> None:
    """The repository, committed, as infra sees it."""
    stage.git("init", "--quiet", "--initial-branch=main")
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "-m", "The platform")
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
    made = [one for kind in KINDS for one in stage.world(kind, "example-prod")]
    stage.check(
        not stage.states().get(STATE), f"{len(made)} resources of prod exist, and no state knows them"
    )
    stage.infra("status", "prod")
    unfinished = [one["id"] for one in stage.asked("status")["stacks"] if one["standing"] == "unfinished"]
    stage.check(unfinished == ["prod/network"], "prod/network is named as unfinished, and its lock is seen")


def repair(stage: Stage) -> None:
    """The run's journal knows what was made: it is taken back, and the rest is applied."""
    before = {one for kind in KINDS for one in stage.world(kind, "example-prod")}
    stage.infra("resume", *YES)
    after = {one for kind in KINDS for one in stage.world(kind, "example-prod")}
    stage.check(before < after, "what was made is still there, made once, and the rest was made")
    stage.check(stage.states()[STATE] == len(after), f"all {len(after)} are in the state")
    stage.infra("apply", "--pending", *YES)
    stage.check(len(stage.world(SERVICE)) == len(ENVIRONMENTS), "a service runs in each environment")
    written = [f"{stack.replace('/', '/state/', 1)}/default.tfstate" for stack in STACKS]
    stage.check(set(written) <= set(stage.states()), f"the bucket holds {len(STACKS)} states")
    stage.infra("history", "prod/network")


def branch(stage: Stage) -> None:
    """A change on a branch, and what it reaches."""
    stage.git("switch", "--quiet", "--create", "more-memory")
    stage.narrator.checked(repository.change(stage.repository))
    stage.git("commit", "--quiet", "--all", "-m", "Give services more memory")
    stage.infra("affected", "--why")
    found = sorted(stack["id"] for stack in stage.asked("affected")["stacks"])
    stage.check(found == sorted(SERVICES), "the three services are affected, the networks are not")


def plan_branch(stage: Stage) -> None:
    """What a reviewer reads."""
    stage.infra("plan", "--detailed-exitcode", expect=2)
    stage.check(_memory(stage) == {"512Mi"}, "the services still have 512Mi: a plan changes nothing")


def merge(stage: Stage) -> None:
    """Trunk moves, and the environments follow in order."""
    stage.git("switch", "--quiet", "main")
    stage.git("merge", "--quiet", "--no-ff", "-m", "Merge more-memory", "more-memory")
    stage.infra("apply", "--all", *YES)
    stage.check(_memory(stage) == {"1Gi"}, "every service has 1Gi now")
    stage.infra("plan", "--all", "--detailed-exitcode")
    stage.check(True, "a plan of everything is empty: the cloud is what trunk says")


def drift(stage: Stage) -> None:
    """Somebody works by hand, the next plan sees it, and an apply puts it right."""
    service = stage.world(SERVICE, "example-prod")[0]
    stage.infra("sandbox", "world", "set", f"{SERVICE}/{service}", "ingress", "INGRESS_TRAFFIC_ALL")
    stage.infra("plan", "prod", "--detailed-exitcode", expect=2)
    stage.infra("apply", "prod", *YES)
    ingress = stage.resource(SERVICE, service)["ingress"]
    stage.check(ingress != "INGRESS_TRAFFIC_ALL", f"the service is back behind its load balancer ({ingress})")


def destroy(stage: Stage) -> None:
    """An environment goes, what reads first."""
    stage.infra("destroy", "dev", "--auto-approve", "--allow-destroy")
    stage.check(not stage.world(SERVICE, "example-dev"), "dev's service is gone")
    stage.check(not stage.world(NETWORK, "example-dev"), "dev's network is gone")
    left = len(stage.world(SERVICE))
    stage.check(left == len(ENVIRONMENTS) - 1, "staging and prod were not touched")


def _memory(stage: Stage) -> set[str]:
    """The memory limits of all services in the world."""
    return {
        stage.resource(SERVICE, one)["template"][0]["containers"][0]["resources"][0]["limits"]["memory"]
        for one in stage.world(SERVICE)
    }


STORY = (
    Step(
        "A repository",
        "Terraform for three environments: a network and a service in each. The service reads the network's "
        "outputs from its state in a bucket.",
        look,
    ),
    Step(
        "Plan everything",
        "No environment exists yet. A service cannot be planned before its network is there: it waits, and "
        "infra says so instead of failing.",
        plan_all,
    ),
    Step(
        "Apply, in promotion order",
        "dev, then staging. Each service is planned as soon as its network stands.",
        apply_first,
    ),
    Step(
        "The machine dies in the middle of prod",
        "prod is protected: it wants its name. Then infra and Terraform are killed, as by a lost machine. "
        "Terraform saves its state only now and then: what was made since is in none.",
        die_in_prod,
    ),
    Step(
        "Resume",
        "infra releases the lock that the dead run left, takes back what its journal knows, and applies the "
        "rest. Then what is still owed.",
        repair,
    ),
    Step(
        "A change on a branch",
        "One default in one module. infra follows the files and says which stacks read it, and why.",
        branch,
    ),
    Step("Plan the branch", "Only what the change affects is planned.", plan_branch),
    Step("Merge, and apply", "Trunk says what should be; the environments follow.", merge),
    Step(
        "Somebody works by hand",
        "A change in the console of the cloud opens prod's service to the internet. The next plan sees it.",
        drift,
    ),
    Step("Destroy dev", "In reverse order: the service goes before the network it stands on.", destroy),
)
