"""The second chapter: a change goes from a pull request to production, whatever happens on its way."""

from __future__ import annotations

from orchestrator.report import markers
from orchestrator.sandbox.demo import repository
from orchestrator.sandbox.demo.estate import (
    CLOSED,
    NAT,
    OPEN,
    ROUTER,
    SERVICE,
    SERVICES,
    SUBNETWORK,
    ingress,
    memory,
    service,
)
from orchestrator.sandbox.demo.forge import (
    AUTHOR,
    comment,
    conclusions,
    merged,
    open_pull,
    planned,
    reviewed,
)
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, Step
from orchestrator.sandbox.demo.stage import Job, Stage

# Most of the time that Google takes: enough of a middle to cancel in, and what is cancelled does not wait.
SLOWLY = 0.8
MISMATCH, PARTIAL = 5, 7


def branch(stage: Stage) -> None:
    """A change on a branch, and what it reaches."""
    stage.git("switch", "--quiet", "--create", "more-memory")
    stage.narrator.checked(repository.change(stage.repository))
    stage.git("commit", "--quiet", "--all", "-m", "Give services more memory")
    stage.infra("affected", "--why")
    found = sorted(stack["id"] for stack in stage.asked("affected")["stacks"])
    stage.check(found == sorted(SERVICES), "the three services are affected, the networks are not")


def pull_request(stage: Stage) -> None:
    """What a reviewer reads."""
    number = open_pull(stage, "more-memory")
    planned(stage, number, ENVIRONMENTS)
    green = {f"infra/{name}": "success" for name in ENVIRONMENTS}
    stage.check(conclusions(stage, number) == green, "a check stands for each environment, all green")
    still = {memory(stage, name) for name in ENVIRONMENTS}
    stage.check(still == {"512Mi"}, "the services still have 512Mi: a plan changes nothing")


def merge(stage: Stage) -> None:
    """It is reviewed; and before it lands, the world moves."""
    reviewed(stage, 1)
    name = f"{SERVICE}/{service(stage, 'prod')}"
    stage.infra("sandbox", "world", "set", name, "ingress", OPEN)
    merged(stage, 1)


def stopped(stage: Stage) -> None:
    """dev and staging follow trunk; prod would do what nobody approved."""
    stage.infra("ci", "apply", expect=MISMATCH, job=Job(stage.begin("push")))
    found = [memory(stage, name) for name in ENVIRONMENTS]
    stage.check(found == ["1Gi", "1Gi", "512Mi"], "dev and staging have 1Gi now, prod was not touched")
    told = comment(stage, 1, markers.applied("prod"))
    stage.narrator.page("What #1 is told about prod", told)
    stage.check(f'"{CLOSED}"' in told, "it names the attribute, what was approved, and what would be done")


def approve(stage: Stage) -> None:
    """The one step: a pull request with nothing in it but what would be applied."""
    own = {"GITHUB_TOKEN": stage.token(AUTHOR)}
    stage.infra("ci", "approve", "prod", job=Job(own, who=AUTHOR))
    planned(stage, 2, ("prod",))
    reviewed(stage, 2)
    merged(stage, 2)
    stage.infra("ci", "apply", "prod", job=Job(stage.begin("push")))
    stage.check(memory(stage, "prod") == "1Gi", "prod has 1Gi now")
    stage.check(ingress(stage, "prod") == CLOSED, "and is behind its load balancer again")


def cancelled(stage: Stage) -> None:
    """A job is cancelled while Terraform is at work."""
    stage.git("switch", "--quiet", "--create", "room-for-jobs")
    stage.narrator.checked(repository.add_subnet(stage.repository))
    stage.git("commit", "--quiet", "--all", "-m", "Make room for jobs in staging")
    number = open_pull(stage, "room-for-jobs")
    merged(stage, number)
    stage.slow(SLOWLY)
    stage.cancelled(
        *("ci", "apply", "staging", "--patience", "0s"),
        when=lambda: _begun(stage),
        expect=PARTIAL,
        job=Job(stage.begin("push")),
    )
    stage.slow(0)
    stage.check(not stage.world(NAT, repository.NEW_REGION), "infra is gone, and the work half done")


def caught_up(stage: Stage) -> None:
    """The job's last step writes down how it ended; the next run does the rest."""
    # On a machine that is slow enough the cancelled job saw its Terraform end, and wrote that down itself.
    stage.infra("ci", "settle", expect=PARTIAL, instead=0, job=Job(stage.begin("push")))
    made = [one for kind in (SUBNETWORK, ROUTER) for one in stage.world(kind, repository.NEW_REGION)]
    stage.check(len(made) == 2, "what was under way is whole: nothing was torn, nothing is lost")
    stage.infra("ci", "apply", job=Job(stage.begin("push")))
    stage.check(len(stage.world(NAT, repository.NEW_REGION)) == 1, "the next run did the rest")
    stage.infra("status")
    found = {one["standing"] for one in stage.asked("status")["stacks"]}
    stage.check(found == {"up-to-date"}, "everything is what trunk says")


def _begun(stage: Stage) -> bool:
    """Whether Terraform has begun to make the new subnetwork and its router."""
    begun = [line for line in stage.journals("staging/network") if line.get("type") == "apply_start"]
    keys = {
        (one["hook"]["resource"]["resource_type"], one["hook"]["resource"]["resource_key"]) for one in begun
    }
    return {(SUBNETWORK, "jobs"), (ROUTER, repository.NEW_REGION)} <= keys


CHAPTER = Chapter(
    "Trunk: from pull request to production",
    (
        Step(
            "A change on a branch",
            "One default in one module. infra follows the files and says which stacks read it, and why.",
            branch,
        ),
        Step(
            "A pull request",
            "A GitHub on this machine has the repository. Each environment is planned in a job of its own, "
            "which may read that environment's states, and write neither them nor anything on GitHub. One "
            "more job comments.",
            pull_request,
            pictured=40,
        ),
        Step(
            "Reviewed, and merged",
            "Somebody else approves what the plan shows. Before it is merged, a third one opens prod's "
            "service to the internet, by hand, in the console.",
            merge,
        ),
        Step(
            "In promotion order, and no further than approved",
            "On trunk every plan is made again, here in one job for all environments. In dev and staging it "
            "may be applied. In prod it would do what nobody has approved.",
            stopped,
            pictured=19,
        ),
        Step(
            "Approved again, in one step",
            "A pull request that changes no file shows what prod would become now. Reviewed and merged, "
            "exactly that is applied.",
            approve,
        ),
        Step(
            "A job is cancelled in the middle",
            "staging wants no approval, so another change is merged at once. While Terraform is at work the "
            "job is cancelled. GitHub would give it ten seconds; here it gets none.",
            cancelled,
        ),
        Step(
            "Caught up",
            "The job's last step follows what was left running to its end and writes down how it went. "
            "Whatever is still owed, the next run does.",
            caught_up,
        ),
    ),
)
