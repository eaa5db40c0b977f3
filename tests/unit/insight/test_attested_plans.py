"""The plans of a pull request, read back as they were attested; never one that is not the attested one."""

from __future__ import annotations

import pytest

from orchestrator.insight.attested_plans import read_attested_plans
from orchestrator.plan.digest import AttributeDigest, Digest, ResourceDigest, encode, sha256
from orchestrator.repository.loading import load
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.plan_objects import PlanObjects
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\nenvironments: {dev: {}, prod: {}}\n",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
    "infra/envs/prod/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
HEAD, NEWER = "a" * 40, "b" * 40


def digest(after: str) -> Digest:
    visible = AttributeDigest("size", "0" * 64, "1" * 64, shown_before=1, shown_after=after)
    hidden = AttributeDigest("password", "0" * 64, "1" * 64, sensitive=True)
    return Digest(
        "dev/net", "l", "", (ResourceDigest("a.b", "a", ("update",), attributes=(visible, hidden)),)
    )


@pytest.fixture
def ledgers(make_repo: MakeRepo) -> object:
    return session_in_memory(load(make_repo(FILES).root), MemoryStorage()).memory.ledgers


def attest(ledgers: object, head: str, run: str, data: bytes, *, attested: bytes | None = None) -> None:
    (ledger,) = ledgers.of_environment("dev")  # type: ignore[attr-defined]
    objects = PlanObjects(ledger.storage, ledger.environment, ledger.folder)
    objects.create(7, head, "dev/net", run, data)
    plans = {"dev/net": sha256(attested or data)}
    Attestations.beside(objects).create(Attestation(7, head, run, run, plans))


def test_the_newest_plans_are_read_with_masked_values(ledgers: object) -> None:
    attest(ledgers, HEAD, "1-1", encode(digest("2")))
    attest(ledgers, NEWER, "2-1", encode(digest("3")))
    (plans,) = read_attested_plans(ledgers, ("dev", "prod"), 7)  # type: ignore[arg-type]
    document = plans.document()
    assert (document["environment"], document["head"], document["problem"]) == ("dev", NEWER, None)
    ((resource,),) = [stack["resources"] for stack in document["stacks"]]
    assert (resource["address"], resource["actions"]) == ("a.b", ["update"])
    assert [(part["before"], part["after"]) for part in resource["attributes"]] == [(1, "3"), (None, None)]
    # The hashes of values are no business of a reader: a short value could be guessed with the key.
    assert "1" * 64 not in str(document)


def test_a_plan_that_was_not_attested_is_not_shown(ledgers: object) -> None:
    attest(ledgers, HEAD, "1-1", encode(digest("2")), attested=encode(digest("3")))
    (plans,) = read_attested_plans(ledgers, ("dev",), 7)  # type: ignore[arg-type]
    assert plans.digests == ()
    assert plans.problem == "the plans in the bucket are not those that were attested"


def test_another_pull_request_has_none(ledgers: object) -> None:
    attest(ledgers, HEAD, "1-1", encode(digest("2")))
    assert read_attested_plans(ledgers, ("dev", "prod"), 70) == ()  # type: ignore[arg-type]
