"""Findings: put in order, accepted by infra.yaml, read from other linters and from a diff."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.process import Supervisor
from orchestrator.quality.code_folders import find_code_folders, find_top_folders
from orchestrator.quality.linters import LINTERS, Linter, find_linters, resolve_path, run_linter
from orchestrator.quality.linting import changed_lines, filter_accepted, locate, sort_findings
from orchestrator.repository.loading import load
from orchestrator.repository.model import Finding
from tests.conftest import MakeRepo

CONFIG = """
lint:
  ignore:
    - {rule: basic-role, path: "infra/modules/**", reason: It reads.}
    - {rule: "checkov:*", reason: Looked at.}
    - {rule: fmt, path: nowhere.tf, reason: Old.}
"""
DIFF = """\
infra/a.tf
--- old/infra/a.tf
+++ new/infra/a.tf
@@ -3,4 +3,4 @@
 one
 two
-  x=1
+  x = 1
@@ -20,2 +20,2 @@
-y=1
+y = 1
--- old/infra/b.tf
+++ new/infra/b.tf
@@ -1 +1 @@
-a=1
+a = 1
"""
SARIF = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "x", "rules": [{"id": "R1", "helpUri": "https://example.com/r1"}]}},
            "results": [
                {
                    "ruleId": "R1",
                    "level": "error",
                    "message": {"text": "Not good\nmore"},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "m/main.tf"},
                                "region": {"startLine": 4, "endLine": 9},
                            }
                        }
                    ],
                },
                {"ruleId": "R2", "level": "note", "message": {"text": "Nowhere"}},
            ],
        }
    ],
}


def finding(code: str, file: str | None = "infra/modules/a/main.tf", line: int | None = 1) -> Finding:
    """A finding that only its rule and place tell from others."""
    return Finding("error", code, "m", "", file, line)


def test_infra_yaml_accepts_by_rule_and_path(make_repo: MakeRepo) -> None:
    project = load(make_repo({"infra.yaml": CONFIG}).root)
    findings = [
        finding("basic-role"),
        finding("basic-role", "infra/envs/dev/main.tf"),
        finding("checkov:CKV_1", "x/y.tf"),
    ]

    remaining, accepted = filter_accepted(project, findings)

    assert [(finding.code, finding.file) for finding in remaining] == [
        ("basic-role", "infra/envs/dev/main.tf"),
        ("unused-ignore", "infra.yaml"),
    ]
    assert [(finding.code, why) for finding, why in accepted] == [
        ("basic-role", "It reads."),
        ("checkov:CKV_1", "Looked at."),
    ]
    assert "fmt in nowhere.tf" in remaining[1].message


def test_serious_ones_come_first_and_each_once() -> None:
    warning = Finding("warning", "w", "m", "", "a.tf", 1)
    early = finding("e", "a.tf", 9)

    assert sort_findings([warning, finding("e", "b.tf"), early, early]) == (
        early,
        finding("e", "b.tf"),
        warning,
    )


def test_a_finding_about_a_folder_stands_in_its_first_file(make_repo: MakeRepo) -> None:
    project = load(make_repo({"infra/envs/dev/b.tf": "", "infra/envs/dev/a.tf": ""}).root)

    assert locate(project, finding("x", "infra/envs/dev", None)).file == "infra/envs/dev/a.tf"
    assert locate(project, finding("x", "infra.yaml", None)).line == 1
    assert locate(project, finding("x", None, None)).line is None


def test_a_diff_gives_the_first_line_that_changes() -> None:
    assert list(changed_lines(DIFF)) == [("infra/a.tf", 5), ("infra/b.tf", 1)]
    assert list(changed_lines("")) == []


def test_the_folders_that_are_linted(make_repo: MakeRepo) -> None:
    files = {
        "infra/modules/a/main.tf": "",
        "infra/modules/a/examples/full/main.tf": "",
        "infra/modules/a/tests/setup/main.tf": "",
        "infra/modules/a/.terraform/modules/x/main.tf": "",
        "infra/envs/dev/net/main.tf": "",
        "infra/bootstrap/main.tf": "",
        "elsewhere/main.tf": "",
    }
    project = load(make_repo(files).root)

    assert find_top_folders(project) == ("infra/bootstrap", "infra/envs", "infra/modules")
    assert [(code_folder.path, code_folder.kind) for code_folder in find_code_folders(project)] == [
        ("infra/bootstrap", "root"),
        ("infra/envs/dev/net", "root"),
        ("infra/modules/a", "module"),
        ("infra/modules/a/examples/full", "example"),
        ("infra/modules/a/tests/setup", "helper"),
    ]


def installed(folder: Path, tool: Linter, text: str) -> str:
    """A program of the tool's name that writes `text` where the tool writes its report."""
    folder.mkdir(exist_ok=True)
    data = folder / "report"
    data.write_text(text)
    program = folder / tool.name
    target = f'"${{last}}/{tool.report}"' if tool.name == "checkov" else "/dev/stdout"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\ncat "{data}" > {target}\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(("name", "severity"), [("tflint", "error"), ("checkov", "warning")])
def test_what_another_linter_reports_is_a_finding(tmp_path: Path, name: str, severity: str) -> None:
    tool = next(tool for tool in LINTERS if tool.name == name)
    program = installed(tmp_path / "bin", tool, json.dumps(SARIF))
    (tmp_path / "infra" / "m").mkdir(parents=True)
    (tmp_path / "infra" / "m" / "main.tf").touch()

    findings = list(run_linter(Supervisor(), tmp_path, ["infra"], os.environ, tool, program))

    assert [
        (finding.severity, finding.code, finding.message, finding.file, finding.line) for finding in findings
    ] == [
        (severity, f"{name}:R1", "Not good", "infra/m/main.tf", 4),
        ("warning" if name == "checkov" else "info", f"{name}:R2", "Nowhere", "infra", 1),
    ]
    assert findings[0].advice == "https://example.com/r1"


def test_a_linter_that_does_not_work_is_a_finding(tmp_path: Path) -> None:
    tool = next(tool for tool in LINTERS if tool.name == "tflint")
    program = installed(tmp_path, tool, "panic: no plugins")

    (only_finding,) = run_linter(Supervisor(), tmp_path, ["."], os.environ, tool, program)

    assert (only_finding.severity, only_finding.code) == ("error", "tflint-failed")
    assert "panic: no plugins" in only_finding.message


def test_only_linters_on_path_take_part(tmp_path: Path) -> None:
    program = installed(tmp_path, LINTERS[0], "")

    assert find_linters({"PATH": str(tmp_path)}) == [(LINTERS[0], program)]
    assert find_linters({"PATH": str(tmp_path / "empty")}) == []


def test_files_are_named_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "main.tf").touch()

    assert resolve_path("infra/main.tf", tmp_path, "infra") == "infra/main.tf"
    assert resolve_path("main.tf", tmp_path, "infra") == "infra/main.tf"
    assert resolve_path(f"file://{tmp_path}/infra/main.tf", tmp_path, "infra") == "infra/main.tf"
