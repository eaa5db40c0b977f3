"""What of an environment's memory is in the dataset, and what is read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.errors import ForbiddenError
from orchestrator.insight.dataset import NAME
from orchestrator.insight.plan_rows import read_plan_rows
from orchestrator.insight.state_rows import StateRules
from orchestrator.masking import Masker
from orchestrator.plan.digest import AttributeDigest, Digest, OutputDigest, ResourceDigest, encode, sha256
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.drift_store import DriftedResourceRecord, DriftLog, DriftRecord, Episode
from orchestrator.state.ledger import Ledger
from orchestrator.state.plan_objects import PlanObjects
from orchestrator.state.records import Operation, RunRecord, StackRecord
from tests.conftest import MakeRepo
from tests.support.insight import FILES, NOW, Estate, state_of
from tests.support.memory_storage import MemoryStorage

MakeEstate = Callable[[], Estate]


@pytest.fixture
def estate(make_repo: MakeRepo) -> Estate:
    return Estate(make_repo(FILES))


def test_an_empty_bucket_has_stacks_that_were_never_applied(estate: Estate) -> None:
    assert estate.ask('SELECT id, status, owners, "commit" FROM stacks ORDER BY id') == [
        ("dev/app", "new", "@acme/all", None),
        ("dev/net", "new", "@acme/all", None),
        ("prod/net", "new", "@acme/prod @ada", None),
    ]
    assert estate.ask("SELECT name, protected, visible, problem, stacks FROM environments") == [
        ("dev", 0, 1, "", 2),
        ("prod", 1, 1, "", 1),
    ]


def test_stacks_and_runs_equal_the_ledger(estate: Estate) -> None:
    estate.apply("dev/net", record={"pull_request": "#12", "subject": "Grow"})
    estate.apply("prod/net", at=NOW - timedelta(hours=1), result="failed", record={"subject": "Grow (#12)"})
    begun = Ledger(estate.storage, "dev").begin(
        "dev/app", Operation("R9", "apply", "applying", "eve", "desk", "d" * 40), None
    )
    estate.storage.clock += timedelta(hours=1)
    assert estate.ask("SELECT id, status, result, operation IS NULL FROM stacks ORDER BY id") == [
        ("dev/app", "unfinished", None, 0),
        ("dev/net", "applied", "applied", 1),
        ("prod/net", "failed", "failed", 1),
    ]
    assert begun.operation
    rows = estate.ask(
        "SELECT environment, result, person, pull_request, stacks, changes FROM runs ORDER BY at"
    )
    assert rows == [("prod", "failed", "ada", 12, 1, 1), ("dev", "ok", "ada", 12, 1, 1)]
    rows = estate.ask("SELECT stack, result, created, seconds, trigger FROM deployments ORDER BY at")
    assert rows == [("prod/net", "failed", 1, 0.0, "ci"), ("dev/net", "applied", 1, 0.0, "ci")]


def test_a_stack_that_only_the_ledger_knows_is_deleted(estate: Estate) -> None:
    estate.apply("dev/old")
    estate.apply("dev/destroyed", result="destroyed")
    assert estate.ask("SELECT id, name, status, path FROM stacks WHERE path IS NULL") == [
        ("dev/old", "old", "deleted", None)
    ]


def test_only_what_is_new_is_read(estate: Estate) -> None:
    estate.apply("dev/net")
    estate.save_state("dev/net", state_of(("google_storage_bucket.b", {"name": "b"})))
    estate.save_state("dev/app", state_of())
    first = estate.calls("SELECT * FROM resources, runs")
    assert [name for call, name in first if call == "content"] == [
        "dev/state/app/default.tfstate",
        "dev/state/net/default.tfstate",
    ]
    again = estate.calls("SELECT * FROM resources, runs")
    assert {call for call, _ in again} <= {"list", "read"}
    assert [name for call, name in again if call == "read"] == ["repository.json"]
    estate.save_state("dev/app", state_of(("google_storage_bucket.c", {"name": "c"})))
    third = estate.calls("SELECT * FROM resources, runs")
    assert [name for call, name in third if call == "content"] == ["dev/state/app/default.tfstate"]
    assert estate.ask("SELECT address FROM resources ORDER BY address") == [
        ("google_storage_bucket.b",),
        ("google_storage_bucket.c",),
    ]
    assert estate.loads == 1


def test_only_what_the_query_needs_is_read(estate: Estate) -> None:
    names = {name for _, name in estate.calls("SELECT count(*) FROM stacks")}
    assert {name for name in names if "runs" in name or "drift" in name or "attestations" in name} == set()
    assert estate.calls("SELECT * FROM edges") == []


def test_a_month_that_is_over_is_listed_once(estate: Estate) -> None:
    estate.apply("dev/net", at=NOW - timedelta(days=40))
    estate.apply("dev/net", at=NOW - timedelta(days=100))
    estate.apply("dev/net", at=NOW - timedelta(days=1))

    def months() -> list[str]:
        return [name for _, name in estate.calls("SELECT * FROM runs") if name.startswith("dev/ledger/runs/")]

    assert months() == [f"dev/ledger/runs/2026-{month:02}/" for month in (9, 10, 11)]
    assert months() == ["dev/ledger/runs/2026-11/"]
    assert len(estate.ask("SELECT * FROM runs")) == 2
    assert len(estate.ask("SELECT * FROM runs", days=200)) == 3
    assert len(estate.ask("SELECT * FROM runs", days=10)) == 1


def test_a_run_that_is_in_two_months_is_one(estate: Estate) -> None:
    estate.storage.clock = NOW.replace(month=10, day=31)
    record = RunRecord("20261031T235900000Z-1", "apply", "ci", "c", "ada", "2026-10-31T23:59:00Z", 1.0, {})
    estate.save_run("dev", replace(record, stacks={"dev/net": StackRecord("failed")}))
    estate.storage.clock = NOW
    estate.save_run("dev", replace(record, stacks={"dev/net": StackRecord("applied")}))
    assert estate.ask("SELECT result FROM deployments") == [("applied",)]
    assert estate.ask("SELECT result FROM deployments") == [("applied",)]


def test_a_wrong_clock_does_not_hide_a_run(estate: Estate) -> None:
    record = RunRecord(
        "20361130T120000000Z-1", "apply", "ci", "c", "ada", "2036-11-30T12:00:00+02:00", 1.0, {}
    )
    estate.save_run("dev", record)
    assert estate.ask("SELECT run, at FROM runs") == [(record.id, "2026-11-30T12:00:00Z")]


def test_an_environment_without_rights_is_not_visible_and_never_empty(estate: Estate) -> None:
    estate.apply("dev/net")
    estate.apply("prod/net")
    assert len(estate.ask("SELECT * FROM runs")) == 2
    estate.storage.fails = lambda call, name: name.startswith("prod/")
    with estate.session() as session:
        rows = session.ask("SELECT id, status, \"commit\" FROM stacks WHERE environment = 'prod'").rows
        assert rows == [("prod/net", "not visible", None)]
        ((name, reason),) = [(hidden.name, hidden.reason) for hidden in session.hidden]
        assert (name, "does not answer" in reason) == ("prod", True)
        assert session.ask("SELECT name, visible, problem <> '' FROM environments").rows == [
            ("dev", 1, 0),
            ("prod", 0, 1),
        ]
        assert session.ask("SELECT environment FROM runs").rows == [("dev",)]
        assert session.hidden
    estate.storage.fails = lambda call, name: False
    with estate.session() as session:
        assert len(session.ask("SELECT * FROM runs").rows) == 2
        assert session.hidden == ()


def test_a_newer_ledger_is_named_and_hides_nothing_else(estate: Estate) -> None:
    estate.apply("dev/app")
    estate.storage.write("dev/ledger/stacks/net.json", b'{"version": 99, "stack": "dev/net"}')
    estate.storage.write("dev/ledger/runs/2026-11/20261130T1-9.json", b'{"version": 99}')
    assert estate.ask("SELECT id, status, problem IS NULL FROM stacks WHERE environment = 'dev'") == [
        ("dev/app", "applied", 1),
        ("dev/net", "unreadable", 0),
    ]
    assert estate.ask("SELECT result, problem FROM runs WHERE problem IS NOT NULL") == [
        (None, "dev/ledger/runs/2026-11/20261130T1-9.json has version 99; this infra knows up to 1.")
    ]


def test_journals_state_which_resources_a_run_changed(estate: Estate) -> None:
    estate.apply("dev/net", run="20261130T110000000Z-000001")
    lines = [
        {"type": kind, "hook": {"resource": {"addr": address, "resource_type": "a_b"}, "action": "create"}}
        for kind, address in (
            ("apply_start", "a_b.done"),
            ("apply_complete", "a_b.done"),
            ("apply_start", "a_b.failed"),
            ("apply_errored", "a_b.failed"),
            ("apply_start", "a_b.unknown"),
        )
    ]
    ledger = Ledger(estate.storage, "dev")
    batch = [json.dumps(line).encode() for line in lines]
    ledger.append_journal("20261130T110000000Z-000001", "dev/net", 1, [*batch, b"no JSON", b"[]"])
    sql = "SELECT stack, address, action, outcome FROM changes ORDER BY address"
    expected = [("dev/net", f"a_b.{outcome}", "create", outcome) for outcome in ("done", "failed", "unknown")]
    assert estate.ask(sql) == expected
    assert [call for call, _ in estate.calls(sql) if call == "content"] == []
    assert estate.ask(sql) == expected


def test_drift_has_its_past(estate: Estate) -> None:
    log = DriftLog(estate.storage, "dev")
    resource = DriftedResourceRecord("a_b.c", "changed", "unexplained", ("name",), "2026-11-01T00:00:00Z")
    past = Episode("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", "reverted outside", 0, (resource,))
    now = Episode("2026-11-01T00:00:00Z", came_back=1, resources=(resource,))
    record = DriftRecord("dev/net", "2026-11-30T00:00:00Z", result="drifted", now=now, past=(past,))
    log.save(record)
    sql = "SELECT stack, result, began, ended, came_back, resources FROM drift ORDER BY began"
    assert estate.ask(sql) == [
        ("dev/net", "drifted", past.began, past.ended, 0, 1),
        ("dev/net", "drifted", now.began, None, 1, 1),
    ]
    assert estate.ask("SELECT DISTINCT address, drift_class FROM drift_resources") == [
        ("a_b.c", "unexplained")
    ]
    current = log.record("dev/net")
    assert current
    log.save(replace(current, result="clean", now=None, past=()))
    assert estate.ask(sql) == [("dev/net", "clean", None, None, None, None)]


def test_approvals_are_what_was_attested(estate: Estate) -> None:
    attestations = Attestations(estate.storage, "dev")
    attestations.create(Attestation(12, "d" * 40, "R1", "R1", {"dev/net": "a" * 64}))
    attestations.create(Attestation(13, "e" * 40, "R2", "R2", problem="the report was cut"))
    assert estate.ask("SELECT pull_request, head, stack, problem FROM approvals ORDER BY 1") == [
        (12, "d" * 40, "dev/net", None),
        (13, "e" * 40, None, "the report was cut"),
    ]


def test_the_last_plan_of_a_stack_is_read_once_and_without_values(estate: Estate) -> None:
    objects = PlanObjects(estate.storage, "dev", "dev")

    def attest(number: int, run: str, plan: Digest, attested: str = "") -> None:
        data = encode(plan)
        objects.create(number, "d" * 40, "dev/net", run, data)
        plans = {"dev/net": attested or sha256(data)}
        Attestations.beside(objects).create(Attestation(number, "d" * 40, run, run, plans))

    def plan(address: str) -> Digest:
        attributes = (
            AttributeDigest("size", "0" * 64, "1" * 64, shown_before="small", shown_after="large"),
            AttributeDigest("password", "0" * 64, "1" * 64, sensitive=True),
            AttributeDigest("id", "", "", unknown=True),
        )
        resources = (ResourceDigest(address, "a", ("update",), attributes=attributes),)
        return Digest("dev/net", "l", "", resources, (OutputDigest("url", ("create",), "1" * 64),))

    sql = "SELECT pull_request, address, actions, attributes, problem FROM plans ORDER BY address"
    attest(12, "R1", plan("a.old"))
    estate.storage.clock += timedelta(hours=1)
    attest(13, "R2", plan("a.new"))
    resource, output = estate.ask(sql)
    assert resource[:3] == (13, "a.new", "update")
    assert output[:3] == (13, "output.url", "create")
    notes = {item["path"]: item["note"] for item in json.loads(str(resource[3]))}
    assert notes == {"size": "", "password": "sensitive", "id": "known after apply"}
    assert "large" not in str(resource)
    assert not [name for _, name in estate.calls(sql) if name.endswith("/R2.json")]
    estate.storage.clock += timedelta(hours=1)
    attest(14, "R3", plan("a.b"), attested="f" * 64)
    ((number, address, *_, problem),) = estate.ask(sql)
    assert (number, address) == (14, None)
    assert problem == "the plan in the bucket is not the one that was attested"


def test_a_value_of_a_plan_is_there_where_a_setting_names_it() -> None:
    attributes = tuple(
        AttributeDigest(path, "0" * 64, "1" * 64, shown_before="a", shown_after=after)
        for path, after in (("size", "large"), ("tier", "large"), ("api_key", "large"))
    )
    data = encode(
        Digest("dev/net", "l", "", (ResourceDigest("a.b", "a", ("update",), attributes=attributes),))
    )
    ((*_, text),) = read_plan_rows(data, StateRules(Masker(), ("a.b.size", "a.b.api_key"), b"k")).resources
    assert [item.get("after") for item in json.loads(text)] == ['"large"', None, None]


def test_what_is_private_stays_private(estate: Estate) -> None:
    estate.ask("SELECT * FROM stacks")
    path = estate.repo.root / ".infra" / "cache" / NAME
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_broken_file_is_made_anew(estate: Estate) -> None:
    estate.ask("SELECT * FROM stacks")
    path = estate.repo.root / ".infra" / "cache" / NAME
    path.write_bytes(b"no database" * 1000)
    assert len(estate.ask("SELECT * FROM stacks")) == 3
    elsewhere = estate.repo.root / "elsewhere"
    path.rename(elsewhere)
    before = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    assert len(estate.ask("SELECT * FROM stacks")) == 3
    assert elsewhere.read_bytes() == before
    assert not path.is_symlink()


def test_other_rules_of_masking_make_it_anew(estate: Estate) -> None:
    estate.save_state("dev/net", state_of(("google_storage_bucket.b", {"pin": "1234", "name": "b"})))
    sql = "SELECT path, hidden FROM attributes ORDER BY path"
    assert estate.ask(sql) == [("name", 0), ("pin", 0)]
    (estate.repo.root / "infra.yaml").write_text(FILES["infra.yaml"] + "masking: {names: [pin]}\n")
    assert estate.ask(sql) == [("name", 0), ("pin", 1)]


def test_code_is_read_again_when_a_file_changes(estate: Estate) -> None:
    sql = "SELECT source, target FROM edges"
    assert estate.ask(sql) == [("dev/net", "dev/app")]
    (estate.repo.root / "infra/envs/dev/app/main.tf").write_text('terraform {\n  backend "gcs" {}\n}\n')
    assert estate.ask(sql) == []
    assert estate.loads == 2


def test_an_environment_is_written_whole_or_not_at_all(estate: Estate) -> None:
    estate.apply("dev/net")
    with estate.session() as session:
        session.ask("SELECT * FROM stacks")
        with suppress(RuntimeError), session.dataset.transaction() as transaction:
            transaction.clear("ledger", "dev")
            raise RuntimeError
        assert session.connection.run("SELECT count(*) FROM stacks WHERE status = 'applied'").rows == [(1,)]


def test_another_repository_s_memory_is_not_visible(estate: Estate) -> None:
    marker = {
        "version": 1,
        "repository": {"id": "", "origin": "https://example.com/other", "first_commit": "x"},
    }
    estate.storage.write("repository.json", json.dumps(marker).encode())
    with estate.session() as session:
        session.ask("SELECT * FROM stacks")
        assert [hidden.name for hidden in session.hidden] == ["dev", "prod"]


def test_a_state_that_cannot_be_read_is_named(estate: Estate) -> None:
    estate.save_state("dev/net", b"no state")
    estate.save_state("dev/app", state_of(version=5))
    problems = {stack: problem for stack, problem in estate.ask("SELECT stack, problem FROM states")}  # noqa: C416
    assert problems["dev/net"] == "gs://states/dev/state/net/default.tfstate is not a Terraform state."
    assert "format 5" in str(problems["dev/app"])


def test_a_state_that_went_has_no_resources(estate: Estate) -> None:
    estate.save_state("dev/net", state_of(("a_b.c", {})))
    assert len(estate.ask("SELECT * FROM resources")) == 1
    estate.storage.delete("dev/state/net/default.tfstate")
    assert estate.ask("SELECT * FROM resources") == []


def test_each_refusal_of_a_bucket_is_one_environment_s(estate: Estate, tmp_path: Path) -> None:
    class ForbiddenStorage(MemoryStorage):
        """A bucket that refuses."""

        def list(self, prefix: str) -> list:  # type: ignore[type-arg]
            raise ForbiddenError("Google refused to list.", advice="Ask for a role.")

    estate.open_bucket = lambda name: ForbiddenStorage()
    with estate.session() as session:
        session.ask("SELECT * FROM stacks")
        assert {hidden.reason for hidden in session.hidden} == {"Google refused to list."}


def test_hostile_names_and_numbers_are_stored(estate: Estate) -> None:
    estate.repo.commit(message="evil \x1b[31m (#99999999999999999999999)")
    estate.save_state("dev/net", state_of(("a_b.c", {}), serial=2**70))
    estate.apply("dev/net", record={"pull_request": "#99999999999999999999", "subject": "\x00 half"})
    assert estate.ask("SELECT serial FROM states") == [(2**70,)]
    assert estate.ask("SELECT pull_request, subject FROM runs") == [(None, "\x00 half")]
    assert estate.ask("SELECT pull_request FROM commits WHERE subject LIKE 'evil%'") == [(None,)]
