"""What the ledger says, as JSON: round trips, older and newer forms, what fits into the metadata."""

from __future__ import annotations

import json

import pytest

from orchestrator.errors import StateError
from orchestrator.state.records import (
    LedgerEntry,
    Operation,
    RunRecord,
    StackRecord,
    base_commit,
    decode_entry,
    decode_run,
    encode_entry,
    encode_run,
    entry_metadata,
    entry_of_metadata,
    run_metadata,
    run_of_metadata,
    short_commit,
)

OPERATION = Operation("R1", "apply", "applying", "ada", "desk", "c2", host="desk/1", pid=7, started="2026")
ENTRY = LedgerEntry(
    "dev/net",
    commit="c1",
    fingerprint="f",
    upstreams={"dev/base": "h"},
    author="Ada",
    subject="Grüße",
    result="applied",
    serial=4,
    operation=OPERATION,
    break_glass="alert 4711",
)
RUN = RunRecord(
    "R1", "apply", "local", "c1", "ada", "2026", 1.5, {"dev/net": StackRecord("applied", {"create": 1})}
)

# The first form that was ever written; it has to stay readable.
FIRST = b'{"version": 1, "stack": "dev/net", "commit": "c1", "result": "applied"}'


def test_an_entry_comes_back_as_it_was() -> None:
    assert decode_entry(encode_entry(ENTRY), "x") == ENTRY
    assert entry_of_metadata(entry_metadata(ENTRY), "x") == ENTRY
    assert entry_of_metadata({"heartbeat": "now"}, "x") is None


def test_a_run_comes_back_as_it_was() -> None:
    assert decode_run(encode_run(RUN), "x") == RUN
    assert run_of_metadata(run_metadata(RUN), "x") == RUN


def test_what_lacks_fields_of_today_is_read() -> None:
    assert decode_entry(FIRST, "x") == LedgerEntry("dev/net", commit="c1", result="applied")


def test_what_has_fields_of_tomorrow_is_read() -> None:
    content = json.loads(encode_entry(ENTRY))
    content["colour"] = "blue"
    content["operation"]["colour"] = "blue"
    assert decode_entry(json.dumps(content).encode(), "x") == ENTRY


@pytest.mark.parametrize("decode", [decode_entry, decode_run])
def test_a_newer_version_is_refused_with_advice(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(StateError, match=r"x has version 2; this infra knows up to 1\.") as error:
        decode(b'{"version": 2}', "x")
    assert "upgrade" in error.value.advice


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"version": 1}', b'{"version": "1"}', b"\xff"])
def test_what_is_no_entry_is_reported(data: bytes) -> None:
    with pytest.raises(StateError, match="is not a ledger object"):
        decode_entry(data, "x")


def test_what_does_not_fit_into_the_metadata_is_left_out_of_it() -> None:
    many = {f"dev/{number}": "0" * 64 for number in range(200)}
    large = LedgerEntry("dev/net", upstreams=many)
    assert entry_metadata(large) == {}
    assert decode_entry(encode_entry(large), "x").upstreams == many
    (text,) = entry_metadata(LedgerEntry("dev/net", subject="ü" * 5000)).values()
    assert text.isascii()
    assert len(text) < 7000


@pytest.mark.parametrize(
    ("entry", "unfinished"),
    [
        (LedgerEntry("s"), False),
        (LedgerEntry("s", result="failed"), False),
        (LedgerEntry("s", result="interrupted"), True),
        (LedgerEntry("s", operation=OPERATION), True),
        (LedgerEntry("s", operation=Operation("R", "apply", "planned", "a", "b", "c")), False),
    ],
)
def test_what_is_unfinished(entry: LedgerEntry, unfinished: bool) -> None:
    assert entry.is_unfinished is unfinished


def test_a_commit_with_changes_of_its_own_is_distinguished() -> None:
    recorded = f"{'c' * 40}+uncommitted"
    assert (base_commit(recorded), base_commit("c" * 40)) == ("c" * 40, "c" * 40)
    assert (short_commit(recorded), short_commit("c" * 40)) == ("cccccccccc+uncommitted", "cccccccccc")
