"""The corpus: pull requests that are refused, each where it stands and with a way out, and ordinary ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

import pytest

from orchestrator.config.rules import Guard
from orchestrator.guard.check import changed_paths, check_project
from orchestrator.repository.git import Repository
from orchestrator.repository.model import Finding
from tests.support.repo import Repo
from tests.unit.guard.hostile import HOSTILE, STACK, Change
from tests.unit.guard.ordinary import ORDINARY
from tests.unit.guard.trees import TRUNK, Trees

Content = TypeVar("Content")
# What an owner may have listed: the corpus is about what passes in spite of a list.
LISTED = Guard(
    providers=("hashicorp/*", "kreuzwerker/docker", "gavinbunney/kubectl"),
    modules=("https://charts.acme.com",),
)
# For cases about the list itself.
STRICT = Guard()


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    return Trees(Repository.open(Repo(tmp_path_factory.mktemp("corpus"), {"x": ""}).root))


def check(trees: Trees, change: Change) -> tuple[Finding, ...]:
    """The errors that a pull request gets."""
    trunk = {**TRUNK, **placed(change.trunk)}
    base = trees(trunk)
    head = trees({**trunk, **placed(change.files)}, change.links, change.submodules)
    rules = STRICT if change.rule == "provider" else LISTED
    result = check_project(head, base, changed_paths(head, base), rules)
    return tuple(finding for finding in result.findings if finding.severity == "error")


def placed(files: Mapping[str, Content]) -> dict[str, Content]:
    """The files of a change by their path from the root."""
    return {
        path.replace("+", f"{STACK}/", 1) if path[:1] == "+" else path: text for path, text in files.items()
    }


def problem(change: Change, errors: tuple[Finding, ...]) -> str:
    """What is wrong with the answer to a hostile pull request; empty for nothing."""
    if change.rule not in {finding.code for finding in errors}:
        return f"not refused by {change.rule}: {[finding.message for finding in errors]}"
    for finding in errors:
        if not finding.file or not finding.line:
            return f"says no file and line: {finding}"
        if "guard: {" not in finding.advice or "on trunk" not in finding.advice:
            return f"says no way out: {finding}"
    return ""


def test_hostile_pull_requests_are_refused(trees: Trees) -> None:
    """All of them in one process, within ten seconds of it."""
    began = time.process_time()
    problems = {name: problem(change, check(trees, change)) for name, change in HOSTILE.items()}
    assert {name: text for name, text in problems.items() if text} == {}
    assert len(problems) >= 120
    assert time.process_time() - began < 10


def test_ordinary_pull_requests_pass(trees: Trees) -> None:
    answers = {name: check(trees, change) for name, change in ORDINARY.items()}
    messages = {name: [finding.message for finding in errors] for name, errors in answers.items() if errors}
    assert messages == {}
    assert len(answers) >= 30
