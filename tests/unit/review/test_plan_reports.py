"""What one job hands to another: read back as it was, and nothing believed of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.report.model import StackReport
from orchestrator.report.review import EnvironmentRules, PlanReview, StackReview
from orchestrator.repository.model import Finding
from orchestrator.review.plan_reports import (
    CollectedReports,
    PlanReport,
    may_report_on,
    read_reports,
    write_report,
)

STACK = StackReview(
    StackReport(
        "dev/net",
        "dev",
        "changed",
        changes=({"address": "a.b", "attributes": [{"path": "x", "after": None}]},),
        outputs=("x",),
        diagnostics=({"severity": "error", "line": 3},),
        findings=(Finding("warning", "destroy", "It goes."),),
    ),
    "new",
    (("a.tf", "dev/net"),),
    ("dev/up",),
    drift=({"address": "c.d"},),
    findings=(Finding("error", "rule", "No.", "Do not.", "a.tf", 3, "dev/net"),),
    object="dev/plans/1/h/net/9-1.json",
    sha256="f" * 64,
)
REVIEW = PlanReview(
    repository="acme/infra",
    pull_request=1,
    title="ü",
    author="ada",
    head="a" * 40,
    commit="b" * 40,
    base="c" * 40,
    trunk="main",
    environments=(EnvironmentRules("dev", protected=False), EnvironmentRules("prod", protected=True)),
    stacks=(STACK,),
    run="9-1",
)
REPORT = PlanReport(("dev",), "2/3", "", ("dev/net", "dev/app"), REVIEW)


def test_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = write_report(tmp_path / "made", REPORT)
    assert path.name == "plan-dev-2.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_reports([tmp_path]) == CollectedReports((REPORT,))


def test_parts_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for shard in ("1/3", "2/3", ""):
        write_report(tmp_path / shard.replace("/", "-"), PlanReport(("dev",), shard, "", (), REVIEW))
    write_report(tmp_path, PlanReport(("dev", "prod"), "", "", (), REVIEW))
    assert len(read_reports([tmp_path]).reports) == 4


def broken(change: Any) -> Any:
    document = json.loads(json.dumps({"version": 1, "kind": "plan", **_plain()}))
    change(document)
    return document


def _plain() -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(REPORT)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(version=2),
        lambda document: document.pop("review"),
        lambda document: document["review"].update(head=7),
        lambda document: document["review"].update(pull_request="1"),
        lambda document: document["review"]["stacks"][0].update(change="invented"),
        lambda document: document["review"]["stacks"][0]["report"].update(result="fine"),
        lambda document: document["review"]["stacks"][0]["report"].update(counts=[]),
        lambda document: document["review"].update(stacks={}),
        lambda document: document["review"]["stacks"].append(None),
        lambda document: document.update(expected="dev/net"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, change: Any) -> None:
    (tmp_path / "plan-dev-1.json").write_text(json.dumps(broken(change)))
    write_report(tmp_path / "infra-plan-prod-0", REPORT)
    reports = read_reports([tmp_path])
    assert [report.artifact for report in reports.reports] == ["infra-plan-prod-0"]
    assert "no report that can be read" in reports.notes[0]


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"version": 1}', "\x00"])
def test_what_is_no_document_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan-dev-1.json").write_text(text)
    write_report(tmp_path / "infra-plan-prod-0", REPORT)
    reports = read_reports([tmp_path])
    assert [report.artifact for report in reports.reports] == ["infra-plan-prod-0"]
    assert "no report that can be read" in reports.notes[0]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "plan-dev-1.json").symlink_to(secret)
    assert read_reports([folder]).reports == ()
    with pytest.raises(UsageError, match="no folder"):
        read_reports([tmp_path / "none"])


@pytest.mark.parametrize(
    ("artifact", "speaks"),
    [
        ("", True),
        ("reports-of-mine", True),
        ("infra-plan-prod-eu-0", True),
        ("infra-apply-prod-eu", True),
        ("infra-compare-prod-eu", True),
        ("infra-plan-prod-eu", False),
        ("infra-plan-prod-eu-x", False),
        ("infra-plan-eu-0", False),
        ("infra-matrix", False),
        ("infra-prod-eu", False),
    ],
)
def test_an_artifact_of_our_workflows_speaks_for_its_environment(artifact: str, speaks: bool) -> None:
    assert may_report_on(artifact, "prod-eu") is speaks
