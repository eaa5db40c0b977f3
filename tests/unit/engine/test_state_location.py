"""Which state a plan may read: the recorded one at its location, a declared move, and what is blocked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.state_location import StateLocations
from orchestrator.engine.states import States
from orchestrator.errors import BlockedError, ProjectError
from orchestrator.repository.loading import load
from orchestrator.state.location import Location
from orchestrator.state.records import LedgerEntry, Operation
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo

CODE = 'terraform {\n  backend "gcs" {}\n}\nresource "terraform_data" "x" {}\n'
AT = "dev/state/net/default.tfstate"


def config(bucket: str = "old", prefix: str = "", more: str = "") -> str:
    prefix_setting = f', prefix: "{prefix}"' if prefix else ""
    return f"version: 1\nbackend:\n  gcs: {{bucket: {bucket}{prefix_setting}}}\n{more}"


def moved_from(url: str) -> str:
    return f"stacks:\n  dev/net: {{moved_from: '{url}'}}\n"


@dataclass
class RepositoryWithBuckets:
    """A repository with the stack dev/net, and its buckets in memory."""

    repo: Repo
    buckets: dict[str, MemoryStorage] = field(default_factory=dict)

    def bucket(self, name: str) -> MemoryStorage:
        return self.buckets.setdefault(name, MemoryStorage())

    def open_bucket(self, location: Location, environ: Mapping[str, str]) -> MemoryStorage:
        return self.bucket(location.bucket)

    def commit(self, text: str) -> None:
        self.repo.commit({"infra.yaml": text}, "Change")

    def locations(self) -> StateLocations:
        project = load(self.repo.root)
        states = States(project, {}, self.open_bucket)  # type: ignore[arg-type]
        ledgers = Ledgers(project, states, {"HOME": str(self.repo.root)})
        return StateLocations(Memory(project, states, ledgers))

    def state(self, bucket: str, name: str = AT, *, serial: int = 3, lineage: str = "L") -> str:
        """Put a state into a bucket; gives its generation."""
        content = {"version": 4, "serial": serial, "lineage": lineage, "resources": [{}]}
        return self.bucket(bucket).write(name, json.dumps(content).encode()).generation

    def record(self, change: Callable[[LedgerEntry], LedgerEntry] = lambda entry: entry) -> None:
        """Record an apply of the code that is here, whose state is there."""
        locations = self.locations()
        stack = locations.memory.project.stacks["dev/net"]
        ledger, head = locations.memory.ledgers.of(stack), locations.memory.states.head(stack)
        commit = locations.memory.project.commit or ""
        entry = ledger.begin("dev/net", Operation("R1", "apply", "planned", "ada", "desk", commit), None)
        done = replace(
            entry,
            result="applied",
            commit=commit,
            state=stack.state or "",
            state_generation=locations.memory.states.generation(stack) or "",
            serial=head.serial if head else None,
            lineage=head.lineage if head else "",
        )
        ledger.finish(change(done))

    def check(self) -> str:
        """The pending move as text, or `""`."""
        locations = self.locations()
        return str(locations.check(locations.memory.project.stacks["dev/net"]) or "")

    def refusal(self) -> str:
        with pytest.raises(BlockedError) as caught:
            self.check()
        return f"{caught.value.message}\n{caught.value.advice}"


@pytest.fixture
def checkout(make_repo: MakeRepo) -> RepositoryWithBuckets:
    return RepositoryWithBuckets(make_repo({"infra.yaml": config(), "infra/envs/dev/net/main.tf": CODE}))


@pytest.fixture
def applied(checkout: RepositoryWithBuckets) -> RepositoryWithBuckets:
    checkout.state("old")
    checkout.record()
    assert checkout.check() == ""
    return checkout


def test_a_new_stack_is_planned(checkout: RepositoryWithBuckets) -> None:
    assert checkout.check() == ""


@pytest.mark.parametrize(
    ("changed", "now"),
    [
        (config(prefix="{environment}/elsewhere/{stack}"), "gs://old/dev/elsewhere/net/default.tfstate"),
        (config(prefix="tf/{environment}/{stack}"), "gs://old/tf/dev/net/default.tfstate"),
        (config("new"), f"gs://new/{AT}"),
    ],
    ids=["prefix", "prefix with a ledger of its own", "bucket"],
)
def test_a_backend_that_changed_in_infra_yaml_makes_no_new_stack(
    applied: RepositoryWithBuckets, changed: str, now: str
) -> None:
    applied.commit(changed)
    text = applied.refusal()
    assert f"gs://old/{AT}" in text
    assert now in text
    assert f"`stacks.dev/net.moved_from: gs://old/{AT}`" in text
    assert f"infra state move dev/net --from gs://old/{AT}" in text


def test_nor_does_one_that_is_not_committed_yet(applied: RepositoryWithBuckets) -> None:
    (applied.repo.root / "infra.yaml").write_text(config("new"))
    assert f"gs://old/{AT}" in applied.refusal()


def test_nor_does_a_bucket_that_changed_commits_ago(applied: RepositoryWithBuckets) -> None:
    applied.commit(config("new"))
    for number in range(3):
        applied.repo.commit({"README.md": str(number)}, "Other")
    assert f"gs://old/{AT}" in applied.refusal()


def test_a_state_without_a_ledger_counts_by_its_code_alone(checkout: RepositoryWithBuckets) -> None:
    checkout.state("old")
    checkout.commit(config("new"))
    assert f"gs://old/{AT}" in checkout.refusal()


def test_a_state_that_was_destroyed_is_not_missed(checkout: RepositoryWithBuckets) -> None:
    checkout.state("old")
    checkout.record(lambda entry: replace(entry, result="destroyed"))
    checkout.commit(config("new"))
    assert checkout.check() == ""


def test_a_bucket_that_is_gone_holds_no_state(checkout: RepositoryWithBuckets) -> None:
    from orchestrator.errors import BucketMissingError

    def missing(call: str, name: str) -> bool:
        raise BucketMissingError("The bucket gs://old does not exist.")

    checkout.bucket("old").fails = missing
    checkout.commit(config("new"))
    assert checkout.check() == ""


def test_a_state_object_that_was_deleted_is_missed(applied: RepositoryWithBuckets) -> None:
    applied.bucket("old").delete(AT)
    text = applied.refusal()
    assert "its object was deleted" in text
    assert "infra state forget dev/net" in text


def test_a_forgotten_state_is_not_missed(checkout: RepositoryWithBuckets) -> None:
    checkout.state("old")
    checkout.record(
        lambda entry: LedgerEntry(
            entry.stack, operation=entry.operation, forgotten="gone", generation=entry.generation
        )
    )
    checkout.bucket("old").delete(AT)
    assert checkout.check() == ""


def test_an_older_entry_has_the_location_of_the_code_that_was_applied(
    checkout: RepositoryWithBuckets,
) -> None:
    checkout.state("old")
    checkout.record(lambda entry: replace(entry, state=""))
    assert checkout.check() == ""
    checkout.commit(config(prefix="{environment}/elsewhere/{stack}"))
    assert f"it was gs://old/{AT}" in checkout.refusal()


# Declared moves


@pytest.mark.parametrize("url", ["gs://old/dev/state/net", f"gs://old/{AT}"])
@pytest.mark.parametrize("bucket", ["new", "old"])
def test_a_declared_move_is_pending_until_the_state_is_there(
    applied: RepositoryWithBuckets, url: str, bucket: str
) -> None:
    prefix = "{environment}/elsewhere/{stack}" if bucket == "old" else ""
    applied.commit(config(bucket, prefix, moved_from(url)))
    target = "dev/elsewhere/net/default.tfstate" if bucket == "old" else AT
    assert applied.check() == f"its state moves from gs://old/{AT} to gs://{bucket}/{target}"
    # A run that was killed has made the copy and not recorded it.
    applied.state(bucket, target)
    locations = applied.locations()
    stack = locations.memory.project.stacks["dev/net"]
    assert locations.check(stack)
    # The entry comes along to a ledger elsewhere, and the old one says where the state went.
    entry = locations.memory.ledgers.move_entry(stack)
    assert entry
    assert entry.lineage == "L"
    locations.memory.ledgers.of(stack).note_state("dev/net", stack.state or "")
    locations.memory.ledgers.note_move(stack)
    assert applied.check() == ""
    applied.repo.git("checkout", "-q", "HEAD^")
    assert "was moved to gs://" in applied.refusal()


def test_a_declared_move_from_nowhere_is_blocked(applied: RepositoryWithBuckets) -> None:
    applied.commit(config("new", more=moved_from("gs://old/dev/state/typo")))
    text = applied.refusal()
    assert "gs://old/dev/state/typo/default.tfstate" in text
    assert "stacks.dev/net.moved_from" in text


def test_a_declared_move_of_another_state_is_blocked(applied: RepositoryWithBuckets) -> None:
    applied.state("old", "dev/state/other/default.tfstate", lineage="M")
    applied.commit(
        config(prefix="{environment}/elsewhere/{stack}", more=moved_from("gs://old/dev/state/other"))
    )
    assert "has lineage M; the ledger knows L" in applied.refusal()


def test_no_stack_takes_over_the_state_of_another_one(applied: RepositoryWithBuckets) -> None:
    applied.repo.commit(
        {
            "infra/envs/dev/app/main.tf": CODE,
            "infra.yaml": config("new", more="stacks:\n  dev/app: {moved_from: gs://new/dev/state/net}\n"),
        },
        "Take",
    )
    with pytest.raises(ProjectError, match="takes over the state of dev/net"):
        load(applied.repo.root).require(["dev/app"])


# Another state


def test_a_state_of_another_lineage_is_blocked(applied: RepositoryWithBuckets) -> None:
    applied.state("old", serial=9, lineage="M")
    text = applied.refusal()
    assert "lineage M; the ledger knows L" in text
    assert "infra state accept dev/net --lineage M" in text


def test_an_older_serial_is_blocked_with_both_generations(applied: RepositoryWithBuckets) -> None:
    first = applied.bucket("old").objects[AT].generation
    now = applied.state("old", serial=2)
    text = applied.refusal()
    assert f"serial 2 (generation {now}), the ledger has 3 (generation {first})" in text
    assert f"infra state restore dev/net {first}" in text


def test_a_newer_serial_is_planned(applied: RepositoryWithBuckets) -> None:
    applied.state("old", serial=9)
    assert applied.check() == ""


def test_a_state_moved_by_hand_with_its_code_is_planned(applied: RepositoryWithBuckets) -> None:
    applied.commit(config(prefix="{environment}/elsewhere/{stack}"))
    applied.state("old", "dev/elsewhere/net/default.tfstate")
    assert applied.check() == ""


def test_a_state_without_an_entry_is_unrecorded(checkout: RepositoryWithBuckets) -> None:
    locations = checkout.locations()
    stack = locations.memory.project.stacks["dev/net"]
    assert not locations.is_unrecorded(stack)
    checkout.state("old")
    assert checkout.locations().is_unrecorded(stack)
    assert checkout.check() == ""
    checkout.record()
    assert not checkout.locations().is_unrecorded(stack)


WORKSPACES = """\
version: 1
stacks:
  app:
    path: roots/app
    environments: {dev: {workspace: blue}, prod: {workspace: PROD}}
"""
SHARED = 'terraform {\n  backend "gcs" {\n    bucket = "old"\n    prefix = "app"\n  }\n}\n'


@pytest.mark.parametrize(
    ("prod", "there", "is_blocked"),
    [
        ("gren", ["blue", "green"], True),
        ("green", ["blue", "green"], False),
        ("green", ["blue"], False),  # its first apply creates it
    ],
)
def test_a_workspace_that_does_not_exist_beside_one_of_no_stack(
    make_repo: MakeRepo, prod: str, there: list[str], is_blocked: bool
) -> None:
    repository_with_buckets = RepositoryWithBuckets(
        make_repo({"infra.yaml": WORKSPACES.replace("PROD", prod), "roots/app/main.tf": SHARED})
    )
    for name in there:
        repository_with_buckets.state("old", f"app/{name}.tfstate")
    locations = repository_with_buckets.locations()
    stack = locations.memory.project.stacks["prod/app"]
    if not is_blocked:
        assert locations.check(stack) is None
        return
    with pytest.raises(BlockedError) as caught:
        locations.check(stack)
    assert "stacks.app.environments.prod.workspace is gren" in caught.value.message
    assert "no stack uses green" in caught.value.message
    assert sorted(repository_with_buckets.buckets["old"].objects) == ["app/blue.tfstate", "app/green.tfstate"]
    ledger = locations.memory.ledgers.of(stack)
    entry = ledger.begin("prod/app", Operation("R1", "forget", "planned", "ada", "desk", "c"), None)
    ledger.leave(entry, LedgerEntry("prod/app", forgotten="it is new"))
    assert repository_with_buckets.locations().check(stack) is None
