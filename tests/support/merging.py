"""A repository with dev and prod, pull requests planned and merged in it, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.ci import CiProject
from tests.support.cli import Infra, InfraResult
from tests.support.recorded_stack import CONFIG, UPSTREAM

# A job that applies and tells, on one machine; and one that may only look.
APPLY = {
    "contents": "read",
    "pull_requests": "write",
    "checks": "read",
    "statuses": "write",
    "deployments": "write",
    "actions": "read",
}
LOOK = {"contents": "read", "pull_requests": "read", "checks": "read", "actions": "read"}
# The job that tells people before and after.
REPORT_RIGHTS = {"pull_requests": "write", "statuses": "write", "deployments": "write", "issues": "read"}
DEV, PROD = "infra/envs/dev/net/main.tf", "infra/envs/prod/net/main.tf"
FILES = {"infra.yaml": CONFIG, DEV: UPSTREAM, PROD: UPSTREAM}


def value(text: str) -> str:
    return UPSTREAM.replace("one", text)


def rules(prod: str = "", dev: str = "") -> str:
    return f"{CONFIG}environments: {{dev: {{{dev}}}, prod: {{{prod}}}}}\n"


def started(ci: CiProject, files: Mapping[str, str]) -> None:
    """Other files on trunk, applied by hand."""
    ci.github.commit("main", files)
    repo = ci.recorded.repo
    repo.git("fetch", "-q", str(ci.github.bare), "main")
    repo.git("reset", "-q", "--hard", "FETCH_HEAD")
    ci.recorded.apply()


def job(ci: CiProject, rights: Mapping[str, str] = APPLY, **more: str) -> Infra:
    return ci.job(0, event="push", rights=rights, commit=ci.github.trunk, **more)


def gated(
    ci: CiProject, compared: InfraResult, environment: str = "prod", by: str = "bert"
) -> tuple[str, str]:
    """The gate that a compare job asks for, approved by a reviewer; what the apply job is given."""
    assert compared.document["gate"] is True
    ci.github.approve_gate(environment, by)
    return "--gate", compared.document["ticket"]


def apply(ci: CiProject, *argv: str, code: int | None = None) -> InfraResult:
    return job(ci)("ci", "apply", *argv, "--json", code=code)


def planned(
    ci: CiProject, files: Mapping[str, str | None], branch: str = "feature", *, review: bool = True
) -> int:
    """A pull request that was planned and, unless told otherwise, reviewed."""
    number = ci.change(files, branch)
    ci.job(number)("ci", "plan", code=0)
    if review:
        ci.github.review(number)
    return number


def merged(
    ci: CiProject,
    files: Mapping[str, str | None],
    branch: str = "feature",
    *,
    review: bool = True,
    how: str = "squash",
) -> int:
    """The same, merged."""
    number = planned(ci, files, branch, review=review)
    ci.github.merge(number, how)
    return number


def states(ran: InfraResult) -> dict[str, str]:
    return {environment["name"]: environment["state"] for environment in ran.document["environments"]}


def verdicts(ran: InfraResult) -> dict[str, str]:
    return {
        id_: kind
        for environment in ran.document["environments"]
        for id_, kind in environment["verdicts"].items()
    }


def status_text(ci: CiProject, number: int, environment: str) -> str:
    """The comment about an environment on a merged pull request; there is one at most."""
    marker = f"<!-- infra:apply {environment} -->"
    bodies = [comment.body for comment in ci.github.comments(number) if comment.body.startswith(marker)]
    assert len(bodies) <= 1
    return bodies[0] if bodies else ""


def state_of(ci: CiProject, stack: str) -> Any:
    environment, _, name = stack.partition("/")
    _, data = ci.recorded.server.store.read_object("states", f"{environment}/state/{name}/default.tfstate")
    return json.loads(data)["outputs"]["x"]["value"]
