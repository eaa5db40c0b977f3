"""Steps of the demo with a pull request, as people and as jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.report import markers
from orchestrator.sandbox.demo.stage import DemoJob, Stage

AUTHOR, REVIEWER = "ada", "bert"
REPORTS = "reports/{}"
CHECKOUT = "the job's checkout"


def open_pull(stage: Stage, branch: str) -> int:
    """Push a branch and open a pull request from it; its number. Trunk goes there first."""
    stage.infra("sandbox", "github", "open", branch, "--as", AUTHOR)
    (pull,) = [pull for pull in stage.github("pulls") if pull["head"]["ref"] == branch]
    number: int = pull["number"]
    return number


def plan_pull(stage: Stage, number: int, environments: Sequence[str]) -> None:
    """Plan a pull request as its workflow would, and show its comment."""
    check_out(stage, f"refs/pull/{number}/merge")
    run, reports = stage.start_jobs(f"pull_request:{number}"), REPORTS.format(number)
    for name in environments:
        reader = DemoJob(run, account=f"{name}:plan", reports=False)
        stage.infra("ci", "plan", "--env", name, "--report", reports, job=reader)
    stage.infra("ci", "comment", reports, job=DemoJob(run))
    stage.narrator.page(f"The comment on #{number}", find_comment(stage, number, markers.PLAN))


def approve_pull(stage: Stage, number: int) -> None:
    """Another user reviews and approves it."""
    stage.next_second()
    stage.infra("sandbox", "github", "review", str(number), "--approve", "--as", REVIEWER)


def merge_pull(stage: Stage, number: int) -> None:
    """Merge it, and check out trunk as its job would."""
    stage.infra("sandbox", "github", "merge", str(number), "--method", "squash")
    check_out(stage, "main")


def check_out(stage: Stage, ref: str) -> None:
    """Check out a ref of GitHub, as actions/checkout does."""
    stage.narrator.command(f"git fetch origin {ref} && git switch --detach FETCH_HEAD", CHECKOUT)
    for fetched in ("+refs/heads/*:refs/remotes/origin/*", ref):
        stage.git("fetch", "--quiet", "origin", fetched, visible=False)
    stage.git("switch", "--quiet", "--detach", "FETCH_HEAD", visible=False)


def find_comment(stage: Stage, number: int, marker: str) -> str:
    """The comment of ours that begins with a marker."""
    bodies: list[str] = [issue_comment["body"] for issue_comment in stage.github(f"issues/{number}/comments")]
    matches = [body for body in bodies if body.startswith(marker)]
    if len(matches) != 1:
        raise SandboxError(f"#{number} has {len(matches)} comments that begin with {marker}, and not one.")
    return matches[0]


def list_issues(stage: Stage) -> dict[str, dict[str, Any]]:
    """The open issues that are no pull requests, by title."""
    github: list[dict[str, Any]] = stage.github("issues?state=open")
    return {issue["title"]: issue for issue in github if "pull_request" not in issue}


def list_pulls(stage: Stage) -> list[int]:
    """The numbers of the open pull requests."""
    return [pull["number"] for pull in stage.github("pulls?state=open")]


def read_conclusions(stage: Stage, number: int) -> dict[str, str]:
    """How the checks of a pull request ended, by name."""
    head = stage.github(f"pulls/{number}")["head"]["sha"]
    checks: list[dict[str, Any]] = stage.github(f"commits/{head}/check-runs")["check_runs"]
    return {check["name"]: check["conclusion"] for check in checks}
