"""The second chapter: a change from a pull request to production, past a mismatch and a cancelled job."""

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
    service_id,
)
from orchestrator.sandbox.demo.pull_requests import (
    AUTHOR,
    approve_pull,
    find_comment,
    merge_pull,
    open_pull,
    plan_pull,
    read_conclusions,
)
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import DemoJob, Stage

# Most of the time that Google takes: enough of a middle to cancel in, and what is cancelled does not wait.
SLOWLY = 0.8
MISMATCH, PARTIAL = 5, 7


def _change_branch(stage: Stage) -> None:
    """Change a module on a branch, and list the affected stacks."""
    stage.git("switch", "--quiet", "--create", "more-memory")
    stage.narrator.checked(repository.change_memory(stage.repository))
    stage.git("commit", "--quiet", "--all", "-m", "Give services more memory")
    stage.infra("affected", "--why")
    stack_ids = sorted(stack["id"] for stack in stage.query_json("affected")["stacks"])
    stage.check(stack_ids == sorted(SERVICES), "the three services are affected, the networks are not")


def _plan_pull_request(stage: Stage) -> None:
    """Open a pull request and plan it."""
    number = open_pull(stage, "more-memory")
    plan_pull(stage, number, ENVIRONMENTS)
    green = {f"infra/{name}": "success" for name in ENVIRONMENTS}
    stage.check(read_conclusions(stage, number) == green, "each environment has a check, and all are green")
    still = {memory(stage, name) for name in ENVIRONMENTS}
    stage.check(still == {"512Mi"}, "the services still have 512Mi: a plan changes nothing")


def _review_and_merge(stage: Stage) -> None:
    """Approve and merge it, with a change by hand in between."""
    approve_pull(stage, 1)
    name = f"{SERVICE}/{service_id(stage, 'prod')}"
    stage.infra("sandbox", "world", "set", name, "ingress", OPEN)
    merge_pull(stage, 1)


def _apply_with_mismatch(stage: Stage) -> None:
    """Apply dev and staging; prod has a plan that nobody approved."""
    stage.infra("ci", "apply", expect=MISMATCH, job=DemoJob(stage.start_jobs("push")))
    memories = [memory(stage, name) for name in ENVIRONMENTS]
    stage.check(memories == ["1Gi", "1Gi", "512Mi"], "dev and staging have 1Gi now, prod is unchanged")
    body = find_comment(stage, 1, markers.apply_marker("prod"))
    stage.narrator.page("The comment on #1 about prod", body)
    stage.check(f'"{CLOSED}"' in body, "it shows the attribute with its approved and its current value")


def _approve_again(stage: Stage) -> None:
    """Approve again, by a pull request that shows only the new plan."""
    own = {"GITHUB_TOKEN": stage.token(AUTHOR)}
    stage.infra("ci", "approve", "prod", job=DemoJob(own, who=AUTHOR))
    plan_pull(stage, 2, ("prod",))
    approve_pull(stage, 2)
    merge_pull(stage, 2)
    stage.infra("ci", "apply", "prod", job=DemoJob(stage.start_jobs("push")))
    stage.check(memory(stage, "prod") == "1Gi", "prod has 1Gi now")
    stage.check(ingress(stage, "prod") == CLOSED, "and is behind its load balancer again")


def _cancel_apply(stage: Stage) -> None:
    """Cancel a job while Terraform is running."""
    stage.git("switch", "--quiet", "--create", "room-for-jobs")
    stage.narrator.checked(repository.add_subnet(stage.repository))
    stage.git("commit", "--quiet", "--all", "-m", "Make room for jobs in staging")
    number = open_pull(stage, "room-for-jobs")
    merge_pull(stage, number)
    stage.set_delays(SLOWLY)
    stage.run_and_cancel(
        *("ci", "apply", "staging", "--grace-period", "0s"),
        when=lambda: _has_begun(stage),
        expect=PARTIAL,
        job=DemoJob(stage.start_jobs("push")),
    )
    stage.set_delays(0)
    stage.check(not stage.world(NAT, repository.NEW_REGION), "infra has ended, and the apply is partial")


def _finish_apply(stage: Stage) -> None:
    """Finalize the detached apply in the job's last step; the next run applies the rest."""
    # On a machine that is slow enough the cancelled job saw its Terraform end, and wrote that down itself.
    stage.infra("ci", "finalize", expect=PARTIAL, instead=0, job=DemoJob(stage.start_jobs("push")))
    created = [
        resource_id
        for kind in (SUBNETWORK, ROUTER)
        for resource_id in stage.world(kind, repository.NEW_REGION)
    ]
    stage.check(len(created) == 2, "Terraform finished what it had started: nothing is lost")
    stage.infra("ci", "apply", job=DemoJob(stage.start_jobs("push")))
    stage.check(len(stage.world(NAT, repository.NEW_REGION)) == 1, "the next run applied the rest")
    stage.infra("status")
    statuses = {stack["status"] for stack in stage.query_json("status")["stacks"]}
    stage.check(statuses == {"up-to-date"}, "everything is what trunk says")


def _has_begun(stage: Stage) -> bool:
    """Whether Terraform has begun to make the new subnetwork and its router."""
    begun = [line for line in stage.journals("staging/network") if line.get("type") == "apply_start"]
    keys = {
        (event["hook"]["resource"]["resource_type"], event["hook"]["resource"]["resource_key"])
        for event in begun
    }
    return {(SUBNETWORK, "jobs"), (ROUTER, repository.NEW_REGION)} <= keys


CHAPTER = Chapter(
    "Trunk: from pull request to production",
    (
        SceneStep(
            "A change on a branch",
            "Change one default in one module. infra shows which stacks read that file, and why.",
            _change_branch,
        ),
        SceneStep(
            "A pull request",
            "A GitHub on this machine hosts the repository. One job per environment makes the plan. It can "
            "read the states of that environment, and can write neither states nor anything on GitHub. "
            "Another job writes the comment.",
            _plan_pull_request,
            pictured=40,
        ),
        SceneStep(
            "Review and merge",
            "Somebody else approves what the plan shows. Before it is merged, a third user opens prod's "
            "service to the internet by hand, in the console.",
            _review_and_merge,
        ),
        SceneStep(
            "Apply in promotion order, only what is approved",
            "On trunk every plan is made again, here in one job for all environments. In dev and staging it "
            "is applied. In prod it is no longer the approved plan.",
            _apply_with_mismatch,
            pictured=19,
        ),
        SceneStep(
            "Approve the new plan",
            "A pull request without changed files shows the current plan of prod. After its review and "
            "merge, exactly that is applied.",
            _approve_again,
        ),
        SceneStep(
            "A cancelled job",
            "staging needs no approval, so another change is merged at once. The job is cancelled while "
            "Terraform is running. GitHub would give it ten seconds; here it gets none.",
            _cancel_apply,
        ),
        SceneStep(
            "Finalize, and apply the rest",
            "The job's last step waits for the detached Terraform to end and records the result. "
            "The next run applies what is still pending.",
            _finish_apply,
        ),
    ),
)
