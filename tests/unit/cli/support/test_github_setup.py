"""`infra bootstrap --github` and `infra doctor --github --fix`, killed at each request to GitHub."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from orchestrator.cli.app import App
from orchestrator.cli.support.github_setup import SetupResult, set_up_github
from orchestrator.forge.github import open_github
from orchestrator.forge.github.requester import StrictRequester
from orchestrator.forge.retry_policy import RetryPolicy
from orchestrator.forge.setup import SetupRequest
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.github.model import DeploymentEnvironment, HostedRepository
from orchestrator.sandbox.http import HttpRequest
from tests.support.github_server import Served
from tests.support.repo import Repo

PROVIDER = "projects/1/provider"
STACK = 'output "x" {\n  value = 1\n}\n'
FILES = {
    "infra.yaml": "version: 1\ntrunk: main\n",
    "infra/envs/dev/a/main.tf": STACK,
    "infra/envs/prod/a/main.tf": STACK,
    ".github/CODEOWNERS": "* @olga\n",
    ".github/workflows/infra-plan.yml": "on: pull_request\n",
}
# What is there before: branches that may deploy and must not, workflows that may write.
SETTINGS: dict[str, Any] = {
    "environments": {
        "dev": DeploymentEnvironment(71, "dev", "2026-01-05T09:00:00Z", branches=["release", "old"])
    },
    "rulesets": [],
    "variables": {},
    "actions": {"workflow": {"default_workflow_permissions": "write"}},
}
# The same with a ruleset and a variable that have to be replaced.
OLDER = {
    **SETTINGS,
    "rulesets": [{"id": 72, "name": "infra", "target": "branch", "enforcement": "active", "rules": []}],
    "variables": {"INFRA_WORKLOAD_IDENTITY_PROVIDER": ["projects/1/old", "2026-01-05T09:00:00Z"]},
}


@dataclass
class RepositoryToSetUp:
    """The sandbox's GitHub with one repository, and the project of a checkout.

    `requests` counts the requests of a run; the one with the number `last` ends it, although GitHub did what
    it asked for; that of `lost` gets no answer.
    """

    server: Served
    project: Project
    environ: dict[str, str]
    requests: int = 0
    last: int | None = None
    lost: int | None = None

    def set_up(self, provider: str) -> SetupResult:
        """What both commands do; a KeyboardInterrupt where the run is killed."""
        app = App(self.environ, io.StringIO(), io.StringIO(), io.StringIO(), str(self.project.root))
        self.requests = 0
        return set_up_github(app, self.project, ("dev", "prod"), provider, (), is_confirmed=True)

    def run_until(self, last: int, provider: str) -> None:
        """A run that is killed after a request."""
        self.last = last
        with pytest.raises(KeyboardInterrupt):
            self.set_up(provider)
        self.last = None

    def reset(self, settings: dict[str, Any]) -> None:
        """Gives the repository these settings."""
        with self.server.locked_repository as github_repository:
            for name, value in copy.deepcopy(settings).items():
                setattr(github_repository.repository, name, value)

    def settings(self) -> dict[str, Any]:
        """What can be changed, without ids and times."""
        with self.server.locked_repository as github_repository:
            repository: HostedRepository = github_repository.repository
            return {
                "environments": {
                    name: (list(environment.reviewers), copy.copy(environment.branches))
                    for name, environment in repository.environments.items()
                },
                "rulesets": [(ruleset["name"], ruleset["rules"]) for ruleset in repository.rulesets],
                "variables": {name: value for name, (value, _) in repository.variables.items()},
                "actions": copy.deepcopy(repository.actions),
            }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("setup")
    with Served(folder, repo=Repo(folder / "repo", FILES), private=False) as server:
        yield server


@pytest.fixture(scope="module")
def project(served: Served) -> Project:
    return load(served.work.root)


@pytest.fixture
def host(served: Served, project: Project, monkeypatch: pytest.MonkeyPatch) -> RepositoryToSetUp:
    environ = {
        "GITHUB_API_URL": served.api_url,
        "GITHUB_SERVER_URL": served.url,
        "GITHUB_REPOSITORY": served.repository,
        "GITHUB_TOKEN": served.token("olga"),
        "HOME": str(project.root),
    }
    host = RepositoryToSetUp(served, project, environ)

    def answer(
        _requester: StrictRequester,
        verb: str,
        url: str,
        parameters: Any,
        _headers: Any,
        content: Any,
        *_: Any,
        **__: Any,
    ) -> tuple[int, dict[str, Any], str]:
        """The answer of the sandbox's GitHub without a connection: there are hundreds of requests."""
        query = {name: str(value) for name, value in (parameters or {}).items()}
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"authorization": f"token {environ['GITHUB_TOKEN']}"}
        request = HttpRequest(verb, urlsplit(url).path, urlencode(query), query, headers, body)
        response = served.server.answer(request, HttpFault())
        host.requests += 1
        if host.requests == host.last:
            raise KeyboardInterrupt
        if host.requests == host.lost:
            raise requests.ConnectionError
        return response.status, {k.lower(): v for k, v in response.headers.items()}, response.body.decode()

    monkeypatch.setattr(StrictRequester, "requestJson", answer)
    return host


@pytest.mark.parametrize(
    ("settings", "provider"),
    [(SETTINGS, PROVIDER), (OLDER, PROVIDER), (SETTINGS, "")],
    ids=["bootstrap", "bootstrap-again", "doctor"],
)
def test_a_run_that_is_killed_after_any_request_is_finished_by_the_next(
    host: RepositoryToSetUp, settings: dict[str, Any], provider: str
) -> None:
    host.reset(settings)
    changed = host.set_up(provider).changed
    expected, count = host.settings(), host.requests
    assert expected["environments"] == {
        "prod-approval": (["olga"], None),
        "dev": ([], ["main"]),
        "prod": ([], ["main"]),
    }
    assert host.set_up(provider).changed == (), "nothing is left, and nothing is changed again"
    seen: list[dict[str, Any]] = []
    for last in range(1, count + 1):
        host.reset(settings)
        host.run_until(last, provider)
        state = host.settings()
        # A run remembers nothing here: what follows depends on what GitHub has, and on nothing else.
        if state in seen:
            continue
        seen.append(state)
        # Trunk is added before others go, and a new environment is open to nobody before it is to trunk.
        assert state["environments"]["dev"][1] in (
            ["release", "old"],
            ["release", "old", "main"],
            ["old", "main"],
            ["main"],
        )
        assert state["environments"].get("prod", ([], []))[1] in ([], ["main"])
        rest = host.set_up(provider).changed
        assert host.settings() == expected, f"killed after request {last}"
        assert (len(rest) <= len(changed), bool(rest)) == (True, state != expected)
    assert len(seen) > len(changed), "a run was killed after each change, and between the requests of one"


@pytest.mark.parametrize("settings", [SETTINGS, OLDER], ids=["first", "again"])
def test_a_change_whose_answer_is_lost_is_not_made_twice(
    host: RepositoryToSetUp, settings: dict[str, Any]
) -> None:
    """It is looked for before it is sent again: GitHub refuses to create what exists."""
    request = SetupRequest("main", ("dev", "prod"), ("prod",), ("olga",), PROVIDER)
    with open_github(host.environ, RetryPolicy(sleep=lambda seconds: None)) as forge:
        host.reset(settings)
        plan = forge.plan_setup(request)
        for number in range(1, sum(len(change.requests) for change in plan.changes) + 1):
            host.reset(settings)
            changes = forge.plan_setup(request).changes
            host.requests, host.lost = 0, number
            for change in changes:
                forge.change_setting(change)
            host.lost = None
            assert forge.plan_setup(request).changes == (), f"the answer to request {number} was lost"
            assert len(host.settings()["rulesets"]) == 1
