"""A bucket whose memory is another repository's: every command that uses it stops, and says what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.repository.loading import load
from orchestrator.state.marker import Identity, Marker, write_marker
from tests.support.ci import CiProject, running
from tests.support.merging import job
from tests.support.recorded_stack import FILES, UPSTREAM, RecordedProject, serving
from tests.support.repo import Repo

REASON = ("--reason", "renamed", "--auto-approve")
COMMANDS = (
    "status",
    "history",
    "plan --all",
    "plan prod/net",
    "apply --all --auto-approve",
    "destroy --all --auto-approve",
    "adopt --all",
    "resume",
    "unlock dev/net",
    "drift",
    "drift --last",
    "state history dev/net",
    "state forget dev/net --reason gone --auto-approve",
    "run dev/net -- taint terraform_data.x",
    "output dev/net",
    "state pull dev/net",
    "doctor",
)
CI_COMMANDS = (
    "ci plan --env dev",
    "ci plan",
    "ci comment {reports}",
    "ci compare dev",
    "ci apply",
    "ci apply dev",
    "ci approve dev",
    "drift dev",
    "drift --report {reports}",
    "status",
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedProject]:
    """A repository whose bucket is marked by another one."""
    folder: Path = tmp_path_factory.mktemp("shared")
    with serving(folder / "gcs") as server:
        first = Repo(folder / "first", FILES)
        first.git("remote", "add", "origin", "https://github.com/acme/first")
        project, env = load(first.root), {"STORAGE_EMULATOR_HOST": server.url, "INFRA_SANDBOX": "test"}
        Ledgers(project, States(project, env), env).mark_of(project.stacks["dev/net"])
        second = Repo(folder / "second", FILES)
        second.git("remote", "add", "origin", "git@github.com:acme/second.git")
        yield RecordedProject(second, server)


@pytest.fixture(scope="module")
def ci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CiProject]:
    """A repository on GitHub with a planned pull request, whose bucket was marked by another one since."""
    folder: Path = tmp_path_factory.mktemp("ci")
    with running(folder) as ci:
        number = ci.change({"infra/envs/dev/net/main.tf": UPSTREAM.replace("one", "two")})
        ci.job(number, rights={})("ci", "plan", "--env", "dev", "--report", str(folder / "reports"), code=0)
        owner = Marker(Identity("999", "github.com/acme/first"))
        write_marker(ci.recorded.ledger("dev/net").storage, "", owner)
        yield ci


@pytest.mark.parametrize("command", CI_COMMANDS)
def test_every_job_stops_at_the_memory_of_another_repository(ci: CiProject, command: str) -> None:
    before = ci.objects("")
    in_review = command.startswith(("ci plan", "ci comment"))
    infra = ci.job(1) if in_review else job(ci)

    ran = infra(*command.format(reports=ci.folder / "reports").split(), code=3)

    out = ran.out + ran.err
    assert "github.com/acme/first" in out
    assert "memory.prefix" in out
    assert "infra ledger claim" in out
    assert ci.objects("") == before


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stops_at_the_memory_of_another_repository(
    recorded: RecordedProject, command: str
) -> None:
    before = recorded.objects()
    ran = recorded.infra(*command.split(), code=3)

    out = ran.out + ran.err
    assert "github.com/acme/first" in out
    assert "memory.prefix" in out
    assert "infra ledger claim" in out
    assert recorded.objects() == before


def test_a_claim_asks_for_protected_environments_and_hands_the_memory_over(recorded: RecordedProject) -> None:
    recorded.infra("ledger", "claim", *REASON, code=4)

    ran = recorded.infra("ledger", "claim", *REASON, "--confirm", "prod", "--json", code=0)

    assert ran.document["claimed"] == ["gs://states/repository.json"]
    assert ran.document["repository"]["origin"] == "github.com/acme/second"
    recorded.infra("status", code=0)
    again = recorded.infra("ledger", "claim", *REASON, "--json", code=0)
    assert json.loads(again.out)["claimed"] == []


def test_two_repositories_in_one_bucket_do_not_see_each_other(tmp_path: Path) -> None:
    """They have the same stack, and one that the other would take for deleted."""
    with serving(tmp_path / "gcs") as server:
        repositories = {
            name: RecordedProject(Repo(tmp_path / name, _files(name, stacks)), server)
            for name, stacks in {"blog": ("net", "app"), "shop": ("net",)}.items()
        }
        blog, shop = repositories.values()
        for recorded in (blog, shop):
            recorded.infra("apply", "--all", "--auto-approve", "--confirm", "dev", code=0)
        statuses = {
            name: {
                stack["id"]: stack["status"] for stack in each.infra("status", "--json").document["stacks"]
            }
            for name, each in repositories.items()
        }
        assert statuses == {
            "blog": {"dev/app": "up-to-date", "dev/net": "up-to-date"},
            "shop": {"dev/net": "up-to-date"},
        }
        assert {name.partition("/")[0] for name in blog.objects()} == {"blog", "shop"}
        assert {name for name in blog.objects() if name.endswith("repository.json")} == {
            "blog/repository.json",
            "shop/repository.json",
        }
        assert "deleted" not in shop.infra("plan", "--all", code=0).out


def _files(folder: str, stacks: Sequence[str]) -> dict[str, str]:
    """A repository whose states and memory are in a folder of the bucket."""
    prefix = f"{folder}/{{environment}}/state/{{stack}}"
    config = f'backend: {{gcs: {{bucket: states, prefix: "{prefix}"}}}}\nmemory: {{prefix: {folder}}}\n'
    paths = [f"infra/envs/dev/{stack}/main.tf" for stack in stacks]
    code = {path: FILES[path].replace('"dev/', f'"{folder}/dev/') for path in paths}
    return {"infra.yaml": config, **code}
