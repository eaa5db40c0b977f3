"""A journal against a state: what was made and is not known, what may exist, what needs nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.engine.import_ids import import_ids
from orchestrator.engine.orphans import PlannedResource, compare, instances, planned_line, reduce_line

NETWORK = "google_compute_network"
PATH = "projects/p/global/networks/main"


def line(kind: str, address: str, action: str = "create", identity: str = "", type_: str = NETWORK) -> bytes:
    hook: dict[str, Any] = {
        "resource": {"addr": address, "resource_type": type_, "resource_name": "x", "module": ""},
        "action": action,
    }
    if identity:
        hook |= {"id_key": "id", "id_value": identity}
    return json.dumps({"@message": f"{address}: secret words", "type": kind, "hook": hook}).encode()


def created(address: str, identity: str = PATH, **more: str) -> list[bytes]:
    return [line("apply_start", address, **more), line("apply_complete", address, identity=identity, **more)]


def state(*resources: dict[str, Any]) -> bytes:
    return json.dumps({"version": 4, "resources": resources}).encode()


def resource(name: str, *, identity: str = PATH, key: object = None, module: str = "") -> dict[str, Any]:
    instance: dict[str, Any] = {"attributes": {"id": identity}}
    if key is not None:
        instance["index_key"] = key
    recorded = {"mode": "managed", "type": NETWORK, "name": name, "instances": [instance]}
    return {**recorded, "module": module} if module else recorded


def test_what_the_state_knows_is_no_orphan() -> None:
    orphan_report = compare(created(f"{NETWORK}.main"), state(resource("main")), import_ids())
    assert orphan_report.is_clean
    assert not orphan_report.recreated


def test_what_was_made_and_is_in_no_state_is_missing_with_its_import_id() -> None:
    for there in (None, state()):
        orphan_report = compare(created(f"{NETWORK}.main"), there, import_ids())
        assert [(orphan.address, orphan.import_id, orphan.certain) for orphan in orphan_report.missing] == [
            (f"{NETWORK}.main", PATH, True)
        ]


def test_what_was_begun_may_exist_under_its_planned_name() -> None:
    address = f"{NETWORK}.main"
    planned = planned_line(address, PlannedResource(NETWORK, {"name": "main", "project": "p"}))
    orphan_report = compare([planned, line("apply_start", address)], None, import_ids())
    (orphan,) = orphan_report.maybe
    assert (orphan.name, orphan.import_id, orphan.certain) == ("main", PATH, False)
    assert str(orphan) == f"{address} (main)"


def test_without_planned_attributes_the_import_id_is_unknown() -> None:
    (orphan,) = compare([line("apply_start", f"{NETWORK}.main")], None, import_ids()).maybe
    assert orphan.import_id == ""


def test_what_could_not_be_made_may_exist_but_is_not_taken() -> None:
    address = f"{NETWORK}.main"
    planned = planned_line(address, PlannedResource(NETWORK, {"name": "main", "project": "p"}))
    lines = [planned, line("apply_start", address), line("apply_errored", address)]
    (orphan,) = compare(lines, None, import_ids()).maybe
    assert orphan.import_id == ""


def test_what_an_earlier_attempt_began_is_looked_up_although_a_later_one_was_refused() -> None:
    """A resume whose import was refused creates again, and is told that the object exists: it is ours."""
    address = f"{NETWORK}.main"
    planned = planned_line(address, PlannedResource(NETWORK, {"name": "main", "project": "p"}))
    begun, refused = line("apply_start", address), line("apply_errored", address)
    (orphan,) = compare([planned, begun, planned, begun, refused], None, import_ids()).maybe
    assert orphan.import_id == PATH
    (orphan,) = compare([planned, begun, planned, begun, refused, begun, refused], None, import_ids()).maybe
    assert orphan.import_id == PATH
    # Refused at first, and again: it is perhaps somebody else's.
    (orphan,) = compare([planned, begun, refused, begun, refused], None, import_ids()).maybe
    assert orphan.import_id == ""


def test_what_was_made_and_deleted_again_is_gone() -> None:
    address = f"{NETWORK}.main"
    lines = [*created(address), line("apply_complete", address, "delete")]
    assert compare(lines, None, import_ids()).is_clean


def test_updates_and_deletes_that_were_not_finished_need_nothing() -> None:
    lines = [line("apply_start", f"{NETWORK}.a", "update"), line("apply_start", f"{NETWORK}.b", "delete")]
    assert compare(lines, None, import_ids()).is_clean


def test_an_address_in_the_state_is_known_whatever_its_id_is_there() -> None:
    """An attachment that was imported has another `id` than the one that was created."""
    assert compare(created(f"{NETWORK}.main", "random-1"), state(resource("main")), import_ids()).is_clean


def deleted(address: str, identity: str) -> list[bytes]:
    """A delete as Terraform tells it: the id stands in its first line only."""
    start = json.loads(line("apply_start", address, "delete", identity))
    return [json.dumps(start).encode(), line("apply_complete", address, "delete")]


def test_a_state_that_has_the_deleted_object_does_not_know_its_replacement() -> None:
    address = f"{NETWORK}.main"
    lines = [*deleted(address, PATH), *created(address, "new-id")]
    (orphan,) = compare(lines, state(resource("main")), import_ids()).missing
    assert (orphan.id, orphan.import_id, orphan.replaced) == ("new-id", "new-id", PATH)


def test_a_replacement_that_was_only_begun_is_looked_for() -> None:
    address = f"{NETWORK}.main"
    planned = planned_line(address, PlannedResource(NETWORK, {"name": "main", "project": "p"}, PATH))
    lines = [planned, *deleted(address, PATH), line("apply_start", address)]
    (orphan,) = compare(lines, state(resource("main")), import_ids()).maybe
    assert (orphan.import_id, orphan.replaced) == (PATH, PATH)


def test_a_replacement_created_first_leaves_two_objects_for_one_address() -> None:
    address = f"{NETWORK}.main"
    planned = planned_line(address, PlannedResource(NETWORK, {}, PATH))
    orphan_report = compare([planned, *created(address, "new-id")], state(resource("main")), import_ids())
    assert [(orphan.id, orphan.replaced, orphan.import_id) for orphan in orphan_report.doubled] == [
        ("new-id", PATH, "")
    ]
    assert not orphan_report.is_clean


def test_deleting_the_replaced_object_leaves_the_created_one_alone() -> None:
    address = f"{NETWORK}.main"
    lines = [*created(address, "new-id"), *deleted(address, PATH)]
    assert [orphan.id for orphan in compare(lines, None, import_ids()).missing] == ["new-id"]
    assert [orphan.id for orphan in compare(lines, state(resource("main")), import_ids()).missing] == [
        "new-id"
    ]


def error(address: str, summary: str, detail: str = "") -> bytes:
    diagnostic = {"severity": "error", "summary": summary, "detail": detail, "address": address}
    return json.dumps({"type": "diagnostic", "diagnostic": diagnostic}).encode()


@pytest.mark.parametrize(
    ("summary", "detail", "is_lost"),
    [
        ("Plugin did not respond", "The plugin encountered an error, and failed to respond", True),
        ("Request cancelled", "The plugin.(*GRPCProvider).ApplyResourceChange request was cancelled.", True),
        ('Post "https://x/y": EOF', "", True),
        (
            "creating SQS Queue (q): operation error SQS: CreateQueue, read: connection reset by peer",
            "",
            True,
        ),
        ("Error creating Network: googleapi: Error 503: backend error", "", True),
        ("operation error IAM: CreateRole, https response error StatusCode: 500, RequestID: 1", "", True),
        ("Error waiting for creation: timeout while waiting for state to become 'DONE'", "", True),
        ("Error creating Network: googleapi: Error 409: already exists, alreadyExists", "", False),
        ("Error creating Network: googleapi: Error 403: permission denied on p-5003", "", False),
        ("Provider produced inconsistent result after apply", "", False),
    ],
)
def test_a_lost_answer_leaves_an_orphan_as_a_kill_does(summary: str, detail: str, is_lost: bool) -> None:
    address = f"{NETWORK}.main"
    planned = planned_line(address, PlannedResource(NETWORK, {"name": "main", "project": "p"}))
    lines = [planned, line("apply_start", address), line("apply_errored", address)]
    lines.append(error(address, summary, detail))
    for journal in (
        lines,
        [planned, *(journal_line for journal_line in map(reduce_line, lines) if journal_line)],
    ):
        orphan_report = compare(journal, None, import_ids())
        assert [orphan.import_id for orphan in orphan_report.maybe] == [PATH if is_lost else ""]
        assert bool(orphan_report.unanswered) is is_lost


def test_what_the_state_knows_was_not_lost_with_its_answer() -> None:
    address = f"{NETWORK}.main"
    lines = [line("apply_start", address), line("apply_errored", address), error(address, "EOF")]
    assert not compare(lines, state(resource("main")), import_ids()).unanswered


def test_what_is_forgotten_is_in_no_list() -> None:
    lines = [*created(f"{NETWORK}.a"), line("apply_start", f"{NETWORK}.b")]
    orphan_report = compare(lines, None, import_ids())
    assert [orphan.address for orphan in orphan_report.without([f"{NETWORK}.a"]).orphans] == [f"{NETWORK}.b"]


def test_additive_members_and_what_lives_in_the_state_alone_are_made_again() -> None:
    member = "google_project_iam_member"
    lines = [
        *created(f"{member}.viewer", "p/roles/viewer/user:a@b.c", type_=member),
        *created("terraform_data.x", "1", type_="terraform_data"),
    ]
    orphan_report = compare(lines, None, import_ids())
    assert orphan_report.recreated == (f"{member}.viewer", "terraform_data.x")
    assert orphan_report.is_clean


def test_where_the_journals_end_may_be_lost_all_that_was_planned_may_exist() -> None:
    lines = [
        planned_line(f"{NETWORK}.{name}", PlannedResource(NETWORK, {"name": name}))
        for name in ("a", "b", "c")
    ]
    lines += created(f"{NETWORK}.a")
    assert compare(lines, state(resource("b"), resource("a")), import_ids()).is_clean
    orphan_report = compare(lines, state(resource("b")), import_ids(), is_complete=False)
    assert [orphan.address for orphan in orphan_report.missing] == [f"{NETWORK}.a"]
    assert [(orphan.address, orphan.begun) for orphan in orphan_report.maybe] == [(f"{NETWORK}.c", False)]


def test_torn_and_foreign_lines_are_passed_over() -> None:
    lines = [b"", b"not json", b"[1]", b'{"type": "apply_start"', *created(f"{NETWORK}.main")]
    assert len(compare(lines, None, import_ids()).missing) == 1


def test_addresses_are_written_as_terraform_writes_them() -> None:
    recorded = instances(
        state(
            resource("plain"),
            resource("counted", key=2),
            resource("keyed", key='a "b" ${c}'),
            resource("deep", module='module.a["x.y"].module.b', key="k"),
        )
    )
    assert list(recorded) == [
        f"{NETWORK}.plain",
        f"{NETWORK}.counted[2]",
        f'{NETWORK}.keyed["a \\"b\\" $${{c}}"]',
        f'module.a["x.y"].module.b.{NETWORK}.deep["k"]',
    ]


def test_only_type_address_action_and_id_leave_the_machine() -> None:
    reduced = reduce_line(created(f"{NETWORK}.main")[1])
    assert reduced is not None
    assert b"secret" not in reduced
    assert json.loads(reduced) == {
        "type": "apply_complete",
        "hook": {
            "resource": {"addr": f"{NETWORK}.main", "resource_type": NETWORK},
            "action": "create",
            "id_key": "id",
            "id_value": PATH,
        },
    }
    assert reduce_line(b'{"type": "outputs", "outputs": {"x": {"value": "secret"}}}') is None
    assert reduce_line(b"torn {") is None


@pytest.mark.parametrize(
    ("type_", "id_value", "leaves"),
    [
        (NETWORK, PATH, True),
        ("random_password", "none", False),
        ("terraform_data", "0b3d", False),
        (NETWORK, "ghp_0123456789abcdefghijklmnopqrstuvwxyz", False),
    ],
)
def test_an_id_leaves_only_to_import_by_and_when_it_is_no_secret(
    type_: str, id_value: str, leaves: bool
) -> None:
    hook = {"resource": {"addr": f"{type_}.x", "resource_type": type_}, "action": "create"}
    document = {"type": "apply_complete", "hook": {**hook, "id_key": "id", "id_value": id_value}}
    reduced = reduce_line(json.dumps(document).encode())
    assert reduced is not None
    assert json.loads(reduced)["hook"] == (document["hook"] if leaves else hook)


def test_a_reduced_journal_reports_the_same() -> None:
    lines = [*created(f"{NETWORK}.a"), line("apply_start", f"{NETWORK}.b")]
    less = [journal_line for journal_line in map(reduce_line, lines) if journal_line]
    assert compare(less, None, import_ids()) == compare(lines, None, import_ids())
