"""Tested modules as people and CI systems read them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from orchestrator.forge.github import workflow_commands as annotate
from orchestrator.report import modules_text
from orchestrator.report.model import RunInfo
from orchestrator.report.modules import CheckedModule, CheckedRun, ModuleProblem, ModulesReport
from tests.support.junit import check_junit

WRONG = ModuleProblem("Test assertion failed", "Not <this>.", "infra/modules/b/tests/b.tftest.hcl", 12)
REPORT = ModulesReport(
    RunInfo("r", "local", "c", "2026-01-02T03:04:05Z", 4.2),
    (
        CheckedModule(
            "infra/modules/a",
            "passed",
            seconds=1.25,
            runs=(CheckedRun("infra/modules/a/tests/a.tftest.hcl", "one", "pass", 0.5, 3),),
        ),
        CheckedModule(
            "infra/modules/b",
            "failed",
            "1 of 3 runs failed",
            seconds=2.0,
            runs=(
                CheckedRun("infra/modules/b/tests/b.tftest.hcl", "one", "pass", 0.5, 3),
                CheckedRun("infra/modules/b/tests/b.tftest.hcl", "two", "fail", 0.5, 9, (WRONG,)),
                CheckedRun("infra/modules/b/tests/b.tftest.hcl", "three", "skip", 0.0, 20),
            ),
        ),
        CheckedModule("infra/modules/c", "untested", "it has no tests", "Add some."),
        CheckedModule(
            "infra/modules/d",
            "passed",
            cached=True,
            runs=(CheckedRun("infra/modules/d/tests/d.tftest.hcl", "one", "pass", 0.1),),
        ),
    ),
    simulated=True,
    required=True,
    notes=("On simulated providers.",),
)
TEXT = """\
module           result    runs                                  time
infra/modules/b  failed    1 of 3 passed, 1 failed, 1 skipped   2.0 s  1 of 3 runs failed
infra/modules/c  untested                                              it has no tests
infra/modules/a  passed    1 of 1 passed                        1.2 s
infra/modules/d  passed    1 of 1 passed                       cached

── infra/modules/b: failed
infra/modules/b/tests/b.tftest.hcl:9: run 'two': fail
  infra/modules/b/tests/b.tftest.hcl:12: Test assertion failed
    Not <this>.

── infra/modules/c: untested
→ Add some.

On simulated providers.
4 modules, 5 runs: 1 failed, 1 untested, 2 passed in 4.2 s
"""


def test_a_table_then_what_went_wrong_then_the_verdict() -> None:
    assert "\n".join(modules_text.render_lines(REPORT)) + "\n" == TEXT


def test_equal_errors_are_shown_once() -> None:
    """A provider that cannot start fails each run, and each module, with the same words."""
    problem = ModuleProblem("Failed to load plugin schemas", "No such file.")
    runs = tuple(CheckedRun("t.tftest.hcl", name, "error", 0.1, 3, (problem, problem)) for name in ("a", "b"))
    broken = [
        CheckedModule(f"m/{name}", "failed", "2 of 2 runs failed", runs=runs, problems=(WRONG, WRONG))
        for name in ("one", "two")
    ]
    report = ModulesReport(REPORT.run, tuple(broken))

    text = "\n".join(modules_text.render_lines(report))

    assert text.count("Test assertion failed") == 1
    assert text.count("Failed to load plugin schemas") == 1
    assert "── m/one, m/two: failed\n" in text
    assert "t.tftest.hcl:3: run 'a': error\nt.tftest.hcl:3: run 'b': error\n  Failed to load" in text
    assert modules_text.render_markdown(report).count("Failed to load plugin schemas") == 1
    assert len(list(annotate.render_modules(report))) == 4


def test_nothing_to_test_states_what_would() -> None:
    assert list(modules_text.render_lines(ModulesReport(REPORT.run, ()))) == [
        "Nothing to test: no module differs from trunk. `infra test --all` tests every one."
    ]


def test_the_summary_is_a_markdown_table() -> None:
    text = modules_text.render_markdown(REPORT)

    assert "| infra/modules/c | untested |  |  | it has no tests |" in text
    assert text.count("```text") == text.count("```\n") == 2
    assert "Not <this>." in text


def test_junit_has_a_case_for_each_run_and_for_what_is_wrong_with_a_module() -> None:
    check_junit(modules_text.render_junit(REPORT))
    document = ElementTree.fromstring(modules_text.render_junit(REPORT))  # noqa: S314 - our own text

    assert document.attrib["tests"] == "6"
    assert document.attrib["failures"] == "2"
    suites = {suite.attrib["name"]: suite for suite in document}
    assert list(suites) == [module.id for module in REPORT.modules]
    failed = suites["infra/modules/b"]
    assert [failed.attrib[name] for name in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    case = failed.findall("testcase")[1]
    assert (case.attrib["name"], case.attrib["line"]) == ("two", "9")
    failure = case.find("failure")
    assert failure is not None
    assert failure.text
    assert "b.tftest.hcl:12: Test assertion failed\nNot <this>." in failure.text
    assert failed.findall("testcase")[2].find("skipped") is not None
    assert [case.attrib["name"] for case in suites["infra/modules/c"]] == ["untested"]


def test_what_xml_cannot_hold_is_replaced() -> None:
    bad = CheckedModule("m", "failed", 'a\x1b[31m\x00 & "b"')
    text = modules_text.render_junit(ModulesReport(REPORT.run, (bad,)))

    assert ElementTree.fromstring(text)[0][0][0].attrib["message"] == 'a?[31m? & "b"'  # noqa: S314


def test_annotations_stand_on_the_failing_line() -> None:
    assert list(annotate.render_modules(REPORT)) == [
        "::error file=infra/modules/b/tests/b.tftest.hcl,line=12,title=infra/modules/b::"
        "Test assertion failed%0ANot <this>.",
        "::error file=infra/modules/c,title=infra/modules/c::it has no tests",
    ]
    assert (
        annotate.render_annotation("error", "100%", "a,b:c", 1, "") == "::error file=a%2Cb%3Ac,line=1::100%25"
    )


def test_a_saved_result_is_the_one_that_was_saved() -> None:
    for module in REPORT.modules:
        assert CheckedModule.of(json.loads(json.dumps(module.document()))) == module


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((), 0),
        (("passed",), 0),
        (("passed", "failed"), 1),
        (("untested",), 1),
        (("hollow",), 1),
        (("interrupted",), 130),
        (("interrupted", "failed"), 1),
    ],
)
def test_only_what_passed_is_good(results: tuple[str, ...], code: int) -> None:
    modules = tuple(CheckedModule(f"m{n}", result) for n, result in enumerate(results))  # type: ignore[arg-type]

    assert ModulesReport(REPORT.run, modules, required=True).exit_code == code


def test_a_module_without_tests_is_a_warning_unless_tests_are_required() -> None:
    report = ModulesReport(REPORT.run, (CheckedModule("m", "untested", "it has no tests"),))
    assert (report.exit_code, report.document()["errors"]) == (0, [])
    assert list(annotate.render_modules(report)) == ["::warning file=m,title=m::it has no tests"]
    text = modules_text.render_junit(report)
    check_junit(text)
    suite = ElementTree.fromstring(text)[0]  # noqa: S314 - our own text
    assert (suite.attrib["failures"], suite.attrib["skipped"], suite[0][0].tag) == ("0", "1", "skipped")
