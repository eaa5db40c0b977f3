"""Journals and diagnostics, from lines that real applies wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.terraform.diagnostics import (
    diagnostic_from_json,
    diagnostics_from_text,
    first_error,
    init_required,
    lock_holder,
)
from orchestrator.terraform.init import init_progress
from orchestrator.terraform.journal import event_text, read_journal
from orchestrator.terraform.model import AppliedResource, ApplyOutcome
from orchestrator.terraform.plan_text import progress_text, without_progress


def hook(kind: str, address: str, action: str = "create", **more: Any) -> bytes:
    resource = {"addr": address, "resource_type": "terraform_data"}
    return json.dumps({"type": kind, "hook": {"resource": resource, "action": action, **more}}).encode()


LINES = [
    b'{"@level":"info","@message":"Terraform 1.11.4","type":"version","ui":"1.2"}',
    hook("apply_start", "a.one"),
    hook("apply_complete", "a.one", id_key="id", id_value="i-1", elapsed_seconds=0),
    hook("apply_start", "a.two", "update"),
    hook("apply_start", 'a.three["x y"]', "delete"),
    hook("apply_errored", "a.two", "update"),
]


def test_a_journal_cut_short_reports_what_is_known() -> None:
    journal = read_journal([*LINES, b'{"type":"apply_comp'])
    assert [(applied.address, applied.id_value) for applied in journal.finished] == [("a.one", "i-1")]
    assert journal.failed == ["a.two"]
    assert journal.unfinished == ('a.three["x y"]',)
    assert journal.count("add", "create") == 1
    assert journal.count("remove", "delete") == 0
    assert journal.outputs is None


def test_what_is_repeated_is_reported_once() -> None:
    halted = {"severity": "error", "summary": "execution halted", "detail": ""}
    other = {**halted, "detail": "for another reason"}
    lines = [
        json.dumps({"type": "diagnostic", "diagnostic": message}).encode()
        for message in (halted, halted, other)
    ]

    assert [diagnostic.detail for diagnostic in read_journal(lines).diagnostics] == ["", "for another reason"]


def test_the_summary_counts_when_there_is_one() -> None:
    planned = {"add": 9, "change": 9, "remove": 9, "operation": "plan"}
    applied = {"add": 1, "change": 2, "remove": 3, "import": 4, "operation": "apply"}
    lines = [json.dumps({"type": "change_summary", "changes": c}).encode() for c in (planned, applied)]
    journal = read_journal([*LINES, *lines])
    assert [journal.count(n, "x") for n in ("add", "change", "remove", "import")] == [1, 2, 3, 4]


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"type":"apply_start"}'])
def test_strange_lines_are_passed_over(line: bytes) -> None:
    journal = read_journal([line, *LINES])
    assert [applied.address for applied in journal.finished] == ["a.one"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (LINES[1], "creating a.one"),
        (LINES[2], "created a.one"),
        (LINES[3], "changing a.two"),
        (LINES[4], 'destroying a.three["x y"]'),
        (LINES[5], None),
        (LINES[0], None),
        (b'{"type":"apply_', None),
    ],
)
def test_events_are_reported_without_values(line: bytes, text: str | None) -> None:
    assert event_text(line) == text


def test_a_diagnostic_keeps_its_location_and_code() -> None:
    diagnostic = diagnostic_from_json(
        {
            "severity": "error",
            "summary": "local-exec provisioner error",
            "detail": "exit status 3",
            "address": "a.bad",
            "range": {"filename": "main.tf", "start": {"line": 5, "column": 3, "byte": 9}},
            "snippet": {"context": 'resource "a" "bad"', "code": '  provisioner "local-exec" {'},
        }
    )
    assert (diagnostic.address, diagnostic.file, diagnostic.line) == ("a.bad", "main.tf", 5)
    assert diagnostic.snippet == '  provisioner "local-exec" {'
    assert diagnostic_from_json({"summary": "x"}).severity == "error"


FAILED = """
Error: Reference to undeclared input variable

  on ../../modules/net/main.tf line 12, in resource "a" "b":
  12:   input = var.no

An input variable with the name "no" has not been declared.

Error: Unsupported argument
"""

BOXED = """╷
│ Error: Required plugins are not installed
│
│ The installed provider plugins are not consistent
╵"""


def test_text_becomes_diagnostics_without_their_frame() -> None:
    first, second = diagnostics_from_text(FAILED)
    assert (first.summary, first.file, first.line) == (
        "Reference to undeclared input variable",
        "../../modules/net/main.tf",
        12,
    )
    assert second.summary == "Unsupported argument"
    assert not any(sign in f"{first.detail}{second.detail}" for sign in "╷│╵")
    assert first.summary not in first.detail


def test_text_is_preserved() -> None:
    text = """starting

Warning: Old thing

Use the new one.

Error: Bad

  with module.a.x.y["k"],
  on ../m.tf line 3, in resource "x" "y":
   3:   z = var.z
    ├────────────────
    │ var.z is "a"

It says
Error: not a diagnostic of its own
and goes on.

Error: Alone
"""
    warning, bad, alone, before = diagnostics_from_text(text)
    assert (warning.severity, warning.summary, warning.detail) == ("warning", "Old thing", "Use the new one.")
    assert (bad.address, bad.file, bad.line) == ('module.a.x.y["k"]', "../m.tf", 3)
    assert bad.detail.splitlines()[:2] == ['in resource "x" "y":', "   3:   z = var.z"]
    assert 'var.z is "a"' in bad.detail
    assert bad.detail.endswith("Error: not a diagnostic of its own\nand goes on.")
    assert (alone.summary, alone.detail) == ("Alone", "")
    assert before.summary == "starting"


def test_text_without_a_diagnostic_is_one() -> None:
    (panic,) = diagnostics_from_text("panic: oh\nmore")
    assert (panic.summary, panic.detail) == ("panic: oh", "more")
    assert diagnostics_from_text("")[0].summary == "Terraform failed without a message"
    assert first_error(diagnostics_from_text("Warning: w\n\nw\n\nError: e\n\ne")).summary == "e"


@pytest.mark.parametrize(
    ("text", "required"),
    [
        (BOXED, True),
        ('Error: Backend initialization required, please run "terraform init"', True),
        ('Error: Backend initialization required: please run "tofu init"', True),
        ("Error: Module not installed", True),
        ("Error: Inconsistent dependency lock file", True),
        ("Error: Unsupported argument\n\nModule not installed", False),
        (FAILED, False),
    ],
)
def test_when_init_is_requested(text: str, required: bool) -> None:
    assert init_required(text) is required


LOCKED = """
Error: Error acquiring the state lock

Error message: writing "gs://b/dev/default.tflock" failed: googleapi: Error
412: At least one of the pre-conditions you specified did not hold.
Lock Info:
  ID:        1732350000000000
  Path:      gs://b/dev/default.tflock
  Operation: OperationTypeApply
  Who:       ada@laptop
  Version:   1.11.4
  Created:   2026-11-01 10:00:00 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
"""


def test_the_holder_of_a_lock_is_read_from_its_block() -> None:
    holder = lock_holder(LOCKED)
    assert holder is not None
    assert (holder.id, holder.who, holder.info) == ("1732350000000000", "ada@laptop", "")
    assert str(holder) == "ada@laptop since 2026-11-01 10:00:00 +0000 UTC (OperationTypeApply)"
    boxed = lock_holder("\n".join(f"│ {line}" for line in LOCKED.splitlines()))
    assert boxed == holder
    assert lock_holder(FAILED) is None


def test_a_lock_that_went_meanwhile_was_held_by_somebody() -> None:
    holder = lock_holder(
        "Error: Error acquiring the state lock\n\nError message: 2 errors occurred:\n"
        "  * writing failed: googleapi: Error 412: conditionNotMet\n  * storage: object doesn't exist"
    )
    assert str(holder) == "somebody"


def test_a_lock_that_may_not_be_written_is_held_by_nobody() -> None:
    assert lock_holder("Error: Error acquiring the state lock\n\nError message: 403 Forbidden") is None


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'a.b["x y"]: Refreshing state... [id=secret-id]', 'refreshing a.b["x y"]'),
        (b"data.a.b: Reading...", "reading data.a.b"),
        (b"data.a.b: Still reading... [10s elapsed]", "still reading data.a.b"),
        (b"data.a.b: Read complete after 1s [id=x]", None),
        (b"  # a.b will be created", None),
    ],
)
def test_progress_of_a_plan(line: bytes, text: str | None) -> None:
    assert progress_text(line) == text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("- Installing hashicorp/google v7.45.0...", "installing hashicorp/google v7.45.0"),
        ('- Finding acme/x versions matching "~> 7.0"...', 'finding acme/x versions matching "~> 7.0"'),
        ("- Finding latest version of acme/x...", "finding latest version of acme/x"),
        ("Downloading git::https://me:s3cr3t@example.com/m.git for net.vpc...", "downloading module net.vpc"),
        ("- Installed hashicorp/google v7.45.0 (signed by HashiCorp)", None),
        ("Initializing the backend...", None),
    ],
)
def test_progress_of_an_init(line: str, text: str | None) -> None:
    assert init_progress(line) == text


def test_the_diff_starts_after_the_progress() -> None:
    text = b"a.b: Refreshing state... [id=1]\ndata.c: Reading...\n\nTerraform will\n  x: Reading... \n"
    assert without_progress(text) == b"Terraform will\n  x: Reading... \n"
    assert without_progress(b"") == b""


def test_a_replace_that_was_finished_counts_once() -> None:
    """One replaced, one of which only the delete came about, one created and one updated."""
    finished = (
        AppliedResource("a.x", "delete"),
        AppliedResource("a.x", "create"),
        AppliedResource("a.y", "delete"),
        AppliedResource("a.z", "create"),
        AppliedResource("a.u", "update"),
        AppliedResource("data.a.d", "read"),
    )
    outcome = ApplyOutcome(
        False, 1, "exited", Path("journal"), created=2, updated=1, deleted=2, finished=finished
    )
    assert outcome.counts == {"create": 1, "update": 1, "replace": 1, "delete": 1, "import": 0}
