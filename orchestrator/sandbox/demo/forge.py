"""What the demo does again and again with a pull request, as people and as jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.report import markers
from orchestrator.sandbox.demo.stage import Job, Stage

AUTHOR, REVIEWER = "ada", "bert"
REPORTS = "reports/{}"
CHECKOUT = "the job's checkout"


def open_pull(stage: Stage, branch: str) -> int:
    """Push a branch and open a pull request from it; its number. Trunk goes there first."""
    stage.infra("sandbox", "github", "open", branch, "--as", AUTHOR)
    (found,) = [one for one in stage.github("pulls") if one["head"]["ref"] == branch]
    number: int = found["number"]
    return number


def planned(stage: Stage, number: int, environments: Sequence[str]) -> None:
    """Plan a pull request as its workflow would, and show its comment."""
    check_out(stage, f"refs/pull/{number}/merge")
    run, reports = stage.begin(f"pull_request:{number}"), REPORTS.format(number)
    for name in environments:
        reader = Job(run, account=f"{name}:plan", tells=False)
        stage.infra("ci", "plan", "--env", name, "--report", reports, job=reader)
    stage.infra("ci", "comment", reports, job=Job(run))
    stage.narrator.page(f"What #{number} is told", comment(stage, number, markers.PLAN))


def reviewed(stage: Stage, number: int) -> None:
    """Somebody else reads it, and approves."""
    stage.next_second()
    stage.infra("sandbox", "github", "review", str(number), "--approve", "--as", REVIEWER)


def merged(stage: Stage, number: int) -> None:
    """Merge it, and be at trunk as a job of it would."""
    stage.infra("sandbox", "github", "merge", str(number), "--method", "squash")
    check_out(stage, "main")


def check_out(stage: Stage, ref: str) -> None:
    """Be at a ref of GitHub's, as actions/checkout makes it."""
    stage.narrator.command(f"git fetch origin {ref} && git switch --detach FETCH_HEAD", CHECKOUT)
    for fetched in ("+refs/heads/*:refs/remotes/origin/*", ref):
        stage.git("fetch", "--quiet", "origin", fetched, shown=False)
    stage.git("switch", "--quiet", "--detach", "FETCH_HEAD", shown=False)


def comment(stage: Stage, number: int, marker: str) -> str:
    """The comment of ours that begins with a marker."""
    found: list[str] = [one["body"] for one in stage.github(f"issues/{number}/comments")]
    mine = [body for body in found if body.startswith(marker)]
    if len(mine) != 1:
        raise SandboxError(f"#{number} has {len(mine)} comments that begin with {marker}, and not one.")
    return mine[0]


def issues(stage: Stage) -> dict[str, dict[str, Any]]:
    """The open issues that are no pull requests, by title."""
    found: list[dict[str, Any]] = stage.github("issues?state=open")
    return {one["title"]: one for one in found if "pull_request" not in one}


def pulls(stage: Stage) -> list[int]:
    """The numbers of the open pull requests."""
    return [one["number"] for one in stage.github("pulls?state=open")]


def conclusions(stage: Stage, number: int) -> dict[str, str]:
    """How the checks of a pull request ended, by name."""
    head = stage.github(f"pulls/{number}")["head"]["sha"]
    checks: list[dict[str, Any]] = stage.github(f"commits/{head}/check-runs")["check_runs"]
    return {one["name"]: one["conclusion"] for one in checks}
