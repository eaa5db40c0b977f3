"""Several repositories in one bucket: whose memory it is, in which folder, and who may take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.engine.status import StatusReader
from orchestrator.errors import ForbiddenError, NewerMarkerError, OwnershipError, StateError
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from orchestrator.state.records import Operation
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo

CODE = 'terraform {\n  backend "gcs" {}\n}\nresource "terraform_data" "x" {}\n'
ENTRY = "dev/ledger/stacks/net.json"


@dataclass
class Shared:
    """Buckets in memory that several repositories use."""

    make_repo: MakeRepo
    buckets: dict[str, MemoryStorage] = field(default_factory=dict)

    def bucket(self, name: str, environ: Mapping[str, str] | None = None) -> Any:
        return self.buckets.setdefault(name, MemoryStorage())

    def repo(self, name: str, origin: str = "", more: str = "", stack: str = "dev/net") -> Repo:
        files = {
            "infra.yaml": f"backend: {{gcs: {{bucket: b}}}}\n{more}",
            f"infra/envs/{stack}/main.tf": CODE,
        }
        repo = self.make_repo(files, name)
        if origin:
            repo.git("remote", "add", "origin", origin)
        return repo

    def ledgers(self, repo: Repo, **environ: str) -> Ledgers:
        project = load(repo.root)
        return Ledgers(project, self.states(project), {"HOME": str(repo.root), **environ})

    def states(self, project: Project) -> States:
        return States(project, {}, lambda location, environ: self.bucket(location.bucket, environ))

    def apply(self, repo: Repo, **environ: str) -> None:
        """What an apply writes: the marker, then the entry of its stack."""
        ledgers = self.ledgers(repo, **environ)
        for stack in load(repo.root).stacks.values():
            ledgers.mark_of(stack)
            operation = Operation("R1", "apply", "planned", "ada", "desk", "c" * 40)
            entry = ledgers.of(stack).begin(stack.id, operation, ledgers.move_entry(stack))
            ledgers.of(stack).finish(
                replace(entry, operation=None, result="applied", commit="c" * 40, fingerprint="f")
            )

    def use(self, repo: Repo, **environ: str) -> None:
        """What every command does that reads or writes the memory; OwnershipError where it may not."""
        self.ledgers(repo, **environ).check(load(repo.root).stacks.values())


@pytest.fixture
def shared(make_repo: MakeRepo) -> Shared:
    return Shared(make_repo)


def test_the_first_apply_marks_the_memory_and_another_repository_is_refused(shared: Shared) -> None:
    shop = shared.repo("shop", "git@github.com:acme/shop.git")
    other = shared.repo("other", "https://github.com/acme/other")
    shared.use(other)
    assert shared.buckets["b"].objects == {}

    shared.apply(shop, LOGNAME="ada")

    content = json.loads(shared.buckets["b"].objects["repository.json"].data)
    assert content["repository"]["origin"] == "github.com/acme/shop"
    assert (content["by"], content["version"]) == ("ada", 1)
    shared.use(shop)
    shared.apply(shop)
    with pytest.raises(OwnershipError, match=r"gs://b/repository\.json.*github\.com/acme/shop") as caught:
        shared.use(other)
    assert "memory.prefix" in caught.value.advice
    assert "infra ledger claim" in caught.value.advice
    assert int(caught.value.exit_code) == 3
    project = load(other.root)
    with pytest.raises(OwnershipError):
        StatusReader(project, shared.states(project), shared.ledgers(other)).of()
    with pytest.raises(OwnershipError):
        shared.apply(other)
    with pytest.raises(OwnershipError):
        shared.ledgers(other).drift_log(project.stacks["dev/net"])
    with pytest.raises(OwnershipError):
        shared.ledgers(other).promotions("dev")
    with pytest.raises(OwnershipError):
        shared.ledgers(other).of_environment("dev")


@pytest.mark.parametrize(
    ("config", "base"),
    [
        ("memory: {prefix: teams/other}", "teams/other/dev"),
        ("environments: {dev: {memory: {prefix: o}}}", "o/dev"),
        ("memory: {bucket: m}", "m:dev"),
        ("memory: {bucket: 'm-{environment}'}", "m-dev:dev"),
        ("memory: {bucket: m, prefix: p}\nenvironments: {dev: {memory: {prefix: q}}}", "m:q/dev"),
    ],
)
def test_a_prefix_or_a_bucket_of_its_own_keeps_two_repositories_apart(
    shared: Shared, config: str, base: str
) -> None:
    shop = shared.repo("shop", "https://github.com/acme/shop")
    other = shared.repo("other", "https://github.com/acme/other", config, stack="dev/web")
    shared.apply(shop)
    shared.apply(other)

    bucket, _, folder = base.rpartition(":")
    assert f"{folder}/ledger/stacks/web.json" in shared.buckets[bucket or "b"].objects
    for repo, stack in ((shop, "dev/net"), (other, "dev/web")):
        project = load(repo.root)
        statuses = StatusReader(project, shared.states(project), shared.ledgers(repo)).of()
        assert [status.id for status in statuses] == [stack]


def test_states_below_a_folder_of_their_own_have_their_memory_there(shared: Shared) -> None:
    first = shared.repo("shop", "https://github.com/acme/shop")
    files = {
        "infra.yaml": 'backend: {gcs: {bucket: b, prefix: "acme/{environment}/state/{stack}"}}\n',
        "infra/envs/dev/net/main.tf": CODE,
    }
    second = shared.make_repo(files, "second")
    shared.apply(first)
    shared.apply(second)

    assert {"repository.json", "acme/repository.json"} <= shared.buckets["b"].objects.keys()


def test_two_environments_with_one_prefix_share_a_marker_and_no_ledger(shared: Shared) -> None:
    repo = shared.repo("shop", more="memory: {prefix: p}\nenvironments: {dev: {}, prod: {}}")
    repo.commit({"infra/envs/prod/net/main.tf": CODE}, "Add prod")
    shared.apply(repo)

    names = [name for name in shared.buckets["b"].objects if not name.endswith(".key")]
    assert names == ["p/repository.json", "p/dev/ledger/stacks/net.json", "p/prod/ledger/stacks/net.json"]


def test_a_renamed_repository_is_known_by_its_number_in_ci_and_claims_elsewhere(shared: Shared) -> None:
    job = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY_ID": "7"}
    repo = shared.repo("shop", "https://github.com/acme/old")
    shared.apply(repo, **job)
    repo.git("remote", "set-url", "origin", "https://github.com/acme/new")

    shared.use(repo, **job)
    with pytest.raises(OwnershipError):
        shared.use(repo)
    ledgers = shared.ledgers(repo)
    for folder in ledgers.folders():
        ledgers.claim(folder, "renamed")

    shared.use(repo)
    shared.use(repo, **job)
    content = json.loads(shared.buckets["b"].objects["repository.json"].data)
    assert content["repository"]["origin"] == "github.com/acme/new"
    assert (content["before"]["id"], content["reason"]) == ("7", "renamed")


def test_a_fork_is_another_repository(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop")
    shared.apply(repo)
    repo.git("remote", "set-url", "origin", "https://github.com/eve/shop")

    with pytest.raises(OwnershipError):
        shared.use(repo)


def test_the_number_counts_in_a_job_only(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop")
    shared.apply(repo, GITHUB_ACTIONS="true", GITHUB_REPOSITORY_ID="7")

    shared.use(repo, GITHUB_REPOSITORY_ID="8")
    with pytest.raises(OwnershipError):
        shared.use(repo, GITHUB_ACTIONS="true", GITHUB_REPOSITORY_ID="8")


def test_a_repository_without_an_origin_is_known_by_its_first_commit(shared: Shared) -> None:
    shop, other = shared.repo("shop"), shared.repo("other", stack="dev/web")
    shared.apply(shop)

    with pytest.raises(OwnershipError, match="begins with"):
        shared.use(other)
    shop.git("remote", "add", "origin", "https://github.com/acme/shop")
    shared.use(shop)


def test_a_run_that_is_killed_after_the_marker_is_just_run_again(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop")
    bucket = shared.bucket("b")
    bucket.fails = lambda call, name: name == ENTRY and call == "write"
    with pytest.raises(StateError):
        shared.apply(repo)
    assert list(bucket.objects) == ["repository.json"]

    bucket.fails = lambda call, name: False
    shared.apply(repo)

    assert ENTRY in bucket.objects


def test_whoever_is_slower_to_mark_is_refused(shared: Shared) -> None:
    shop = shared.repo("shop", "https://github.com/acme/shop")
    other = shared.repo("other", "https://github.com/acme/other")
    slow = shared.ledgers(other)
    stack = load(other.root).stacks["dev/net"]
    slow.of(stack)
    shared.apply(shop)

    with pytest.raises(OwnershipError):
        slow.mark_of(stack)


def test_a_memory_of_before_there_were_markers_is_used_and_marked_by_the_next_apply(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop")
    shared.apply(repo)
    del shared.buckets["b"].objects["repository.json"]

    shared.use(repo)
    shared.apply(repo)

    assert "repository.json" in shared.buckets["b"].objects


def test_an_account_that_may_not_read_the_marker_goes_on(shared: Shared) -> None:
    class Locked(MemoryStorage):
        def _begin(self, call: str, name: str) -> None:
            if name == "repository.json":
                raise ForbiddenError("refused")

    shared.buckets["b"] = Locked()
    repo = shared.repo("shop", "https://github.com/acme/shop")

    shared.apply(repo)

    assert list(shared.buckets["b"].objects) == [ENTRY]


def test_a_marker_that_cannot_be_looked_at_stops(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop")
    shared.bucket("b").fails = lambda call, name: name == "repository.json"

    with pytest.raises(StateError, match="does not answer"):
        shared.use(repo)


def test_a_broken_marker_is_claimed_and_a_newer_one_is_not(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop")
    bucket = shared.bucket("b")
    bucket.write("repository.json", b"{")
    with pytest.raises(OwnershipError):
        shared.apply(repo)
    ledgers = shared.ledgers(repo)
    ledgers.claim(ledgers.folders()[0], "the object was broken")
    shared.use(repo)

    bucket.write("repository.json", b'{"version": 2}')
    ledgers = shared.ledgers(repo)
    with pytest.raises(NewerMarkerError):
        ledgers.claim(ledgers.folders()[0], "on purpose")
    assert bucket.objects["repository.json"].data == b'{"version": 2}'


def test_the_memory_of_an_earlier_commit_is_where_the_present_commit_sets_it(shared: Shared) -> None:
    repo = shared.repo("shop", "https://github.com/acme/shop", "memory: {prefix: p}")
    ledgers = shared.ledgers(repo)
    repo.commit({"infra.yaml": "backend: {gcs: {bucket: b}}\n"}, "Use the default again")
    project = load(repo.root)

    assert ledgers.for_commit(project, shared.states(project)).of(project.stacks["dev/net"]).folder == "p/dev"


def test_states_elsewhere_have_their_memory_in_the_bucket_that_is_named(shared: Shared) -> None:
    files = {
        "infra.yaml": "memory: {bucket: m}\n",
        "infra/envs/dev/net/main.tf": 'resource "terraform_data" "x" {}\n',
    }
    repo = shared.make_repo(files, "local")

    shared.apply(repo)

    assert set(shared.buckets["m"].objects) == {"repository.json", ENTRY}
    assert cast(Any, shared.buckets.get("b")) is None
