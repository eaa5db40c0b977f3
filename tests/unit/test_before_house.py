"""Files of earlier versions have words that were replaced since, and are read for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.terminal.deprecated_keys import add_deprecated_keys
from orchestrator.drift.episodes import compute_digest
from orchestrator.drift.model import DriftedAttribute, DriftedResource
from orchestrator.drift.report import StackDrift
from orchestrator.plan.digest import decode as decode_digest
from orchestrator.report import markers
from orchestrator.review.pull_request.renewed_review import parse_reviewed_plans, render_line
from orchestrator.state.attestations import Attestations
from orchestrator.state.drift_store import DriftLog
from orchestrator.state.ledger import Ledger
from orchestrator.state.promotion_store import PromotionStore
from tests.support.memory_storage import MemoryStorage

FOLDER = Path(__file__).parents[1] / "data" / "before-house"
BUCKET: dict[str, dict[str, Any]] = json.loads((FOLDER / "bucket.json").read_text(encoding="utf-8"))
COMMENTS: list[str] = json.loads((FOLDER / "comments.json").read_text(encoding="utf-8"))
DRIFT: dict[str, Any] = json.loads((FOLDER / "drift.json").read_text(encoding="utf-8"))
ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture
def storage() -> MemoryStorage:
    bucket = MemoryStorage()
    for name, recorded in BUCKET.items():
        bucket.write(name, recorded["data"].encode(), metadata=recorded["metadata"])
    return bucket


@pytest.mark.parametrize("is_whole", [True, False], ids=["objects", "metadata"])
def test_records_of_drift_have_the_present_words(storage: MemoryStorage, is_whole: bool) -> None:
    records = {
        id_: record
        for environment in ENVIRONMENTS
        for id_, record in DriftLog(storage, environment).records(whole=is_whole).items()
    }
    pending = records["staging/service"]
    assert pending.counts["unapplied"] == 1
    assert "owed" not in pending.counts
    assert pending.now
    (resource,) = pending.now.resources
    assert (resource.kind, resource.category) == ("unapplied", "unapplied")
    if is_whole:
        endings = {episode.how for record in records.values() for episode in record.past}
        assert {"reverted by a remediation", "accepted by a remediation"} <= endings
        assert not any("correction" in ending for ending in endings)


def test_a_remediation_that_no_check_has_seen_yet_is_still_known(storage: MemoryStorage) -> None:
    name = "prod/drift/stacks/service.json"
    content = json.loads(BUCKET[name]["data"]) | {"correction": "reverted by a correction"}
    storage.write(name, json.dumps(content).encode())
    record = DriftLog(storage, "prod").record("prod/service")
    assert record
    assert record.remediation == "reverted by a remediation"


def test_a_drift_that_was_reported_before_is_not_reported_as_changed(storage: MemoryStorage) -> None:
    record = DriftLog(storage, "staging").record("staging/service")
    assert record
    assert compute_digest(recorded_drift()) == record.digest == DRIFT["stacks"][0]["digest"]


def test_each_ledger_entry_and_run_is_read(storage: MemoryStorage) -> None:
    for environment in ENVIRONMENTS:
        ledger = Ledger(storage, environment)
        entries = ledger.entries()
        assert set(entries) == {f"{environment}/network", f"{environment}/service"}
        assert not any(entry.problem for entry in entries.values())
        runs = ledger.runs()
        assert runs
        assert not any(run.problem for run in runs)


def test_each_promotion_attestation_and_plan_object_is_read(storage: MemoryStorage) -> None:
    records = PromotionStore(storage, "staging", "staging").records()
    assert {name for record in records for name in record.checks} == {"http"}
    assert [record.skipped.by for record in records if record.skipped] == ["ada"]
    head = "e1d25249e266113cb32f7af98968b56ac8710c71"
    for environment in ENVIRONMENTS:
        assert Attestations(storage, environment).of_head(1, head)
    plans = {name: recorded for name, recorded in BUCKET.items() if "/plans/" in name}
    assert len(plans) == 4
    for name, recorded in plans.items():
        assert decode_digest(recorded["data"].encode(), name).resources


def test_comments_remember_which_plans_were_reviewed() -> None:
    reviewed = [parse_reviewed_plans(body) for body in COMMENTS if "infra:told" in body]
    assert [set(plans) for plans in reviewed] == [{"prod"}, {"prod"}]
    assert "infra:reviewed prod=" in render_line(reviewed[0])
    assert parse_reviewed_plans(render_line(reviewed[0])) == reviewed[0]
    assert sum(markers.PLAN in body for body in COMMENTS) == 3


def test_the_document_of_a_check_still_has_all_of_its_keys() -> None:
    """Programs that read `infra drift --json` of before find the same keys and values."""
    stack = DRIFT["stacks"][0]
    document = {"stacks": [recorded_drift().document()]}
    present = add_deprecated_keys("drift", document)["stacks"][0]
    assert stack.keys() <= present.keys()
    (resource,), (now,) = stack["resources"], present["resources"]
    assert {key: now[key] for key in resource if key != "attributes"} == {
        key: value for key, value in resource.items() if key != "attributes"
    }
    assert resource["attributes"][0].items() <= now["attributes"][0].items()
    assert stack["counts"].items() <= present["counts"].items()


def recorded_drift() -> StackDrift:
    """The recorded check of staging/service, as the present code has it."""
    stack = DRIFT["stacks"][0]
    (resource,) = stack["resources"]
    (attribute,) = resource["attributes"]
    assert (resource["kind"], resource["class"], attribute["class"]) == ("owed", "owed", "owed")
    part = DriftedAttribute(
        attribute["path"], "unapplied", attribute["before"], attribute["after"], attribute["planned"]
    )
    drifted = DriftedResource(
        resource["address"], resource["type"], "unapplied", "unapplied", (part,), tuple(resource["actions"])
    )
    return StackDrift(stack["id"], stack["environment"], "drifted", resources=(drifted,))
