"""Rules in Rego: what they say, and that nothing that goes wrong is a pass."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from orchestrator.config.rules import Engine, Rego
from orchestrator.errors import PolicyError
from orchestrator.plan.policy import Violation
from orchestrator.plan.rego import RegoRules, conftest_argv, opa_argv
from orchestrator.process import Supervisor

PLAN = json.dumps(
    {"resource_changes": [{"address": "a.b", "change": {"actions": ["delete"], "before": {"n": 'q"\n\\é'}}}]}
).encode()
DENY = """package main
deny contains msg if {
  some change in input.resource_changes
  "delete" in change.change.actions
  msg := sprintf("%s goes: %s", [change.address, change.change.before.n])
}
"""
# The programs run here where they are installed; what they give is as exact as regopy's.
PROGRAMS: tuple[Engine, ...] = ("opa", "conftest")
ENGINES: list[Engine] = ["regopy", *(program for program in PROGRAMS if shutil.which(program))]


def evaluate_rules(
    tmp_path: Path,
    *texts: str,
    engine: Engine = "regopy",
    namespaces: tuple[str, ...] = ("main",),
    path: str = "",
    plan: bytes = PLAN,
) -> tuple[Violation, ...]:
    rules = {f"policies/{number}.rego": text for number, text in enumerate(texts)}
    env = {"PATH": path or os.environ["PATH"]}
    return RegoRules(rules, Rego(engine=engine, namespaces=namespaces), Supervisor(), env).evaluate(
        plan, tmp_path
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_message_is_text_with_what_the_plan_holds(tmp_path: Path, engine: Engine) -> None:
    (violation,) = evaluate_rules(tmp_path, DENY, engine=engine)
    assert (violation.severity, violation.rule, violation.message) == ("error", "rego", 'a.b goes: q"\n\\é')
    assert "main.deny" in violation.advice


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "value",
    [
        0.1,
        1e-07,
        123456.789,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        2**64 + 1,
        "é😀<\u2028",
        'a"\\n\n',
        "${x}",
        {'k"é': [1, {}]},
        None,
    ],
    ids=repr,
)
def test_values_reach_the_rules_as_they_are(tmp_path: Path, engine: Engine, value: object) -> None:
    rule = f"package main\ndeny if input.value == {json.dumps(value, ensure_ascii=False)}\n"
    assert evaluate_rules(tmp_path, rule, engine=engine, plan=json.dumps({"value": value}).encode())


@pytest.mark.parametrize("fraction", [1, 0.5])
def test_a_letter_is_one_character(tmp_path: Path, fraction: float) -> None:
    """With and without a fraction, which decides how the plan is handed over."""
    plan = json.dumps({"name": "é", "fraction": fraction}).encode()
    rule = "package main\ndeny if { count(input.name) == 1; input.fraction }\n"
    assert evaluate_rules(tmp_path, rule, plan=plan)


@pytest.mark.parametrize(
    "reads",
    [
        "input.variables.a",
        'input["variables"].a',
        "x := input; x.variables.a",
        "input [ y ].a; y := `variables`",
    ],
)
def test_rules_get_all_that_they_read(tmp_path: Path, reads: str) -> None:
    other = "package other\nx if input.resource_changes\n"
    plan = json.dumps({"variables": {"a": 1}, "resource_changes": [1]}).encode()
    assert evaluate_rules(tmp_path, f"package main\ndeny if {{ {reads} }}\n", other, plan=plan)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("rule", "severity", "message", "address"),
    [
        ('deny contains "x" if true', "error", "x", None),
        ('deny_buckets contains "x" if true', "error", "x", None),
        ('violation contains {"msg": "x", "address": "a.b"} if true', "error", "x", "a.b"),
        ('warn contains {"msg": "x", "metadata": {"address": "a.b"}} if true', "warning", "x", "a.b"),
        ('deny := "x"', "error", "x", None),
        ("deny if true", "error", "main.deny does not let it.", None),
    ],
)
def test_conventions(
    tmp_path: Path, engine: Engine, rule: str, severity: str, message: str, address: str | None
) -> None:
    (violation,) = evaluate_rules(tmp_path, f"package main\n{rule}\n", engine=engine)
    assert (violation.severity, violation.message, violation.address) == (severity, message, address)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "rule", ['deny contains "x" if false', 'denied contains "x" if true', "deny := false", 'help := "deny"']
)
def test_what_reports_nothing(tmp_path: Path, engine: Engine, rule: str) -> None:
    assert evaluate_rules(tmp_path, f"package main\n{rule}\n", engine=engine) == ()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "text",
    [
        "package main\nthis is no rego",
        "package main\ndeny contains m if { m := count(1) }",
        "package main\ndeny contains m if { m := nosuch(1) }",
        "package main\na := 1\na := 2",
        "package main\ndeny contains 1 if true",
        'package main\ndeny contains {"message": "x"} if true',
        'package main\ndeny[msg] { msg := "the old syntax" }',
        "package main\ndeny := {1: 2}",
        'package other\ndeny contains "x" if true',
        "",
    ],
)
def test_what_goes_wrong_is_no_pass(tmp_path: Path, engine: Engine, text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        evaluate_rules(tmp_path, text, engine=engine)
    assert caught.value.advice


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_real_program_checks_a_plan(tmp_path: Path, program: Engine) -> None:
    """Where it is there, all other tests here run with it, too."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on PATH: `make real-rego` builds it with Go and tests it")
    (violation,) = evaluate_rules(tmp_path, DENY, engine=program)
    assert violation.message == 'a.b goes: q"\n\\é'


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_that_fails_is_no_pass_but_with_conftest(tmp_path: Path, engine: Engine) -> None:
    """conftest has no option for it; docs/policy.md says so."""
    rule = 'package main\ndeny contains m if { m := to_number("zz") }'
    if engine == "conftest":
        assert evaluate_rules(tmp_path, rule, engine=engine) == ()
        return
    with pytest.raises(PolicyError):
        evaluate_rules(tmp_path, rule, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_namespace_must_be_there(tmp_path: Path, engine: Engine) -> None:
    other = 'package a.b\ndeny contains "other" if true\n'
    violations = evaluate_rules(tmp_path, DENY, other, engine=engine, namespaces=("main", "a.b"))
    assert [violation.message for violation in violations] == ['a.b goes: q"\n\\é', "other"]
    with pytest.raises(PolicyError, match=r"no package a\.c"):
        evaluate_rules(tmp_path, DENY, other, engine=engine, namespaces=("main", "a.c"))


def test_tests_of_rules_are_left_out(tmp_path: Path) -> None:
    rules = RegoRules({"policies/x_test.rego": "nonsense"}, Rego(), Supervisor(), {})
    assert not rules
    assert rules.evaluate(PLAN, tmp_path) == ()


def test_a_missing_program_or_package_states_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PolicyError, match="no such program") as caught:
        evaluate_rules(tmp_path, DENY, engine="conftest", path=str(tmp_path))
    assert "infra-orchestrator[rego]" in caught.value.advice
    monkeypatch.setitem(sys.modules, "regopy", None)
    with pytest.raises(PolicyError, match="regopy is not installed") as caught:
        evaluate_rules(tmp_path, DENY)
    assert "pip install 'infra-orchestrator[rego]'" in caught.value.advice


def test_the_argv_of_the_programs() -> None:
    assert opa_argv("opa", "main") == (
        *("opa", "eval", "--format", "json", "--strict-builtin-errors"),
        *("--data", "rules", "--input", "plan.json", "data.main"),
    )
    assert conftest_argv("conftest") == (
        *("conftest", "test", "--no-fail", "--no-color", "--output", "json", "--parser", "json"),
        *("--policy", "rules", "--data", "data", "--namespace", "infra_probe", "empty.json"),
    )


STAND_IN = """#!/bin/sh
cd data/infra_plan; cat plan.json > {seen}; ls -l plan.json | cut -c1-10 >> {seen}
echo '{answer}'
exit {code}
"""


def answer_of(value: str) -> str:
    """How conftest answers where package main has a value."""
    return f'[{{"warnings": [{{"msg": "main", "metadata": {{"value": {value}}}}}]}}]'


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        (answer_of('{"deny": ["f"], "warn": ["w"]}'), 0, ["f", "w"]),
        (answer_of("{}"), 0, []),
        (answer_of("{}").replace("value", "query"), 0, None),
        (answer_of("{}").replace("main", "other"), 0, None),
        (answer_of("{}"), 1, None),
        ('[{"successes": 1}]', 0, None),
        ("[]", 0, None),
        ("no json", 0, None),
        ('{"x": 1}', 0, None),
    ],
)
def test_answers_of_a_program(tmp_path: Path, answer: str, code: int, expected: list[str] | None) -> None:
    """A program of conftest's name that answers as conftest does: what is made of its answers."""
    seen = tmp_path / "seen"
    program = tmp_path / "bin" / "conftest"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(seen=seen, answer=answer, code=code))
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    work = tmp_path / "work"
    work.mkdir(mode=0o700)
    rules = RegoRules({"policies/a.rego": DENY}, Rego(engine="conftest"), Supervisor(), {"PATH": path})
    if expected is None:
        with pytest.raises(PolicyError):
            rules.evaluate(PLAN, work)
    else:
        assert [violation.message for violation in rules.evaluate(PLAN, work)] == expected
    assert seen.read_bytes().startswith(PLAN)
    assert seen.read_text().endswith("-rw-------\n")
    assert list(work.iterdir()) == []
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
